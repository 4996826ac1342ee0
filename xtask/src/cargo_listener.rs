//! What cargo and the compilers say during a build: handed on as it comes, and kept as far as it tells what was built and where a
//! failure comes from.

use std::collections::BTreeSet;
use std::io::{PipeReader, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{Artifact, BuildScript, CompilerMessage, Message};
use racetrack_launcher::heartbeat::Heartbeat;

use crate::cargo_output::{Piece, Splitter};
use crate::shell::Shell;

/// How much of cargo's own text is kept to find out which plugin a failure comes from, in bytes.
const KEPT_OUTPUT: usize = 1024 * 1024;

/// What was said during a build, as far as it tells where a failure comes from.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    /// The warnings and errors of compilers.
    pub(crate) messages: Vec<CompilerMessage>,
    /// What build scripts asked for.
    pub(crate) build_scripts: Vec<BuildScript>,
    /// The end of what cargo itself said, with its styles.
    pub(crate) output: String,
}

/// What came out of a build.
#[derive(Default)]
pub(crate) struct Heard {
    /// The binary of the component.
    pub(crate) binary: Option<PathBuf>,
    /// Name and version of every package that something was built of.
    pub(crate) packages: BTreeSet<(String, String)>,
    /// What was said.
    pub(crate) complaints: Complaints,
}

/// The end of what cargo itself says, which is handed on as it comes.
pub(crate) struct Kept<'a> {
    text: Vec<u8>,
    heartbeat: Option<&'a Heartbeat>,
}

impl<'a> Kept<'a> {
    /// Nothing was said yet.
    pub(crate) const fn new(heartbeat: Option<&'a Heartbeat>) -> Self {
        Self { text: Vec::new(), heartbeat }
    }

    /// Hands a text on, and keeps it.
    pub(crate) fn pass_on(&mut self, text: &[u8]) {
        self.show(text);
        self.text.extend_from_slice(text);
        if self.text.len() > 2 * KEPT_OUTPUT {
            self.text.drain(..self.text.len() - KEPT_OUTPUT);
        }
    }

    fn show(&self, text: &[u8]) {
        match self.heartbeat {
            Some(heartbeat) => heartbeat.pass_on(text),
            None => Shell::pass_on(text),
        }
    }

    /// The end of it.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// Hands on what cargo and the compilers say as it comes, and keeps what tells what was built and where a failure comes
/// from.
pub(crate) fn listen(mut from: PipeReader, component: &str, heartbeat: Option<&Heartbeat>) -> Result<Heard> {
    let mut heard = Heard::default();
    let mut kept = Kept::new(heartbeat);
    let mut splitter = Splitter::default();
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                for piece in splitter.feed(&buffer[..length]) {
                    match piece {
                        Piece::Text(text) => kept.pass_on(&text),
                        Piece::Message(message) => {
                            if let Message::CompilerMessage(said) = &*message {
                                kept.show(said.message.rendered.as_deref().unwrap_or_default().as_bytes());
                            }
                            heard.take(*message, component)?;
                        }
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read what cargo says"),
        }
    }
    kept.pass_on(&splitter.finish());
    heard.complaints.output = kept.into_text();
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
pub(crate) fn name_and_version(id: &str) -> Option<(String, String)> {
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
}
