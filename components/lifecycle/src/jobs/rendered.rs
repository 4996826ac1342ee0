//! Jobs as JSON, rendered once for each change of a job: listings are asked for much more often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use racetrack_store::{JobRecord, JobTable};

use super::JobView;

/// The jobs of a table as JSON, kept until they change.
#[derive(Debug, Default)]
pub(crate) struct RenderedJobs(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The table that the texts are of.
    table: Option<Arc<JobTable>>,
    texts: Arc<[Text]>,
}

/// A job and its JSON.
#[derive(Clone, Debug)]
struct Text {
    record: Arc<JobRecord>,
    json: Arc<str>,
}

impl RenderedJobs {
    /// The jobs that `is_wanted`, each as JSON.
    pub(crate) fn list(
        &self,
        table: &Arc<JobTable>,
        is_wanted: impl Fn(&JobRecord) -> bool,
    ) -> Vec<Arc<str>> {
        let texts = self.texts(table);
        texts.iter().filter(|text| is_wanted(&text.record)).map(|text| Arc::clone(&text.json)).collect()
    }

    fn texts(&self, table: &Arc<JobTable>) -> Arc<[Text]> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.table.as_ref().is_some_and(|of| Arc::ptr_eq(of, table)) {
            // The records are held here, so an address is that of the same record.
            let former: HashMap<_, _> =
                kept.texts.iter().map(|text| (Arc::as_ptr(&text.record), &text.json)).collect();
            let text = |record: &Arc<JobRecord>| {
                let json = former.get(&Arc::as_ptr(record)).map(|json| Arc::clone(json));
                Text { record: Arc::clone(record), json: json.unwrap_or_else(|| render(record)) }
            };
            kept.texts = table.as_slice().iter().map(text).collect();
            kept.table = Some(Arc::clone(table));
        }
        Arc::clone(&kept.texts)
    }
}

fn render(record: &JobRecord) -> Arc<str> {
    let json = serde_json::to_string(&JobView::from(record));
    json.expect("a job has texts and numbers only").into()
}
