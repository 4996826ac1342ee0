//! What a lock says about a build or a check that is about to happen.

use std::collections::BTreeSet;

use anyhow::Result;
use racetrack_bundle::{Diagnostic, Diagnostics, Location};

use super::difference::{Difference, Subject};
use super::line_endings::explanations;
use super::order::{List, OrderDifference, hook_orders};
use super::{Lock, locked_components, path, read, shown};
use crate::codes;
use crate::declaration::Declaration;
use crate::files::write_if_changed;
use crate::plan::Loaded;
use crate::plan::PlannedComponent;
use crate::rejected::Rejected;
use crate::session::Session;
use crate::shell::Shell;

/// How a declaration has moved away from its lock.
#[derive(Debug)]
pub(super) struct Drift {
    /// Everything that differs, but for what an override changes in the plugin it replaces.
    pub differences: Vec<Difference>,
    /// Every hook order that differs.
    pub orders: Vec<OrderDifference>,
}

/// What was loaded, after its comparison with the lock: only this is built.
#[derive(Debug)]
pub struct Admitted {
    loaded: Loaded,
    locked_components: BTreeSet<String>,
}

impl Admitted {
    /// What was loaded.
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Its declaration.
    pub const fn declaration(&self) -> &Declaration {
        &self.loaded.declaration
    }

    /// Whether everything that a component is made of is as the lock says.
    pub fn is_locked(&self, component: &PlannedComponent) -> bool {
        self.locked_components.contains(&component.declaration.name)
    }
}

impl Drift {
    /// Compares what was loaded with the lock.
    pub(super) fn of(loaded: &Loaded, lock: &Lock) -> Self {
        let actual = Lock::of(loaded);
        let is_declared = |difference: &Difference| match difference {
            Difference::Plugin { subject, .. } => !is_overridden(loaded, subject),
            _ => true,
        };
        let differences = lock.differences(&actual).into_iter().filter(is_declared).collect();
        Self { differences, orders: hook_orders(lock, &actual) }
    }
}

/// Decides whether a build may go on. With `locked`, everything that differs from the lock is refused. Without, it is
/// reported; and where there is no lock yet, one is written.
pub fn admit(loaded: Loaded, locked: bool, session: &Session) -> Result<Admitted> {
    let locked_components = compare_with_lock(&loaded, locked, session)?;
    Ok(Admitted { loaded, locked_components })
}

/// Admits what was loaded as it is, to be measured: nothing is refused, reported or written.
pub fn admit_for_measurement(loaded: Loaded) -> Result<Admitted> {
    let lock = read(&loaded.declaration)?;
    let locked_components = locked_components(&loaded, lock.as_ref());
    Ok(Admitted { loaded, locked_components })
}

fn compare_with_lock(loaded: &Loaded, locked: bool, session: &Session) -> Result<BTreeSet<String>> {
    let Session { checkout, shell } = session;
    let declaration = &loaded.declaration;
    let path = path(declaration);
    let Some(lock) = read(declaration)? else {
        if locked {
            return Err(missing(loaded, "`--locked` builds what the lock says, and there is none").into());
        }
        if loaded.plugins.iter().any(|plugin| plugin.declaration.overridden) {
            return Ok(BTreeSet::new());
        }
        let lock = Lock::of(loaded);
        write_if_changed(&path, lock.text().as_bytes())?;
        shell.status("Locking", checkout.display(&path));
        return Ok(locked_components(loaded, Some(&lock)));
    };
    let components = locked_components(loaded, Some(&lock));
    let drift = Drift::of(loaded, &lock);
    if locked {
        refuse(loaded, &drift).into_result(()).map_err(Rejected)?;
    } else if !drift.differences.is_empty() {
        let explanations = explanations(loaded, &drift.differences);
        for difference in drift.differences {
            shell.warn(format_args!("not as locked: {}", difference.shortened()));
        }
        for explanation in explanations {
            shell.note(explanation);
        }
        // What differs may concern no component, such as one that was removed.
        if components.len() < loaded.plan.components.len() {
            shell.note(
                "`cargo xtask lock` accepts what differs; until then the components concerned are unlocked",
            );
        }
    }
    Ok(components)
}

/// Says on a check how the declaration and its lock stand to each other; returns the hook orders that nobody has
/// accepted.
pub fn advise(loaded: &Loaded, shell: &Shell) -> Result<Vec<OrderDifference>> {
    let Some(lock) = read(&loaded.declaration)? else {
        shell.note(format_args!("there is no {}; `cargo xtask lock` writes it", shown(&loaded.declaration)));
        return Ok(Vec::new());
    };
    let drift = Drift::of(loaded, &lock);
    let explanations = explanations(loaded, &drift.differences);
    for difference in drift.differences {
        let is_told_below =
            matches!(&difference, Difference::Order(order) if order.list != List::Declaration);
        if !is_told_below {
            shell.note(format_args!("not as locked: {}", difference.shortened()));
        }
    }
    for explanation in explanations {
        shell.note(explanation);
    }
    Ok(drift.orders)
}

/// What there is to say about plugins that `former` has with other line endings alone.
pub fn line_ending_changes(loaded: &Loaded, former: &Lock) -> Vec<String> {
    explanations(loaded, &former.differences(&Lock::of(loaded)))
}

/// The lock, where there has to be one.
pub fn required(loaded: &Loaded) -> Result<Lock> {
    let lock = read(&loaded.declaration)?;
    Ok(lock.ok_or_else(|| missing(loaded, "there is no lock yet to update"))?)
}

fn missing(loaded: &Loaded, message: &str) -> Rejected {
    let location = Location::file(shown(&loaded.declaration));
    let diagnostic = Diagnostic::new(codes::MISSING_LOCK, location, message);
    Rejected(diagnostic.with_help("run `cargo xtask lock` and commit the file").into())
}

fn refuse(loaded: &Loaded, drift: &Drift) -> Diagnostics {
    let mismatch = |difference: &Difference| {
        let help = match difference {
            // A lock that follows whatever compiler is installed would be none.
            Difference::Toolchain(_) => {
                "build with the toolchain of rust-toolchain.toml (`cargo xtask doctor` says what is in the way); \
                 if the change is wanted, `cargo xtask lock`"
            }
            _ => "`cargo xtask lock` accepts it and says what changed; commit the file afterwards",
        };
        let place = place(loaded, difference);
        let diagnostic = Diagnostic::new(codes::LOCK_MISMATCH, place, difference.to_string());
        let explanations = explanations(loaded, std::slice::from_ref(difference)).into_iter();
        explanations.fold(diagnostic, Diagnostic::with_help).with_help(help)
    };
    Diagnostics(drift.differences.iter().map(mismatch).collect())
}

/// The table of a declared plugin; the lock for everything else.
fn place(loaded: &Loaded, difference: &Difference) -> Location {
    let (Difference::Plugin { subject, .. } | Difference::AddedPlugin(subject)) = difference else {
        return Location::file(shown(&loaded.declaration));
    };
    let document = &loaded.declaration.document;
    let plugin = loaded.plugins.iter().find(|plugin| {
        let manifest = &plugin.source.manifest;
        manifest.name.as_str() == subject.name && manifest.version.as_str() == subject.version
    });
    plugin.map_or_else(
        || Location::file(&document.file),
        |plugin| Location::in_text(&document.file, document.text.clone(), plugin.declaration.place.clone()),
    )
}

fn is_overridden(loaded: &Loaded, subject: &Subject) -> bool {
    let mut overridden = loaded.plugins.iter().filter(|plugin| plugin.declaration.overridden);
    overridden.any(|plugin| plugin.source.manifest.name.as_str() == subject.name)
}
