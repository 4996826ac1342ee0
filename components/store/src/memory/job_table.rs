//! Every job, in memory.

use std::sync::Arc;

use racetrack_core::{JobStatus, Version};

use super::version_alias::{VersionAlias, fits};
use crate::database::reader::Reader;
use crate::error::{NotFound, StoreError, attempt};
use crate::records::job::JobRecord;
use crate::records::job_row;

/// Every job, sorted by name and then by version.
///
/// From one table to the next, a job that no write touched stays the same [`Arc`]: what is made of it can be
/// kept for as long as that [`Arc`] is held.
#[derive(Clone, Debug, Default)]
pub struct JobTable {
    rows: Vec<Arc<JobRecord>>,
}

impl JobTable {
    pub(crate) async fn load(reader: &Reader) -> Result<Self, StoreError> {
        let records = job_row::all(reader).await.map_err(attempt("list the jobs"))?;
        Ok(records.into_iter().collect())
    }

    /// The jobs, sorted by name and then by version.
    pub fn as_slice(&self) -> &[Arc<JobRecord>] {
        &self.rows
    }

    /// The versions of one job, lowest first.
    pub fn versions(&self, name: &str) -> &[Arc<JobRecord>] {
        let start = self.rows.partition_point(|row| row.job.name.as_str() < name);
        let count = self.rows[start..].partition_point(|row| row.job.name == name);
        &self.rows[start..start + count]
    }

    /// The job of exactly this version, whatever its status.
    pub fn get(&self, name: &str, version: &str) -> Result<&Arc<JobRecord>, NotFound> {
        let found = self.versions(name).iter().find(|row| row.job.version == version);
        found.ok_or_else(|| self.missing(name, version))
    }

    /// The job that an address means: `latest` is the highest stable version, a wildcard such as `2.x` the
    /// highest stable one that fits, among those that are up or were (running, in error, or lost). Anything
    /// else is an exact version.
    pub fn resolve(&self, name: &str, version_or_alias: &str) -> Result<&Arc<JobRecord>, NotFound> {
        let alias = VersionAlias::parse(version_or_alias);
        if let VersionAlias::Exact(version) = alias {
            return self.get(name, version);
        }
        let versions = self.versions(name);
        if versions.is_empty() {
            return Err(NotFound::JobName { name: name.to_owned() });
        }
        let mut highest_first = versions.iter().rev().filter(|row| is_candidate(row));
        match alias {
            VersionAlias::Wildcard(pattern) => highest_first
                .find(|row| fits(pattern, &row.job.version))
                .ok_or_else(|| NotFound::MatchingVersion { pattern: pattern.to_owned() }),
            _ => highest_first.next().ok_or(NotFound::StableVersion),
        }
    }

    /// Why there is no such version.
    pub(crate) fn missing(&self, name: &str, version: &str) -> NotFound {
        let name = name.to_owned();
        if self.versions(&name).is_empty() {
            NotFound::JobName { name }
        } else {
            NotFound::JobVersion { name, version: version.to_owned() }
        }
    }

    /// Puts a job in its place, in place of the one of its version.
    pub(crate) fn put(&mut self, record: Arc<JobRecord>) {
        match self.position(&record.job.name, &record.job.version) {
            Ok(at) => self.rows[at] = record,
            Err(at) => self.rows.insert(at, record),
        }
    }

    /// Takes out the job of exactly this version, if it is there.
    pub(crate) fn remove(&mut self, name: &str, version: &str) {
        if let Ok(at) = self.position(name, version) {
            self.rows.remove(at);
        }
    }

    /// Where the job of this version is, or else where it belongs.
    fn position(&self, name: &str, version: &str) -> Result<usize, usize> {
        let key = sort_key(name, version);
        self.rows.binary_search_by(|row| sort_key(&row.job.name, &row.job.version).cmp(&key))
    }
}

