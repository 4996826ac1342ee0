//! The code of every mistake a plugin source can have: one list, so that each code is documented and tested.

use crate::Code;

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $text:literal;)+) => {
        $($(#[$doc])+ pub const $name: Code = Code($text);)+

        /// Every code of this package, sorted by text.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// Two paths differ only in case or in Unicode normalization, so some file systems keep one of them.
    CASE_COLLISION = "case-collision";
    /// The crate's version is no semantic version.
    CRATE_BAD_VERSION = "crate-bad-version";
    /// A build script, or a proc-macro crate inside the plugin, that the declaration does not allow.
    CRATE_BUILD_SCRIPT = "crate-build-script";
    /// racetrack-core is taken from elsewhere than the checkout that builds the plugin, renamed or optional.
    CRATE_CORE_SOURCE = "crate-core-source";
    /// The plugin wants another version of racetrack-core than the checkout that builds it has.
    CRATE_CORE_VERSION = "crate-core-version";
    /// The plugin depends on a part of Racetrack that is not racetrack-core.
    CRATE_FORBIDDEN_DEPENDENCY = "crate-forbidden-dependency";
    /// The `[lib]` is of a kind that cannot be linked into a component, or a procedural macro.
    CRATE_LIBRARY_KIND = "crate-library-kind";
    /// The `links` key: two versions of the plugin could not be linked together.
    CRATE_LINKS = "crate-links";
    /// There is no Cargo.toml.
    CRATE_MISSING = "crate-missing";
    /// `[package]`, or `name`, `version` or `edition` in it, is missing.
    CRATE_MISSING_KEY = "crate-missing-key";
    /// The crate's name is not the plugin's.
    CRATE_NAME_MISMATCH = "crate-name-mismatch";
    /// The Cargo.toml has its own `[workspace]`, or names one.
    CRATE_NESTED_WORKSPACE = "crate-nested-workspace";
    /// The crate does not depend on racetrack-core.
    CRATE_NO_CORE_DEPENDENCY = "crate-no-core-dependency";
    /// There is no library target.
    CRATE_NO_LIBRARY = "crate-no-library";
    /// The Cargo.toml has `[patch]` or `[replace]`.
    CRATE_PATCH = "crate-patch";
    /// A path dependency leaves the plugin's folder, or leads to no crate.
    CRATE_PATH_DEPENDENCY = "crate-path-dependency";
    /// The Cargo.toml has `[profile]`.
    CRATE_PROFILE = "crate-profile";
    /// The `rust-version` is newer than the compiler of the checkout, or none.
    CRATE_RUST_VERSION = "crate-rust-version";
    /// The Cargo.toml is no TOML.
    CRATE_SYNTAX = "crate-syntax";
    /// The Cargo.toml is larger than any hand-written one.
    CRATE_TOO_LARGE = "crate-too-large";
    /// The crate's version is not the plugin's.
    CRATE_VERSION_MISMATCH = "crate-version-mismatch";
    /// A key inherits from a workspace.
    CRATE_WORKSPACE_INHERITANCE = "crate-workspace-inheritance";
    /// A key of the Cargo.toml has a value of the wrong type.
    CRATE_WRONG_TYPE = "crate-wrong-type";
    /// One path is a file and also the folder of another file.
    FILE_IS_FOLDER = "file-is-folder";
    /// A file is larger than the limit.
    FILE_TOO_LARGE = "file-too-large";
    /// A line of `.racetrackignore` is no pattern.
    IGNORE_PATTERN = "ignore-pattern";
    /// The manifest's name breaks the rules of names.
    MANIFEST_BAD_NAME = "manifest-bad-name";
    /// The manifest's version does not have the form `X.Y.Z[label]`.
    MANIFEST_BAD_VERSION = "manifest-bad-version";
    /// A component is listed twice.
    MANIFEST_DUPLICATE_COMPONENT = "manifest-duplicate-component";
    /// A key is given twice.
    MANIFEST_DUPLICATE_KEY = "manifest-duplicate-key";
    /// The manifest says nothing.
    MANIFEST_EMPTY = "manifest-empty";
    /// There is no plugin-manifest.yaml.
    MANIFEST_MISSING = "manifest-missing";
    /// A required key is missing.
    MANIFEST_MISSING_KEY = "manifest-missing-key";
    /// The manifest is a list or a single value.
    MANIFEST_NOT_A_MAPPING = "manifest-not-a-mapping";
    /// The manifest could not be edited in place.
    MANIFEST_NOT_EDITABLE = "manifest-not-editable";
    /// The manifest holds more than one YAML document.
    MANIFEST_SEVERAL_DOCUMENTS = "manifest-several-documents";
    /// The manifest is no YAML.
    MANIFEST_SYNTAX = "manifest-syntax";
    /// The manifest is larger than any hand-written one.
    MANIFEST_TOO_LARGE = "manifest-too-large";
    /// The category is none of the known ones.
    MANIFEST_UNKNOWN_CATEGORY = "manifest-unknown-category";
    /// A component is listed that the declaration does not have.
    MANIFEST_UNKNOWN_COMPONENT = "manifest-unknown-component";
    /// A key that manifests do not have.
    MANIFEST_UNKNOWN_KEY = "manifest-unknown-key";
    /// A key has a value of the wrong type.
    MANIFEST_WRONG_TYPE = "manifest-wrong-type";
    /// A text file of the source is not UTF-8.
    NOT_UTF8 = "not-utf8";
    /// A path starts at the root of the file system.
    PATH_ABSOLUTE = "path-absolute";
    /// A path has a backslash, which some systems read as a separator.
    PATH_BACKSLASH = "path-backslash";
    /// A path has a colon: a drive letter or an alternate stream on some systems.
    PATH_COLON = "path-colon";
    /// A path has a control character or NUL.
    PATH_CONTROL_CHARACTER = "path-control-character";
    /// A component of a path is a device on some systems.
    PATH_DEVICE_NAME = "path-device-name";
    /// A path starts with a drive letter.
    PATH_DRIVE_LETTER = "path-drive-letter";
    /// A path is empty, or has an empty component.
    PATH_EMPTY_COMPONENT = "path-empty-component";
    /// A path is not UTF-8, or not marked as such.
    PATH_NOT_UTF8 = "path-not-utf8";
    /// A path has too many components.
    PATH_TOO_DEEP = "path-too-deep";
    /// A path is too long.
    PATH_TOO_LONG = "path-too-long";
    /// A component of a path ends with a dot or a space, which some systems drop.
    PATH_TRAILING_DOT = "path-trailing-dot";
    /// A path has a `.` or `..` component.
    PATH_TRAVERSAL = "path-traversal";
    /// The folder or file of the source does not exist.
    SOURCE_MISSING = "source-missing";
    /// All files together are larger than the limit.
    SOURCE_TOO_LARGE = "source-too-large";
    /// The source could not be read.
    SOURCE_UNREADABLE = "source-unreadable";
    /// The source is a file where a folder was declared, or the other way round.
    SOURCE_WRONG_KIND = "source-wrong-kind";
    /// A device, pipe, socket or other special file.
    SPECIAL_FILE = "special-file";
    /// A symbolic link.
    SYMLINK = "symlink";
    /// More files than the limit.
    TOO_MANY_FILES = "too-many-files";
    /// So many refusals that the rest was not looked at.
    TOO_MANY_REFUSALS = "too-many-refusals";
    /// A plugin of upstream Racetrack: Python, and no crate beside it.
    UPSTREAM_PLUGIN = "upstream-plugin";
    /// An entry carries a second name for some systems.
    ZIP_ALTERNATE_NAME = "zip-alternate-name";
    /// The content of an entry does not have the recorded checksum.
    ZIP_CHECKSUM = "zip-checksum";
    /// Two entries have one name.
    ZIP_DUPLICATE_NAME = "zip-duplicate-name";
    /// An entry is encrypted.
    ZIP_ENCRYPTED = "zip-encrypted";
    /// The two descriptions of an entry differ.
    ZIP_HEADER_MISMATCH = "zip-header-mismatch";
    /// Bytes that belong to no entry.
    ZIP_HIDDEN_BYTES = "zip-hidden-bytes";
    /// Bytes before the first entry.
    ZIP_LEADING_BYTES = "zip-leading-bytes";
    /// The compressed content of an entry is broken, or the archive's records are.
    ZIP_MALFORMED = "zip-malformed";
    /// The file is no ZIP archive.
    ZIP_NOT_A_ZIP = "zip-not-a-zip";
    /// Two entries share bytes.
    ZIP_OVERLAP = "zip-overlap";
    /// An entry unpacks to far more than it takes in the archive.
    ZIP_RATIO = "zip-ratio";
    /// A second archive, or a second end-of-archive record.
    ZIP_SECOND_ARCHIVE = "zip-second-archive";
    /// The ZIP file is larger than the limit.
    ZIP_TOO_LARGE = "zip-too-large";
    /// Bytes after the end of the archive.
    ZIP_TRAILING_BYTES = "zip-trailing-bytes";
    /// The archive ends too early.
    ZIP_TRUNCATED = "zip-truncated";
    /// The archive is split over several files.
    ZIP_UNSUPPORTED = "zip-unsupported";
    /// An entry is compressed with a method other than deflate.
    ZIP_UNSUPPORTED_COMPRESSION = "zip-unsupported-compression";
    /// An entry does not have the recorded size.
    ZIP_WRONG_SIZE = "zip-wrong-size";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_sorted_and_kebab_case() {
        assert!(ALL.windows(2).all(|pair| pair[0] < pair[1]), "sort the list");
        for code in ALL {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(code.0.chars().all(allowed), "{code}");
        }
    }
}
