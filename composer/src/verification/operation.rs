//! The verification: a second build, from a copy under other circumstances, gives the same bytes.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::difference::first_difference;
use super::second_checkout::{Circumstances, SecondCheckout};
use super::subject::Subject;
use crate::build::{BuildRequest, Distribution, build};
use crate::session::Session;

/// What a verification that succeeds leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// The copies of the checkout.
    Copies,
    /// Nothing.
    Nothing,
}

/// A binary of the first build.
struct FirstBinary {
    component: String,
    /// Its name in the output folder.
    file: OsString,
    content: Vec<u8>,
}

/// Builds the declared components, or the selected ones, twice and compares the binaries.
pub fn verify(request: &BuildRequest, remains: Remains, session: &Session) -> Result<()> {
    let session = &request.session(session)?;
    let Session { checkout, shell } = session;
    let first = build(request, session)?;
    let subject = Subject::open(request, session)?;
    let first = read(&first)?;
    SecondCheckout::remove_all(&subject.declaration)?;
    let second = subject.build_again(Circumstances::Other)?;
    let mut different = Vec::new();
    for binary in &first {
        let (one, other) = (&binary.content, subject.binary(&second, &binary.file)?);
        let component = &binary.component;
        if *one == other {
            let digest = blake3::hash(one).to_hex();
            let length = one.len();
            shell
                .status("Verified", format_args!("component `{component}`: {length} bytes, BLAKE3 {digest}"));
        } else {
            different.push((binary, first_difference(one, &other)));
        }
    }
    if !different.is_empty() {
        // What the first build used may be left from other declarations, so its crates are no ground for blame.
        let third = subject.build_again(Circumstances::Present)?;
        for (binary, difference) in &different {
            let component = &binary.component;
            shell.problem(format_args!("component `{component}` differs{difference}"));
            if subject.binary(&second, &binary.file)? == subject.binary(&third, &binary.file)? {
                let reason = "a clean build is the same each time; something is left from an earlier one: remove .racetrack/build";
                shell.reason(component, reason);
            } else {
                subject.blame(component, &second, &third)?;
            }
        }
        let kept = SecondCheckout::folder_of(&subject.declaration);
        let names: Vec<_> = different.iter().map(|(binary, _)| binary.component.as_str()).collect();
        bail!("not reproducible: {}; the copies are kept in {}", names.join(", "), checkout.display(&kept));
    }
    match remains {
        Remains::Copies => Ok(()),
        Remains::Nothing => SecondCheckout::remove_all(&subject.declaration),
    }
}

/// What the first build gave. Another build replaces it as soon as nobody has the lock of the declaration.
fn read(first: &Distribution) -> Result<Vec<FirstBinary>> {
    let binaries = first.binaries.iter().map(|(component, path)| {
        let file = path.file_name().context("a binary has a name")?.to_owned();
        Ok(FirstBinary { component: component.clone(), file, content: fs::read(path)? })
    });
    binaries.collect()
}
