//! What a run of all sections took: a line for each section, and the slowest tests.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err as fs;

/// How many of the slowest tests are shown.
const SHOWN: usize = 20;

/// How a section ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// It could not run here.
    Skipped,
}

/// A section that is over.
#[derive(Clone, Debug)]
pub(crate) struct SectionReport {
    /// What it is called.
    pub(crate) title: &'static str,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// What it took.
    pub(crate) time: Duration,
}

/// The tests that took longest, in seconds, slowest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Slowest(Vec<(String, f64)>);

impl Slowest {
    /// Reads the report that nextest writes in the form of `JUnit`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        Self::parse(&text).with_context(|| format!("cannot read {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let document = roxmltree::Document::parse(text).context("it is not XML")?;
        let read = |node: roxmltree::Node<'_, '_>| {
            let [package, name, time] = ["classname", "name", "time"].map(|key| node.attribute(key));
            Some((format!("{} {}", package?, name?), time?.parse::<f64>().ok()?))
        };
        let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
        let mut tests = cases
            .map(|node| read(node).context("a test has no name or no time"))
            .collect::<Result<Vec<_>>>()?;
        tests.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        tests.truncate(SHOWN);
        Ok(Self(tests))
    }
}

/// Both as text, with the sum of all sections.
pub(crate) fn table(sections: &[SectionReport], slowest: Option<&Slowest>) -> String {
    let mut text = String::from("\n    time  section\n");
    let mut line = |time: Duration, rest: &str| {
        writeln!(text, "{:>6} s  {rest}", time.as_secs()).expect("a String takes any text");
    };
    for section in sections {
        let outcome = match section.outcome {
            Outcome::Passed => "",
            Outcome::Failed => ": FAILED",
            Outcome::Skipped => ": skipped",
        };
        line(section.time, &format!("{}{outcome}", section.title));
    }
    line(sections.iter().map(|section| section.time).sum(), "in all");
    if let Some(Slowest(tests)) = slowest.filter(|slowest| !slowest.0.is_empty()) {
        writeln!(text, "\n    time  the {} slowest tests", tests.len()).expect("a String takes any text");
        for (name, seconds) in tests {
            writeln!(text, "{seconds:>6.1} s  {name}").expect("a String takes any text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_the_slowest_tests_are_shown() {
        let junit = "<?xml version=\"1.0\"?><testsuites><testsuite name=\"s\">\
                     <testcase name=\"fast\" classname=\"a::it\" time=\"0.012\"/>\
                     <testcase name=\"slow&lt;1&gt;\" classname=\"b\" time=\"61.500\"><failure/></testcase>\
                     </testsuite></testsuites>";
        let slowest = Slowest::parse(junit).unwrap();
        let section =
            |title, outcome, seconds| SectionReport { title, outcome, time: Duration::from_secs(seconds) };
        let sections = [
            section("format", Outcome::Passed, 1),
            section("tests", Outcome::Failed, 700),
            section("licences", Outcome::Skipped, 0),
        ];
        insta::assert_snapshot!(table(&sections, Some(&slowest)), @r"

            time  section
             1 s  format
           700 s  tests: FAILED
             0 s  licences: skipped
           701 s  in all

            time  the 2 slowest tests
          61.5 s  b slow<1>
           0.0 s  a::it fast
        ");
        assert!(Slowest::parse("no XML").is_err());
    }
}
