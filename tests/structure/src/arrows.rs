//! The arrows of a package: which file names an item that another file defines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

use crate::modules::{ModuleIndex, ModuleTree, ModulesError, flatten};
use crate::names::defining_module;
use crate::packages::Sources;

/// One file uses another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The file that uses, relative to the folder of the sources.
    pub from: PathBuf,
    /// The file that is used.
    pub to: PathBuf,
}

/// All arrows of a package.
#[derive(Debug, Default)]
pub struct Arrows {
    /// Every source file, relative to the folder of the sources.
    pub files: BTreeSet<PathBuf>,
    /// The names that each arrow is made of.
    pub names: BTreeMap<Arrow, BTreeSet<String>>,
}

impl Arrows {
    /// Reads the arrows of a package from its source files.
    ///
    /// # Errors
    ///
    /// If its modules cannot be read.
    pub fn read(sources: &Sources) -> Result<Self, ModulesError> {
        let mut arrows = Self::default();
        for root in &sources.roots {
            let folder = root.parent().unwrap_or(Path::new(""));
            let tree = ModuleTree::read(root)?;
            for index in 0..tree.modules.len() {
                arrows.add(&tree, index, folder);
            }
        }
        Ok(arrows)
    }

    fn add(&mut self, tree: &ModuleTree, index: ModuleIndex, folder: &Path) {
        let module = &tree.modules[index];
        let relative = |file: &Path| file.strip_prefix(folder).unwrap_or(file).to_owned();
        let mut paths = Paths::default();
        for item in &module.items {
            paths.visit_item(item);
        }
        let imports = module.imports.iter().filter(|import| !import.is_reexport && import.name.is_some());
        paths.found.extend(imports.map(|import| import.path.clone()));
        self.files.insert(relative(&module.file));
        for path in paths.found {
            let Some(target) = defining_module(tree, index, &path) else { continue };
            let used = &tree.modules[target].file;
            if *used != module.file {
                let arrow = Arrow { from: relative(&module.file), to: relative(used) };
                self.names.entry(arrow).or_default().insert(path.last().cloned().unwrap_or_default());
            }
        }
    }
}

/// The paths that the code names, those in the arguments of macros among them.
#[derive(Default)]
struct Paths {
    found: BTreeSet<Vec<String>>,
}

impl<'code> Visit<'code> for Paths {
    fn visit_path(&mut self, path: &'code syn::Path) {
        self.found.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'code syn::Macro) {
        self.in_tokens(called.tokens.clone());
        syn::visit::visit_macro(self, called);
    }

    fn visit_meta_list(&mut self, list: &'code syn::MetaList) {
        self.in_tokens(list.tokens.clone());
        syn::visit::visit_meta_list(self, list);
    }

    fn visit_item_use(&mut self, import: &'code syn::ItemUse) {
        let mut imports = Vec::new();
        flatten(&import.tree, &mut Vec::new(), false, &mut imports);
        self.found.extend(imports.into_iter().map(|import| import.path));
    }
}

impl Paths {
    /// Takes every row of identifiers with `::` between them for a path.
    fn in_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.found.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punctuation) if punctuation.as_char() == ':' => colons += 1,
                other => {
                    self.found.insert(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.in_tokens(group.stream());
                    }
                }
            }
        }
        self.found.insert(path);
    }
}
