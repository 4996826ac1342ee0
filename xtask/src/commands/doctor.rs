//! `cargo xtask doctor`: what may be wrong with this machine, this checkout and the declaration. Changes nothing, but that
//! it fetches plugin sources if it may use the network.
//!
//! The JSON form is `{"findings": [{"check", "verdict", "what", "why", "help"}]}`, where `verdict` is `fine`, `note` or
//! `wrong`, and `why` and `help` are null where all is fine.

use racetrack_composer::session::Session;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::cli::{DoctorArgs, Format};
use crate::diagnosis::{Finding, Verdict, configuration, distribution, machine, registry, rejected, storage};
use racetrack_composer::checkout::Checkout;
use racetrack_composer::declaration::Declaration;
use racetrack_composer::quantity::counted;
use racetrack_composer::rejected::Rejected;
use racetrack_composer::session::NetworkForbidden;
use racetrack_composer::shell::print_data;
use racetrack_composer::sources::load::load;

/// Runs all checks and prints what they found; fails if something is wrong.
pub(crate) fn run(declaration: Option<&Path>, args: &DoctorArgs, session: &Session) -> Result<()> {
    let checkout = &session.checkout;
    if args.online && checkout.offline {
        return Err(NetworkForbidden { what: "`doctor --online`" }.into());
    }
    let found = checks(declaration, args, session)?;
    let text = match args.format {
        Format::Text => text(&found),
        Format::Json => {
            let view = serde_json::to_string_pretty(&json!({ "findings": found }));
            view.context("cannot write the findings as JSON")? + "\n"
        }
    };
    print_data(&text)?;
    match found.iter().filter(|finding| finding.verdict == Verdict::Wrong).count() {
        0 => Ok(()),
        wrong => bail!("{} found", counted(wrong, "problem")),
    }
}

fn checks(path: Option<&Path>, args: &DoctorArgs, session: &Session) -> Result<Vec<Finding>> {
    let checkout = &session.checkout;
    let mut found = machine(checkout);
    if args.online {
        found.push(registry(checkout));
    }
    let file = checkout.declaration(path);
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
    let folder = folder.unwrap_or_else(|| checkout.root.clone());
    found.extend(configuration(&folder, checkout, std::env::vars_os()));
    let declaration = Declaration::load(&file, checkout).map_err(Rejected);
    if let Ok(declaration) = &declaration {
        found.extend(storage(declaration, checkout)?);
    }
    let as_allowed = Checkout { offline: !args.online, ..checkout.clone() };
    let as_allowed = Session { checkout: as_allowed, shell: session.shell.clone() };
    let loaded = declaration.map_err(anyhow::Error::from).and_then(|_| load(path, &[], &as_allowed));
    match loaded {
        Ok(loaded) => found.extend(distribution(&loaded, checkout)?),
        Err(error) => match error.downcast_ref::<Rejected>() {
            Some(Rejected(diagnostics)) => found.extend(rejected(diagnostics)),
            None => return Err(error),
        },
    }
    Ok(found)
}

fn text(found: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { check, verdict, what, why, help } in found {
        let verdict = match verdict {
            Verdict::Fine => "fine",
            Verdict::Note => "note",
            Verdict::Wrong => "wrong",
        };
        writeln!(text, "{verdict:<6} {check}: {what}").expect("a String takes any text");
        for (title, more) in [("why", why), ("help", help)] {
            if let Some(more) = more {
                writeln!(text, "       {title}: {more}").expect("a String takes any text");
            }
        }
    }
    text
}
