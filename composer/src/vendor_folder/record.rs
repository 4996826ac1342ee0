//! What a vendor folder says about itself: `vendor.toml`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The description of a vendor folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// The version of the format.
    pub version: u32,
    /// The compiler of the checkout, as it names itself.
    pub toolchain: String,
    /// The SHA-256 of the declaration, hexadecimal.
    pub declaration: String,
    /// The folder that cargo unpacks crates of the registry into, below `registry/src/` of its home; binaries name it.
    pub registry_folder: String,
    /// The plugin sources that are no folders of the checkout, in the order of the declaration.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<VendoredPlugin>,
}

/// One plugin source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendoredPlugin {
    /// The source as the declaration writes it.
    pub source: String,
    /// The bundle or folder, relative to the vendor folder.
    pub path: String,
}

impl Record {
    /// The name of its file.
    pub const FILE_NAME: &str = "vendor.toml";
    /// The format this is written in.
    pub const VERSION: u32 = 1;

    /// The text of its file.
    pub fn to_text(&self) -> Result<String> {
        toml::to_string(self).with_context(|| format!("cannot write {}", Self::FILE_NAME))
    }

    /// Reads its file. The version is read first: of any other one nothing else is known.
    pub fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().with_context(|| format!("cannot read {}", Self::FILE_NAME))?;
        let version = table.get("version").and_then(toml::Value::as_integer);
        anyhow::ensure!(
            version == Some(Self::VERSION.into()),
            "{} has format {}, and this checkout reads format {}",
            Self::FILE_NAME,
            version.map_or_else(|| "unknown".to_owned(), |version| version.to_string()),
            Self::VERSION
        );
        table.try_into().with_context(|| format!("cannot read {}", Self::FILE_NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record {
            version: Record::VERSION,
            toolchain: "rustc 1.0.0".to_owned(),
            declaration: "ab".to_owned(),
            registry_folder: "index-0".to_owned(),
            plugins: vec![VendoredPlugin { source: "x.zip".to_owned(), path: "plugins/x-1.zip".to_owned() }],
        };
        let text = record.to_text().unwrap();
        insta::assert_snapshot!(text, @r#"
        version = 1
        toolchain = "rustc 1.0.0"
        declaration = "ab"
        registry-folder = "index-0"

        [[plugin]]
        source = "x.zip"
        path = "plugins/x-1.zip"
        "#);
        assert_eq!(Record::parse(&text).unwrap(), record);
        let bare = Record { plugins: Vec::new(), ..record };
        assert_eq!(Record::parse(&bare.to_text().unwrap()).unwrap(), bare);
    }

    #[test]
    fn other_formats_are_refused() {
        let message = |text: &str| Record::parse(text).unwrap_err().to_string();
        assert_eq!(message("version = 2"), "vendor.toml has format 2, and this checkout reads format 1");
        assert_eq!(message(""), "vendor.toml has format unknown, and this checkout reads format 1");
        assert_eq!(message("version = 1"), "cannot read vendor.toml");
    }
}
