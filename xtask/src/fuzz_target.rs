//! The fuzz targets, and what libFuzzer says of a run.

use clap::ValueEnum;

/// What is fed with bytes of nobody's making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FuzzTarget {
    /// A ZIP bundle of a plugin.
    Archive,
    /// The source of a job as it comes with a request.
    BuildContext,
    /// A racetrack.toml, and edits of it.
    Declaration,
    /// A job.yaml.
    JobManifest,
    /// A plugin-manifest.yaml.
    PluginManifest,
    /// The path and the headers of a call of a job.
    Proxy,
}

impl FuzzTarget {
    /// The name of its binary, and of the folder with its inputs.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no target is skipped").get_name().to_owned()
    }
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// How many inputs were tried.
    pub(crate) executions: u64,
    /// How many edges of the code were reached.
    pub(crate) coverage: u64,
}

impl Statistics {
    /// Takes in a line that libFuzzer prints: `#1234 pulse  cov: 56 ft: 78 …`, or `stat::number_of_executed_units: 1234`.
    pub(crate) fn read(&mut self, line: &str) {
        let number = |text: &str| text.split_whitespace().next()?.parse().ok();
        let executions =
            line.strip_prefix('#').or_else(|| line.strip_prefix("stat::number_of_executed_units:"));
        self.executions = executions.and_then(number).unwrap_or(self.executions);
        let coverage = line.split_once(" cov: ").and_then(|(_, rest)| number(rest));
        self.coverage = coverage.unwrap_or(self.coverage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_a_binary_and_inputs() {
        let fuzz = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz");
        let manifest: toml::Table =
            fs_err::read_to_string(format!("{fuzz}/Cargo.toml")).unwrap().parse().unwrap();
        let binaries = manifest["bin"].as_array().unwrap().iter();
        let binaries: Vec<_> = binaries.map(|binary| binary["name"].as_str().unwrap()).collect();
        let targets: Vec<_> = FuzzTarget::value_variants().iter().map(|target| target.name()).collect();
        assert_eq!(binaries, targets);
        for target in targets {
            assert!(fs_err::read_dir(format!("{fuzz}/corpus/{target}")).unwrap().count() > 0, "{target}");
        }
    }

    #[test]
    fn statistics_are_those_of_the_last_line() {
        let mut found = Statistics::default();
        for line in [
            "INFO: seed corpus: files: 9",
            "#10\tINITED cov: 100 ft: 200 corp: 5/1Kb exec/s: 0 rss: 50Mb",
            "#2048\tpulse  cov: 120 ft: 240 corp: 9/2Kb",
            "==1== ERROR: libFuzzer: deadly signal",
            "stat::number_of_executed_units: 3000",
        ] {
            found.read(line);
        }
        assert_eq!(found, Statistics { executions: 3000, coverage: 120 });
    }
}
