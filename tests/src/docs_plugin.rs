//! Plugins that need no configuration and say what a test wants them to say.

use crate::Sandbox;

/// A plugin whose `markdown_docs` answers with the value of an expression.
#[derive(Clone, Copy, Debug)]
pub struct DocsPlugin<'a> {
    /// Its name, and that of its crate.
    pub name: &'a str,
    /// Items beside the plugin.
    pub items: &'a str,
    /// The expression, a `String`.
    pub expression: &'a str,
    /// More lines of its Cargo.toml.
    pub manifest: &'a str,
    /// Its build script.
    pub build_script: Option<&'a str>,
    /// Whether it brings a macro of its own.
    pub has_macro: bool,
}

impl Default for DocsPlugin<'_> {
    fn default() -> Self {
        Self {
            name: "docs",
            items: "",
            expression: "String::new()",
            manifest: "",
            build_script: None,
            has_macro: false,
        }
    }
}

impl DocsPlugin<'_> {
    /// Writes the crate to `plugins/<name>`; returns its table of the declaration.
    pub fn declared(&self, sandbox: &Sandbox) -> String {
        let Self { name, items, expression, manifest, build_script, has_macro } = self;
        let folder = format!("plugins/{name}");
        let write = |path: &str, text: &str| sandbox.write(&format!("{folder}/{path}"), text);
        write("plugin-manifest.yaml", &format!("name: {name}\nversion: 1.0.0\n"));
        write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
                 [dependencies]\nracetrack-core = \"0.1\"\n{manifest}"
            ),
        );
        write(
            "src/lib.rs",
            &format!(
                "use racetrack_core::{{HookResult, Plugin}};\n\n{items}\n\n#[derive(Default)]\nstruct Docs;\n\n\
                 #[racetrack_core::plugin]\nimpl Plugin for Docs {{\n    async fn markdown_docs(&self) -> HookResult<Option<String>> {{\n\
                 \x20       Ok(Some({expression}))\n    }}\n}}\n"
            ),
        );
        if let Some(script) = build_script {
            write("build.rs", script);
        }
        let allow = if build_script.is_some() || *has_macro { "allow-build-script = true\n" } else { "" };
        format!("[[plugin]]\npath = \"{folder}\"\n{allow}\n")
    }
}
