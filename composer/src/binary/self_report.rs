//! What a finished binary says about its plugins, compared with the plan.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::description::Embedded;
use crate::plan::{PlannedComponent, PlannedPlugin};

/// How long a binary may take to list its plugins.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Variables a binary may need to start at all.
const PASSED_ON: [&str; 4] = ["PATH", "SYSTEMROOT", "TEMP", "TMPDIR"];

/// The answer of `<binary> plugins --format json`; it may say more.
#[derive(Debug, Deserialize)]
pub struct SelfReport {
    plugins: Vec<ReportedPlugin>,
    hooks: BTreeMap<String, Vec<ReportedPlugin>>,
    description: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct ReportedPlugin {
    name: String,
    version: String,
}

/// Asks a binary for its plugins.
pub fn ask(binary: &Path) -> Result<SelfReport> {
    let mut command = Command::new(binary);
    // The settings of a running component are not ours to read.
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let mut child = command
        .args(["plugins", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let mut stdout = child.stdout.take().expect("the output was asked for");
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more when the time limit has passed.
        let _ = tx.send(read);
    });
    let Ok(answer) = rx.recv_timeout(TIME_LIMIT) else {
        child.kill().context("cannot stop the binary")?;
        child.wait().context("cannot wait for the binary")?;
        bail!("the binary did not list its plugins within {} s", TIME_LIMIT.as_secs());
    };
    let status = child.wait().context("cannot wait for the binary")?;
    if !status.success() {
        bail!("the binary failed to list its plugins: {status}");
    }
    serde_json::from_str(&answer.context("cannot read the answer of the binary")?)
        .context("the binary lists its plugins in a form that was not expected")
}

/// Refuses a binary that does not hold exactly the planned plugins with exactly the planned call order, or that describes
/// itself otherwise than its sections do.
pub fn compare(report: &SelfReport, component: &PlannedComponent, embedded: &Embedded) -> Result<()> {
    let document: Value =
        serde_json::from_slice(&embedded.document).context("the self-description is no JSON")?;
    ensure!(
        report.description.as_ref() == Some(&document),
        "the binary does not print the self-description that it was built with"
    );
    let titles_of =
        |plugins: Vec<&PlannedPlugin>| plugins.into_iter().map(PlannedPlugin::title).collect::<Vec<_>>();
    let planned = titles_of(component.plugins.iter().map(|plugin| &**plugin).collect());
    differ("plugins", &titles(&report.plugins), &planned)?;
    let mut planned_hooks = component.hooks();
    for (hook, reported) in &report.hooks {
        let planned = planned_hooks.remove(hook.as_str()).unwrap_or_default();
        differ(&format!("hook `{hook}`"), &titles(reported), &titles_of(planned))?;
    }
    for (hook, planned) in planned_hooks {
        differ(&format!("hook `{hook}`"), &[], &titles_of(planned))?;
    }
    Ok(())
}

fn titles(plugins: &[ReportedPlugin]) -> Vec<String> {
    plugins.iter().map(|plugin| format!("`{}` {}", plugin.name, plugin.version)).collect()
}

fn differ(what: &str, found: &[String], planned: &[String]) -> Result<()> {
    if let Some(missing) = planned.iter().find(|plugin| !found.contains(plugin)) {
        bail!("{what}: plugin {missing} is planned, but the binary does not hold it");
    }
    if let Some(extra) = found.iter().find(|plugin| !planned.contains(plugin)) {
        bail!("{what}: the binary holds plugin {extra}, which is not planned");
    }
    if found.len() != planned.len() {
        bail!("{what}: the binary lists a plugin more than once: {}", found.join(", "));
    }
    if let Some((found, planned)) = found.iter().zip(planned).find(|(found, planned)| found != planned) {
        bail!("{what}: the binary calls plugin {found} where {planned} is planned");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(found: &[&str], planned: &[&str]) -> Option<String> {
        let owned = |titles: &[&str]| titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>();
        differ("plugins", &owned(found), &owned(planned)).err().map(|error| error.to_string())
    }

    #[test]
    fn each_difference_names_its_plugin() {
        assert_eq!(message(&["a", "b"], &["a", "b"]), None);
        assert_eq!(
            message(&["a"], &["a", "b"]).unwrap(),
            "plugins: plugin b is planned, but the binary does not hold it"
        );
        assert_eq!(
            message(&["a", "b"], &["a"]).unwrap(),
            "plugins: the binary holds plugin b, which is not planned"
        );
        assert_eq!(
            message(&["a", "a"], &["a"]).unwrap(),
            "plugins: the binary lists a plugin more than once: a, a"
        );
        assert_eq!(
            message(&["b", "a"], &["a", "b"]).unwrap(),
            "plugins: the binary calls plugin b where a is planned"
        );
    }
}
