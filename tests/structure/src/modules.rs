//! The module tree of a package: which file holds which module, and what each module declares and imports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, Meta, UseTree, Visibility};
use thiserror::Error;

/// A module of a [`ModuleTree`], by its place in it.
pub type ModuleIndex = usize;

/// All modules of one crate, the root first.
#[derive(Default)]
pub struct ModuleTree {
    /// The modules; a [`ModuleIndex`] is a place in this list.
    pub modules: Vec<Module>,
}

/// A module: a file, or a block in one.
pub struct Module {
    /// The file that holds it.
    pub file: PathBuf,
    /// The module around it; the root has none.
    pub parent: Option<ModuleIndex>,
    /// The modules that it declares, by name.
    pub children: BTreeMap<String, ModuleIndex>,
    /// The names of the items that it defines, modules and imports apart.
    pub definitions: Vec<String>,
    /// What it imports, by the name that the import has here.
    pub imports: Vec<Import>,
    /// Its items but for those that only tests have, for the paths in them.
    pub items: Vec<Item>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub struct Import {
    /// The name it has here; `None` for `*`.
    pub name: Option<String>,
    /// The path, one segment an entry, without the `*`.
    pub path: Vec<String>,
    /// Whether it only hands the name on to others.
    pub is_reexport: bool,
}

/// Why the modules of a package cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModulesError {
    /// A source file cannot be read.
    #[error("cannot read a source file")]
    Read(#[source] std::io::Error),
    /// A source file is not valid Rust.
    #[error("{} is not valid Rust", file.display())]
    Syntax {
        /// The source file.
        file: PathBuf,
        /// What is wrong.
        source: syn::Error,
    },
    /// A module is declared that has no file.
    #[error("{} declares the module `{module}`, but neither {module}.rs nor {module}/mod.rs exists", file.display())]
    NoFile {
        /// The file that declares it.
        file: PathBuf,
        /// The name of the module.
        module: String,
    },
}

impl ModuleTree {
    /// Reads the crate whose first file is `root`.
    ///
    /// # Errors
    ///
    /// If a file of it cannot be read, is not valid Rust, or declares a module that has no file.
    pub fn read(root: &Path) -> Result<Self, ModulesError> {
        let mut tree = Self::default();
        let folder = root.parent().unwrap_or(Path::new(""));
        tree.add(root, folder, None, parse(root)?)?;
        Ok(tree)
    }

    fn add(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<ModuleIndex>,
        items: Vec<Item>,
    ) -> Result<ModuleIndex, ModulesError> {
        let index = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            definitions: Vec::new(),
            imports: Vec::new(),
            items: Vec::new(),
        });
        for item in items {
            if attributes(&item).is_some_and(only_tests) {
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let inner_folder = folder.join(&name);
                    let child = if let Some((_, items)) = module.content {
                        self.add(file, &inner_folder, Some(index), items)?
                    } else {
                        let path = file_of(file, folder, &name)?;
                        self.add(&path, &inner_folder, Some(index), parse(&path)?)?
                    };
                    self.modules[index].children.insert(name, child);
                }
                Item::Use(import) => {
                    let is_reexport = !matches!(import.vis, Visibility::Inherited);
                    let imports = &mut self.modules[index].imports;
                    flatten(&import.tree, &mut Vec::new(), is_reexport, imports);
                }
                item => {
                    self.modules[index].definitions.extend(name_of(&item));
                    self.modules[index].items.push(item);
                }
            }
        }
        Ok(index)
    }
}

fn parse(file: &Path) -> Result<Vec<Item>, ModulesError> {
    let text = fs_err::read_to_string(file).map_err(ModulesError::Read)?;
    let parsed = syn::parse_file(&text);
    let parsed = parsed.map_err(|source| ModulesError::Syntax { file: file.to_owned(), source })?;
    Ok(parsed.items)
}

fn file_of(declaring: &Path, folder: &Path, module: &str) -> Result<PathBuf, ModulesError> {
    let candidates = [folder.join(format!("{module}.rs")), folder.join(module).join("mod.rs")];
    let missing = || ModulesError::NoFile { file: declaring.to_owned(), module: module.to_owned() };
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(missing)
}

/// Lists each name that a `use` brings in.
pub(crate) fn flatten(tree: &UseTree, path: &mut Vec<String>, is_reexport: bool, imports: &mut Vec<Import>) {
    let mut push = |name: Option<String>, path: Vec<String>| {
        imports.push(Import { name, path, is_reexport });
    };
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            flatten(&step.tree, path, is_reexport, imports);
            path.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, is_reexport, imports);
            }
        }
        UseTree::Glob(_) => push(None, path.clone()),
        UseTree::Name(name) if name.ident == "self" => push(path.last().cloned(), path.clone()),
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            push(Some(name.clone()), path.iter().cloned().chain([name]).collect());
        }
        UseTree::Rename(rename) => {
            let whole = path.iter().cloned().chain([rename.ident.to_string()]);
            push(Some(rename.rename.to_string()), whole.filter(|segment| segment != "self").collect());
        }
    }
}

/// Whether the attributes have `#[cfg(test)]` among them.
fn only_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

macro_rules! of_every_item {
    ($item:expr, $($kind:ident),+) => {
        match $item {
            $(Item::$kind(item) => Some(&item.attrs[..]),)+
            _ => None,
        }
    };
}

fn attributes(item: &Item) -> Option<&[Attribute]> {
    of_every_item!(
        item,
        Const,
        Enum,
        ExternCrate,
        Fn,
        Impl,
        Macro,
        Mod,
        Static,
        Struct,
        Trait,
        TraitAlias,
        Type,
        Union,
        Use
    )
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