impl FromIterator<JobRecord> for JobTable {
    fn from_iter<I: IntoIterator<Item = JobRecord>>(records: I) -> Self {
        let mut rows: Vec<Arc<JobRecord>> = records.into_iter().map(Arc::new).collect();
        rows.sort_by_cached_key(|row| {
            let (name, version, text) = sort_key(&row.job.name, &row.job.version);
            (name.to_owned(), version, text.to_owned())
        });
        Self { rows }
    }
}

/// What the rows are sorted by. A version that is not of the usual form comes before the others.
fn sort_key<'a>(name: &'a str, version: &'a str) -> (&'a str, Option<Version>, &'a str) {
    (name, version.parse().ok(), version)
}

/// Whether an alias may mean this job.
fn is_candidate(row: &JobRecord) -> bool {
    let is_up_or_was = match row.job.status {
        JobStatus::Running | JobStatus::Error | JobStatus::Lost => true,
        JobStatus::Starting | JobStatus::Orphaned => false,
    };
    is_up_or_was && row.job.version.parse().is_ok_and(|version: Version| version.is_stable())
}

#[cfg(test)]
mod tests {
    use racetrack_core::Job;

    use super::*;

    fn table(rows: &[(&str, &str, JobStatus)]) -> JobTable {
        let record = |&(name, version, status): &(&str, &str, JobStatus)| JobRecord {
            id: format!("{name} {version}"),
            job: Job::new(name, version, status, 0),
            image_names: Vec::new(),
            is_stale: false,
            deployment_id: None,
        };
        rows.iter().map(record).collect()
    }

    fn resolved(table: &JobTable, name: &str, alias: &str) -> String {
        table.resolve(name, alias).map_or_else(|error| error.to_string(), |row| row.job.version.clone())
    }

    #[test]
    fn aliases_mean_the_highest_stable_version() {
        use JobStatus::{Error, Lost, Running, Starting};
        let table = table(&[
            ("adder", "2.0.10", Error),
            ("adder", "2.0.9", Running),
            ("adder", "20.0.4", Lost),
            ("adder", "21.0.0", Starting),
            ("adder", "22.0.0-alpha", Running),
            ("adder2", "30.0.0", Running),
            ("beta", "1.0.0-rc1", Running),
            ("draft", "1.0.0", Starting),
        ]);
        let cases = [
            ("adder", "latest", "20.0.4"),
            ("adder", "2.x", "2.0.10"),
            ("adder", "2.x.9", "2.0.9"),
            ("adder", "21.0.0", "21.0.0"),
            ("adder", "3.x", "Not found any stable version matching pattern: 3.x"),
            ("adder", "9.9.9", "No job named adder with version 9.9.9"),
            ("beta", "latest", "No stable version found"),
            ("draft", "latest", "No stable version found"),
            ("add", "latest", "No job named add"),
            ("add", "1.0.0", "No job named add"),
        ];
        for (name, alias, expected) in cases {
            assert_eq!(resolved(&table, name, alias), expected, "{name} {alias}");
        }
    }

    #[test]
    fn order_is_by_name_then_by_version() {
        let up = JobStatus::Running;
        let table = table(&[("b", "1.0.0", up), ("a", "1.10.0", up), ("a", "1.9.0", up), ("a", "odd", up)]);
        let order: Vec<&str> = table.as_slice().iter().map(|row| row.id.as_str()).collect();
        assert_eq!(order, ["a odd", "a 1.9.0", "a 1.10.0", "b 1.0.0"]);
    }

    #[test]
    fn a_row_goes_where_sorting_would_put_it() {
        let up = JobStatus::Running;
        let rows =
            [("b", "1.0.0", up), ("a", "1.10.0", up), ("a", "1.9.0", up), ("a", "odd", up), ("c", "2", up)];
        let mut grown = JobTable::default();
        for (index, row) in rows.iter().enumerate() {
            for record in table(&[*row]).rows {
                grown.put(record);
            }
            assert_eq!(grown.as_slice(), table(&rows[..=index]).as_slice());
        }
        for (index, (name, version, _)) in rows.iter().enumerate() {
            grown.remove(name, "9.9.9");
            grown.remove(name, version);
            assert_eq!(grown.as_slice(), table(&rows[index + 1..]).as_slice());
        }
    }
}
