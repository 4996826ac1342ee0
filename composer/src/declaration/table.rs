//! Reading one table of a TOML document: typed values with their places, and everything that is wrong on the way.

use std::ops::Range;

use racetrack_bundle::suggestion::suggestion;
use racetrack_bundle::{Code, Diagnostic, Diagnostics};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Document;
use super::integer::integer;
use super::keys::{Keys, Kind};
use crate::codes;

/// A value with the bytes it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    pub value: T,
    pub place: Range<usize>,
}

/// Texts, each with its place.
pub type Texts = Vec<(String, Range<usize>)>;

/// A table being read.
pub struct TableReader<'a> {
    document: &'a Document,
    /// How the table is called in messages: `[build]`.
    name: String,
    table: &'a DeTable<'a>,
    /// The keys that may stand in it, where there is a table of them.
    keys: Option<&'static Keys>,
    /// Where the table is, for keys that are missing.
    pub place: Range<usize>,
}

impl<'a> TableReader<'a> {
    /// Reads `table`, in which `known` keys may stand.
    pub fn new(
        document: &'a Document,
        name: String,
        table: &'a DeTable<'a>,
        place: Range<usize>,
        known: &[&str],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let reader = Self { document, name, table, keys: None, place };
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let message = format!("unknown key `{}` in {}", key.get_ref(), reader.name);
            let help = suggestion(key.get_ref(), "keys", known.iter().copied());
            diagnostics.push(document.diagnostic(codes::UNKNOWN_KEY, key.span(), message).with_help(help));
        }
        reader
    }

    /// Reads `table`, in which these keys may stand; each must be read as what it is said to hold.
    pub fn with_keys(
        document: &'a Document,
        name: String,
        table: &'a DeTable<'a>,
        place: Range<usize>,
        keys: &'static Keys,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let known: Vec<_> = keys.names().collect();
        let reader = Self::new(document, name, table, place, &known, diagnostics);
        Self { keys: Some(keys), ..reader }
    }

    /// Reads `table`, whose keys are names that the declaration gives.
    pub(super) fn by_name(document: &'a Document, table: &'a DeTable<'a>, place: Range<usize>) -> Self {
        Self { document, name: String::new(), table, keys: None, place }
    }

    /// The keys of the table in the order they were written, each with its value.
    pub fn entries(&self) -> Vec<(Placed<String>, &'a Spanned<DeValue<'a>>)> {
        let placed =
            |key: &Spanned<DeString<'_>>| Placed { value: key.get_ref().to_string(), place: key.span() };
        let mut entries: Vec<_> = self.table.iter().map(|(key, value)| (placed(key), value)).collect();
        entries.sort_by_key(|(key, _)| key.place.start);
        entries
    }

    /// Whether the key stands in the table, with whatever value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A mistake at a place of the document.
    pub fn diagnostic(&self, code: Code, place: Range<usize>, message: String) -> Diagnostic {
        self.document.diagnostic(code, place, message)
    }

    /// A text that may be missing.
    pub fn string(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<Placed<String>> {
        self.insist(key, |kind| matches!(kind, Kind::Text | Kind::Name));
        let value = self.table.get(key)?;
        let is_name =
            self.keys.and_then(|keys| keys.get(key)).is_some_and(|key| matches!(key.kind, Kind::Name));
        match value.get_ref() {
            DeValue::String(text) if is_name && text.trim().is_empty() => {
                let message = format!("`{key}` in {} is empty", self.name);
                let help = "write what it is to name, or remove the table";
                diagnostics.push(self.diagnostic(codes::EMPTY_TEXT, value.span(), message).with_help(help));
                None
            }
            DeValue::String(text) => Some(Placed { value: text.to_string(), place: value.span() }),
            other => {
                diagnostics.push(self.wrong_type(key, Wanted::String, other, value.span()));
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required_string(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<Placed<String>> {
        self.require(key, &format!("{key} = \"…\""), diagnostics);
        self.string(key, diagnostics)
    }

    /// An integer that must be there.
    pub fn required_integer(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<i64> {
        self.require(key, &format!("{key} = 0"), diagnostics);
        let value = self.table.get(key)?;
        let integer = integer(value.get_ref());
        if integer.is_none() {
            diagnostics.push(self.wrong_type(key, Wanted::Integer, value.get_ref(), value.span()));
        }
        integer
    }

    /// A switch that is off when it is missing.
    pub fn switch(&self, key: &str, diagnostics: &mut Diagnostics) -> bool {
        self.insist(key, |kind| matches!(kind, Kind::Switch));
        let Some(value) = self.table.get(key) else {
            return false;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            diagnostics.push(self.wrong_type(key, Wanted::Switch, value.get_ref(), value.span()));
            false
        })
    }

    /// A list of texts that may be missing.
    pub fn strings(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<Placed<Texts>> {
        self.insist(key, |kind| matches!(kind, Kind::Texts { .. }));
        let value = self.table.get(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            diagnostics.push(self.wrong_type(key, Wanted::Strings, value.get_ref(), value.span()));
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => texts.push((text.to_string(), item.span())),
                other => diagnostics.push(self.wrong_type(key, Wanted::Strings, other, item.span())),
            }
        }
        (texts.len() == items.len()).then(|| Placed { value: texts, place: value.span() })
    }

    /// A list of texts that must be there.
    pub fn required_strings(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<Placed<Texts>> {
        self.require(key, &format!("{key} = []"), diagnostics);
        self.strings(key, diagnostics)
    }

    /// A table inside this one that may be missing.
    pub fn table(&self, key: &str, diagnostics: &mut Diagnostics) -> Option<Placed<&'a DeTable<'a>>> {
        self.insist(key, |kind| matches!(kind, Kind::Table(_) | Kind::Components(_) | Kind::Profiles { .. }));
        let (written, value) = self.table.get_key_value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Placed { value: table, place: table_place(written, value) }),
            other => {
                diagnostics.push(self.wrong_type(key, Wanted::Table, other, value.span()));
                None
            }
        }
    }

    /// A table inside this one that must be there.
    pub fn required_table(
        &self,
        key: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Placed<&'a DeTable<'a>>> {
        self.require(key, &format!("[{key}]"), diagnostics);
        self.table(key, diagnostics)
    }

    /// The tables of an array of tables; none when it is missing.
    pub fn tables(&self, key: &str, diagnostics: &mut Diagnostics) -> Vec<Placed<&'a DeTable<'a>>> {
        self.insist(key, |kind| matches!(kind, Kind::Tables(_)));
        let Some(value) = self.table.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            diagnostics.push(self.wrong_type(key, Wanted::Tables, value.get_ref(), value.span()));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Placed { value: table, place: item.span() }),
                other => diagnostics.push(self.wrong_type(key, Wanted::Tables, other, item.span())),
            }
        }
        tables
    }

    fn require(&self, key: &str, example: &str, diagnostics: &mut Diagnostics) {
        debug_assert!(
            self.keys.is_none_or(|keys| keys.get(key).is_some_and(|key| key.required)),
            "`{key}` in {}",
            self.name
        );
        if self.table.get(key).is_none() {
            let message = format!("{} has no `{key}`", self.name);
            let help = format!("add `{example}`");
            diagnostics
                .push(self.diagnostic(codes::MISSING_KEY, self.place.clone(), message).with_help(help));
        }
    }

    /// A reader that asks for something else than the table of keys says would let the schema drift from it.
    fn insist(&self, key: &str, is_wanted: impl Fn(Kind) -> bool) {
        let fits = self.keys.is_none_or(|keys| keys.get(key).is_some_and(|key| is_wanted(key.kind)));
        debug_assert!(fits, "`{key}` in {}", self.name);
    }

    fn wrong_type(&self, key: &str, wanted: Wanted, found: &DeValue<'_>, place: Range<usize>) -> Diagnostic {
        let (wanted, help) = match wanted {
            Wanted::String => ("a string", format!("write `{key} = \"…\"`")),
            Wanted::Integer => ("an integer of 64 bits", format!("write `{key} = 0`")),
            Wanted::Switch => ("true or false", format!("write `{key} = true`, or remove the key")),
            Wanted::Strings => ("an array of strings", format!("write `{key} = [\"…\"]`")),
            Wanted::Table => ("a table", format!("write `[{key}]` on a line of its own, and its keys below")),
            Wanted::Tables => {
                ("an array of tables", format!("write `[[{key}]]`, with two brackets, above each one"))
            }
        };
        let message = format!("`{key}` in {} must be {wanted}, not {}", self.name, kind(found));
        self.diagnostic(codes::WRONG_TYPE, place, message).with_help(help)
    }
}

/// The type a key has.
#[derive(Clone, Copy)]
enum Wanted {
    String,
    Integer,
    Switch,
    Strings,
    Table,
    Tables,
}

/// Where a table is: its header if it has one, otherwise the key it is the value of.
pub fn table_place(key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    if value.span().is_empty() { key.span() } else { value.span() }
}

/// What kind of value this is, with its article.
pub const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
