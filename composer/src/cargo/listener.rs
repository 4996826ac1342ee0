//! What cargo and the compilers say during a build: handed on as it comes, and kept as far as it tells what was built and where a
//! failure comes from.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{Artifact, BuildScript, CompilerMessage, Message};

use super::output::{Piece, Splitter};
use crate::plan::binary_package;

/// How much of cargo's own text is kept to find out which plugin a failure comes from, in bytes.
const KEPT_OUTPUT: usize = 1024 * 1024;

/// What was said during a build, as far as it tells where a failure comes from.
#[derive(Debug, Default)]
pub struct Complaints {
    /// The warnings and errors of compilers.
    pub messages: Vec<CompilerMessage>,
    /// What build scripts asked for.
    pub build_scripts: Vec<BuildScript>,
    /// The end of what cargo itself said, with its styles.
    pub output: String,
}

/// What came out of a build.
#[derive(Default)]
pub(super) struct Heard {
    /// The binary of the component.
    pub(super) binary: Option<PathBuf>,
    /// Name and version of every package that something was built of.
    pub(super) packages: BTreeSet<(String, String)>,
    /// What was said.
    pub(super) complaints: Complaints,
}

/// The end of what cargo itself says, which is handed on as it comes.
pub(super) struct OwnWords<F> {
    text: Vec<u8>,
    show: F,
}

impl<F: FnMut(&[u8])> OwnWords<F> {
    /// Nothing was said yet; `show` hands on.
    pub(super) const fn new(show: F) -> Self {
        Self { text: Vec::new(), show }
    }

    /// Hands a text on, and keeps it.
    pub(super) fn pass_on(&mut self, text: &[u8]) {
        (self.show)(text);
        self.text.extend_from_slice(text);
        if self.text.len() > 2 * KEPT_OUTPUT {
            self.text.drain(..self.text.len() - KEPT_OUTPUT);
        }
    }

    /// The end of it.
    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Whether the last line, or one of the last `length` bytes, says that cargo begins with a package.
    fn says_compiling(&self, length: usize, package: &str) -> bool {
        let begin = self.text.len().saturating_sub(length);
        let line = self.text[..begin]
            .iter()
            .rposition(|byte| matches!(byte, b'\n' | b'\r'))
            .map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(&self.text[line..]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        plain.split(['\n', '\r']).any(|line| {
            let named =
                line.trim_start().strip_prefix("Compiling ").and_then(|rest| rest.strip_prefix(package));
            named.is_some_and(|rest| rest.starts_with(" v"))
        })
    }
}

/// How far a build is, as far as others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Milestone {
    /// Cargo works on crates.
    Begun,
    /// Every crate is there, and cargo works on the last one, the binary.
    LastCrate,
}

/// Hands on with `show` what cargo and the compilers say as it comes, and keeps what tells what was built and where a failure comes
/// from. Each milestone is reported once, when it is heard of; a build with nothing to compile does not reach the last one.
pub(super) fn listen(
    mut from: impl Read,
    component: &str,
    show: impl Fn(&[u8]),
    mut report: impl FnMut(Milestone),
) -> Result<Heard> {
    let package = binary_package(component);
    let mut heard = Heard::default();
    let mut words = OwnWords::new(&show);
    let mut splitter = Splitter::default();
    let mut buffer = [0; 8192];
    let (mut is_begun, mut is_last) = (false, false);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                for piece in splitter.feed(&buffer[..length]) {
                    match piece {
                        Piece::Text(text) => {
                            words.pass_on(&text);
                            if !is_last && words.says_compiling(text.len(), &package) {
                                is_last = true;
                                report(Milestone::LastCrate);
                            }
                        }
                        Piece::Message(message) => {
                            if let Message::CompilerMessage(said) = &*message {
                                show(said.message.rendered.as_deref().unwrap_or_default().as_bytes());
                            }
                            heard.take(*message, component)?;
                            if !is_begun {
                                is_begun = true;
                                report(Milestone::Begun);
                            }
                        }
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read what cargo says"),
        }
    }
    words.pass_on(&splitter.finish());
    heard.complaints.output = words.into_text();
    Ok(heard)
}

