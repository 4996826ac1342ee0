//! Whether two versions of a plugin source differ in line endings alone, as checkouts with different settings of git do.

use std::borrow::Cow;

use crate::{PluginSource, SourceFile, file_set};

/// How the lines of text files end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

impl PluginSource {
    /// The line ending that all text files must have for the source to have the digest `expected`, if another line ending is
    /// all that keeps it from that.
    pub fn line_ending_of(&self, expected: &str) -> Option<LineEnding> {
        [LineEnding::Lf, LineEnding::CrLf].into_iter().find(|ending| {
            let converted = self.files.iter().map(|file| (file.path.as_str(), ending.convert(file)));
            self.digest != expected && file_set::digest_of(converted) == expected
        })
    }
}

impl LineEnding {
    /// The content of a file as git converts it. It leaves alone what is binary, and what has both endings.
    fn convert(self, file: &SourceFile) -> Cow<'_, [u8]> {
        let content = file.content.as_slice();
        match (Self::of(content), self) {
            (Some(Self::CrLf), Self::Lf) => content.iter().copied().filter(|byte| *byte != b'\r').collect(),
            (Some(Self::Lf), Self::CrLf) => {
                let bytes = content.iter().flat_map(|byte| match byte {
                    b'\n' => b"\r\n".iter().copied(),
                    byte => std::slice::from_ref(byte).iter().copied(),
                });
                bytes.collect()
            }
            _ => content.into(),
        }
    }

    /// How all lines of a text end.
    fn of(content: &[u8]) -> Option<Self> {
        let ends = |end| content.split(move |byte| *byte == end).count() - 1;
        let pairs = content.windows(2).filter(|pair| pair == b"\r\n").count();
        match (ends(b'\r'), ends(b'\n')) {
            _ if content.contains(&0) => None,
            (0, 1..) => Some(Self::Lf),
            (returns @ 1.., feeds) if returns == pairs && feeds == pairs => Some(Self::CrLf),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::PluginManifest;

    use super::*;
    use crate::Origin;

    fn source(contents: &[&[u8]]) -> PluginSource {
        let file = |(index, content): (usize, &&[u8])| SourceFile {
            path: format!("file-{index}"),
            content: content.to_vec(),
        };
        let files: Vec<_> = contents.iter().enumerate().map(file).collect();
        PluginSource {
            origin: Origin::Folder("/p".into()),
            manifest: PluginManifest::new("p".parse().unwrap(), "1.0.0".parse().unwrap()),
            digest: file_set::digest(&files),
            files,
            crate_name: "p".to_owned(),
            archive_digest: None,
        }
    }

    #[test]
    fn checkouts_with_other_line_endings_are_recognised() {
        let mixed: &[u8] = b"a\r\nb\n";
        let locked = source(&[b"a\nb\n", b"no end", b"\0\n", mixed, b""]);
        let found = source(&[b"a\r\nb\r\n", b"no end", b"\0\n", mixed, b""]);
        assert_eq!(found.line_ending_of(&locked.digest), Some(LineEnding::Lf));
        assert_eq!(locked.line_ending_of(&found.digest), Some(LineEnding::CrLf));
    }

    #[test]
    fn other_changes_are_not_taken_for_line_endings() {
        let locked = source(&[b"a\nb\n"]);
        for content in [&b"a\r\nB\r\n"[..], b"a\rb\r", b"a\n\nb\n", b"a\nb"] {
            assert_eq!(source(&[content]).line_ending_of(&locked.digest), None, "{content:?}");
        }
        assert_eq!(locked.line_ending_of(&locked.digest), None);
        assert_eq!(source(&[b"a\r\nb\r\n", b""]).line_ending_of(&locked.digest), None);
    }
}
