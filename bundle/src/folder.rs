//! Reading a plugin's folder into memory: exactly the files that its bundle has.

use std::io::{self, Read as _};
use std::path::Path;

use crate::ignore_rules::{self, IgnoreRules};
use crate::manifest::decode_utf8;
use crate::source_label::SourceLabel;
use crate::{Code, Diagnostic, Diagnostics, Location, SourceFile, codes, file_set, limits, safe_path};

/// The files of the folder at `root`, sorted by path.
pub(crate) fn read(root: &Path, shown: &SourceLabel) -> Result<Vec<SourceFile>, Diagnostics> {
    let rules = read_ignore_rules(root, shown)?;
    let mut walk =
        Walk { root, shown, rules, files: Vec::new(), total: 0, diagnostics: Diagnostics::default() };
    walk.visit_folder("")?;
    let Walk { mut files, mut diagnostics, .. } = walk;
    let paths = files.iter().map(|file| (file.path.as_str(), true));
    diagnostics.append(file_set::compare_paths(paths, shown.root()));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    diagnostics.into_result(files)
}

fn read_ignore_rules(root: &Path, shown: &SourceLabel) -> Result<IgnoreRules, Diagnostics> {
    let shown_file = shown.file(ignore_rules::FILE_NAME);
    let path = root.join(ignore_rules::FILE_NAME);
    let is_refused = |found: std::fs::Metadata| {
        !(found.is_dir() || found.is_file()) || found.len() > limits::MANIFEST_BYTES as u64
    };
    if fs_err::symlink_metadata(&path).is_ok_and(is_refused) {
        let message = format!("the file is no regular file of at most {} bytes", limits::MANIFEST_BYTES);
        return Err(Diagnostic::new(codes::SOURCE_UNREADABLE, Location::file(&shown_file), message)
            .with_help("write the rules into a plain file")
            .into());
    }
    let text = match fs_err::read(path) {
        Ok(content) => Some(decode_utf8(&content, &shown_file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&shown_file, &error).into()),
    };
    IgnoreRules::parse(text, &shown_file)
}

/// The state of reading one folder.
struct Walk<'a> {
    root: &'a Path,
    shown: &'a SourceLabel,
    rules: IgnoreRules,
    files: Vec<SourceFile>,
    total: u64,
    diagnostics: Diagnostics,
}

impl Walk<'_> {
    /// Visits the folder `folder`, which is empty or ends with a slash, in the order of names.
    fn visit_folder(&mut self, folder: &str) -> Result<(), Diagnostics> {
        let listing = fs_err::read_dir(self.root.join(folder))
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|error| unreadable(&self.shown.file(folder), &error));
        let mut entries = match listing {
            Ok(entries) => entries,
            Err(diagnostic) => return self.refuse(diagnostic),
        };
        entries.sort_by_key(fs_err::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let message =
                    format!("the name of `{folder}{}` is not UTF-8", name.to_string_lossy().escape_debug());
                self.refuse_path(codes::PATH_NOT_UTF8, message, "rename the file")?;
                continue;
            };
            let path = format!("{folder}{name}");
            match entry.file_type() {
                Ok(kind) if self.rules.ignores(&path, kind.is_dir()) => {}
                Ok(kind) => self.visit(&path, kind)?,
                Err(error) => self.refuse(unreadable(&self.shown.file(&path), &error))?,
            }
        }
        Ok(())
    }

    fn visit(&mut self, path: &str, kind: std::fs::FileType) -> Result<(), Diagnostics> {
        if let Err(refused) = safe_path::check(path) {
            let message = format!("the path `{}` {}", path.escape_debug(), refused.reason);
            return self.refuse_path(
                refused.code,
                message,
                "rename it, or leave it out by a `.racetrackignore`",
            );
        }
        if kind.is_dir() {
            self.visit_folder(&format!("{path}/"))
        } else if kind.is_file() {
            self.read_file(path)
        } else if kind.is_symlink() {
            let message = format!("`{path}` is a symbolic link");
            let help = "put the file itself there, or leave the link out by a `.racetrackignore`";
            self.refuse_path(codes::SYMLINK, message, help)
        } else {
            let message = format!("`{path}` is neither a file nor a folder");
            self.refuse_path(codes::SPECIAL_FILE, message, "leave it out by a `.racetrackignore`")
        }
    }

    fn read_file(&mut self, path: &str) -> Result<(), Diagnostics> {
        let mut content = Vec::new();
        let read = fs_err::File::open(self.root.join(path))
            .and_then(|file| file.take(limits::FILE_BYTES + 1).read_to_end(&mut content));
        if let Err(error) = read {
            return self.refuse(unreadable(&self.shown.file(path), &error));
        }
        if content.len() as u64 > limits::FILE_BYTES {
            let message = format!("the file has more than {} MiB", limits::FILE_BYTES >> 20);
            let diagnostic =
                Diagnostic::new(codes::FILE_TOO_LARGE, Location::file(self.shown.file(path)), message);
            return self.refuse(diagnostic.with_help("leave it out by a `.racetrackignore`"));
        }
        self.total += content.len() as u64;
        self.files.push(SourceFile { path: path.to_owned(), content });
        if let Err(diagnostic) = file_set::check_total(self.files.len(), self.total, self.shown.root()) {
            self.diagnostics.push(diagnostic);
            return Err(std::mem::take(&mut self.diagnostics));
        }
        Ok(())
    }

    fn refuse_path(&mut self, code: Code, message: String, help: &str) -> Result<(), Diagnostics> {
        self.refuse(Diagnostic::new(code, Location::file(self.shown.root()), message).with_help(help))
    }

    /// Adds a mistake; an error after so many that nobody would read more.
    fn refuse(&mut self, diagnostic: Diagnostic) -> Result<(), Diagnostics> {
        self.diagnostics.push(diagnostic);
        if self.diagnostics.0.len() < limits::REFUSALS {
            return Ok(());
        }
        self.diagnostics.push(file_set::too_many_refusals("files", self.shown.root()));
        Err(std::mem::take(&mut self.diagnostics))
    }
}

fn unreadable(shown: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("the file cannot be read: {}", error.kind());
    Diagnostic::new(codes::SOURCE_UNREADABLE, Location::file(shown), message)
        .with_help("check its permissions")
}