impl Heard {
    fn take(&mut self, message: Message, component: &str) -> Result<()> {
        match message {
            Message::CompilerMessage(message) => self.complaints.messages.push(message),
            Message::BuildScriptExecuted(script) => self.complaints.build_scripts.push(script),
            Message::CompilerArtifact(artifact) => {
                let title = name_and_version(&artifact.package_id.repr);
                self.packages
                    .insert(title.with_context(|| format!("cannot read `{}`", artifact.package_id))?);
                self.binary = binary_of(artifact, component).or_else(|| self.binary.take());
            }
            _ => {}
        }
        Ok(())
    }
}

fn binary_of(artifact: Artifact, component: &str) -> Option<PathBuf> {
    let is_ours = artifact.target.name == component
        && artifact.target.is_bin()
        && artifact.manifest_path.as_str().contains(component);
    artifact.executable.filter(|_| is_ours).map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf)
}

/// From `…/name#1.0.0` or `…#name@1.0.0`, the two forms of cargo's package ids.
pub fn name_and_version(id: &str) -> Option<(String, String)> {
    let (address, fragment) = id.rsplit_once('#')?;
    let last = || address.split('?').next()?.rsplit('/').next();
    let (name, version) = match fragment.rsplit_once('@') {
        Some((name, version)) => (name, version),
        None => (last()?, fragment),
    };
    Some((name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_name_packages() {
        let pair = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(
            name_and_version("registry+https://host.invalid/index#serde@1.0.0"),
            pair("serde", "1.0.0")
        );
        assert_eq!(
            name_and_version("path+file:///a/core#racetrack-core@0.1.0"),
            pair("racetrack-core", "0.1.0")
        );
        assert_eq!(name_and_version("path+file:///a/macros#0.1.0"), pair("macros", "0.1.0"));
        assert_eq!(name_and_version("git+https://host.invalid/x/y?rev=ab/c#1.0.0"), pair("y", "1.0.0"));
        assert_eq!(name_and_version("odd"), None);
    }

    #[test]
    fn milestones_are_reported_once_and_in_their_order() {
        let fresh = r#"{"reason":"build-finished","success":true}"#;
        let last = "\u{1b}[K\u{1b}[1m\u{1b}[92m   Compiling\u{1b}[0m racetrack-a-binary v0.0.0 (/x)\n";
        let others = "   Compiling racetrack-a v0.1.0\n    Building [==> ] 1/2: racetrack-a-binary v\r\
            warning: `racetrack-a-binary` v\n   Compiling racetrack-a-binary-x v1.0.0\n";
        let reported = |chunks: &[&str]| {
            let mut reported = Vec::new();
            let text = chunks.concat();
            listen(text.as_bytes(), "a", |_| {}, |milestone| reported.push(milestone)).unwrap();
            reported
        };
        assert_eq!(reported(&[others]), []);
        assert_eq!(reported(&[fresh, "\n", others, last, last]), [Milestone::Begun, Milestone::LastCrate]);
        assert_eq!(reported(&[others, last]), [Milestone::LastCrate]);
    }

    #[test]
    fn a_status_line_is_heard_wherever_it_is_cut() {
        let line = "    Building [=> ] 1/2\r\u{1b}[1m   Compiling\u{1b}[0m racetrack-a-binary v0.0.0";
        for cut in 0..line.len() {
            let mut words = OwnWords::new(|_: &[u8]| {});
            let heard = [&line[..cut], &line[cut..]].map(|part| {
                words.pass_on(part.as_bytes());
                words.says_compiling(part.len(), "racetrack-a-binary")
            });
            assert!(heard[1] && (!heard[0] || cut + 5 >= line.len()), "{cut}: {heard:?}");
        }
    }
}
