//! What a second checkout on this machine is made of.

use std::path::Path;

/// Copies sources, without what a build leaves behind.
///
/// # Panics
/// When something cannot be read or written.
pub fn copy_tree(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).expect("a folder can be made");
    for entry in fs_err::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let is_left_out = [".git", ".racetrack", "dist", "target"].iter().any(|left_out| name == *left_out);
        if is_left_out {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
