//! The modules of a crate, as far as a build that is no test compiles them.

use std::collections::VecDeque;

use proc_macro2::TokenStream;

use super::attributes::{Attribute, inner_attributes};
use super::items::{Items, PluginImpl};

/// A module file that is still to be read.
pub(super) struct Module {
    /// Where it is, if it exists.
    pub(super) path: String,
    /// The folder in which its own child modules lie.
    folder: String,
    /// Whether it is the root of the crate.
    pub(super) is_root: bool,
}

impl Module {
    /// The root of a crate.
    pub(super) fn root(path: &str) -> Self {
        Self { path: path.to_owned(), folder: parent(path), is_root: true }
    }
}

/// Passes the plugins of a module file to `each`, with whether they are in the root module of the crate, and puts the files of further
/// modules into the queue. Bodies of functions are passed over unread, so that many plugins cost little.
pub(super) fn visit(
    tokens: TokenStream,
    module: &Module,
    queue: &mut VecDeque<Module>,
    each: &mut impl FnMut(PluginImpl, bool),
) {
    if !module.is_root && inner_attributes(tokens.clone()).iter().any(Attribute::is_for_tests) {
        return;
    }
    for item in Items(tokens.into_iter()) {
        if item.is_for_tests() {
            continue;
        }
        if let Some(found) = item.as_plugin() {
            each(found, module.is_root);
        }
        let Some((name, content)) = item.as_module() else { continue };
        match content {
            Some(content) => {
                let folder = join(&module.folder, &name);
                let inner = Module { path: module.path.clone(), folder, is_root: false };
                visit(content, &inner, queue, each);
            }
            None => queue.extend(files_of(&name, &item.attributes, module)),
        }
    }
}

/// `folder/path` without `.` and `..`.
pub(super) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The files that `mod name;` may mean; those that exist are compiled, or would be under other conditions.
fn files_of(name: &str, attributes: &[Attribute], module: &Module) -> Vec<Module> {
    let elsewhere = attributes.iter().flat_map(Attribute::module_paths).map(|path| {
        let path = join(&parent(&module.path), &path);
        Module { folder: parent(&path), path, is_root: false }
    });
    let mut files: Vec<_> = elsewhere.collect();
    if !attributes.iter().any(Attribute::is_module_path) {
        let folder = join(&module.folder, name);
        let file = |path| Module { path, folder: folder.clone(), is_root: false };
        files.extend([file(format!("{folder}.rs")), file(format!("{folder}/mod.rs"))]);
    }
    files
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())
}
