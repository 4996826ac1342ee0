//! Resolves a path of the code to the module that defines the item it names.

use crate::modules::{ModuleIndex, ModuleTree};

/// Imports of imports are followed this far; a `use` circle ends here.
const DEEPEST: usize = 16;

/// The module that defines what `path` names in `from`, or `None` if it is outside of the crate. A path to a module, and
/// one that ends at it, is not the item of a module: it has no answer either.
pub fn defining_module(tree: &ModuleTree, from: ModuleIndex, path: &[String]) -> Option<ModuleIndex> {
    match resolve(tree, from, path, DEEPEST)? {
        Target::Item(module) => Some(module),
        Target::Module(_) => None,
    }
}

#[derive(Clone, Copy)]
enum Target {
    /// An item of this module.
    Item(ModuleIndex),
    /// The module itself.
    Module(ModuleIndex),
}

fn resolve(tree: &ModuleTree, from: ModuleIndex, path: &[String], depth: usize) -> Option<Target> {
    let (first, rest) = path.split_first()?;
    let module = match first.as_str() {
        "crate" => 0,
        "self" => from,
        "super" => tree.modules[from].parent?,
        _ => return in_scope(tree, from, path, depth),
    };
    match rest {
        [] => Some(Target::Module(module)),
        [next, ..] if matches!(next.as_str(), "super" | "self") => resolve(tree, module, rest, depth),
        _ => in_scope(tree, module, rest, depth),
    }
}

/// Resolves a path whose first segment is a name that `module` has.
fn in_scope(tree: &ModuleTree, module: ModuleIndex, path: &[String], depth: usize) -> Option<Target> {
    let depth = depth.checked_sub(1)?;
    let (name, rest) = path.split_first()?;
    let holder = &tree.modules[module];
    let child = holder.children.get(name).copied();
    if rest.is_empty() || child.is_none() {
        if holder.definitions.contains(name) {
            return Some(Target::Item(module));
        }
        let imports = holder.imports.iter().filter(|import| import.name.as_ref() == Some(name));
        for import in imports {
            match resolve(tree, module, &import.path, depth) {
                Some(Target::Module(target)) if !rest.is_empty() => {
                    return in_scope(tree, target, rest, depth);
                }
                Some(target) => return Some(target),
                None => {}
            }
        }
    }
    if let Some(child) = child {
        return if rest.is_empty() {
            Some(Target::Module(child))
        } else {
            in_scope(tree, child, rest, depth)
        };
    }
    let mut globs = holder.imports.iter().filter(|import| import.name.is_none());
    globs.find_map(|import| match resolve(tree, module, &import.path, depth)? {
        Target::Module(target) if target != module => in_scope(tree, target, path, depth),
        _ => None,
    })
}
