//! The files of a plugin source in memory.

/// One file of a plugin source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative, `/`-separated and safe.
    pub path: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Files sorted by path.
#[derive(Clone, Copy)]
pub(crate) struct SourceFiles<'a>(pub(crate) &'a [SourceFile]);

impl<'a> SourceFiles<'a> {
    /// The content of a file.
    pub(crate) fn get(self, path: &str) -> Option<&'a [u8]> {
        let index = self.0.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&self.0[index].content)
    }
}
