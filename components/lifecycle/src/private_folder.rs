//! Folders for the eyes of their owner alone, whatever the umask.

use std::io;
use std::path::Path;

/// Makes a folder and those above it that are missing. What is there stays as it is.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    // Whoever may write to a folder may put other files in the place of those there, private or not.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
