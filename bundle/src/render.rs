//! Diagnostics as people and scripts read them.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, Title};
use serde::Serialize;

use crate::{Diagnostic, Diagnostics, Location};

/// How diagnostics are rendered for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With ANSI escapes for a terminal.
    Styled,
}

/// A diagnostic as `--format json` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiagnosticRecord {
    /// The stable name of the kind of mistake.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// The file, as shown to people.
    pub file: String,
    /// The line, counted from 1, where there is one.
    pub line: Option<usize>,
    /// The column, counted from 1 in characters, where there is one.
    pub column: Option<usize>,
    /// What to do about it.
    pub help: Vec<String>,
}

/// All diagnostics in the form rustc gives its errors, separated by empty lines, without a final newline.
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Styled => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let texts: Vec<_> = diagnostics.0.iter().map(|one| render_one(&renderer, one)).collect();
    texts.join("\n\n")
}

impl From<&Diagnostic> for DiagnosticRecord {
    fn from(diagnostic: &Diagnostic) -> Self {
        let place = diagnostic.location.line_and_column();
        Self {
            code: diagnostic.code.0,
            message: diagnostic.message.clone(),
            file: diagnostic.location.file.display().to_string(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            help: diagnostic.help.clone(),
        }
    }
}

fn render_one(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let title = Level::ERROR.primary_title(&diagnostic.message).id(diagnostic.code.0);
    let mut group = located(title, &diagnostic.location);
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let mut report = vec![group];
    if let Some(place) = &diagnostic.declared_at {
        report.push(located(Level::NOTE.secondary_title("the plugin is declared here"), place));
    }
    renderer.render(&report)
}

fn located<'a>(title: Title<'a>, location: &'a Location) -> Group<'a> {
    let file = location.file.to_string_lossy();
    match &location.span {
        Some(span) => {
            let mark = AnnotationKind::Primary.span(span.range.clone());
            title.element(Snippet::source(&*span.text).path(file).annotation(mark))
        }
        None => title.element(Origin::path(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn samples() -> Diagnostics {
        let text = "name: a\nversío: 1.0.0\n";
        let place = Location::in_text("bundles/x.zip!/plugin-manifest.yaml", text.into(), 8..15);
        Diagnostics(vec![
            Diagnostic::new(Code("unknown-key"), place, "unknown key `versío`")
                .with_help("did you mean `version`?")
                .with_help("known keys: `name`, `version`"),
            Diagnostic::new(Code("not-a-zip"), Location::file("bundles/y.zip"), "this is no ZIP archive"),
        ])
    }

    #[test]
    fn plain_text_has_the_form_of_rustc() {
        insta::assert_snapshot!(render(&samples(), Style::Plain), @r"
        error[unknown-key]: unknown key `versío`
         --> bundles/x.zip!/plugin-manifest.yaml:2:1
          |
        2 | versío: 1.0.0
          | ^^^^^^
          |
          = help: did you mean `version`?
          = help: known keys: `name`, `version`

        error[not-a-zip]: this is no ZIP archive
        --> bundles/y.zip
        ");
    }

    #[test]
    fn the_declaration_follows_the_file_it_brought_in() {
        let declaration = "[[plugin]]\nzip = \"bundles/y.zip\"\n";
        let place = Location::in_text("racetrack.toml", declaration.into(), 17..32);
        let diagnostics = samples().0.into_iter().map(|one| one.with_declaration(place.clone()));
        insta::assert_snapshot!(render(&Diagnostics(diagnostics.collect()), Style::Plain));
    }

    #[test]
    fn styled_text_says_the_same() {
        let styled = render(&samples(), Style::Styled);
        assert!(styled.contains("\u{1b}["));
        let mut plain = String::new();
        let mut rest = styled.as_str();
        while let Some((before, escape)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = escape.split_once('m').expect("a style ends with m").1;
        }
        plain.push_str(rest);
        assert_eq!(plain, render(&samples(), Style::Plain));
    }

    #[test]
    fn records_carry_line_and_column_where_there_are_any() {
        let records: Vec<_> = samples().0.iter().map(DiagnosticRecord::from).collect();
        insta::assert_json_snapshot!(records, @r#"
        [
          {
            "code": "unknown-key",
            "message": "unknown key `versío`",
            "file": "bundles/x.zip!/plugin-manifest.yaml",
            "line": 2,
            "column": 1,
            "help": [
              "did you mean `version`?",
              "known keys: `name`, `version`"
            ]
          },
          {
            "code": "not-a-zip",
            "message": "this is no ZIP archive",
            "file": "bundles/y.zip",
            "line": null,
            "column": null,
            "help": []
          }
        ]
        "#);
    }
}
