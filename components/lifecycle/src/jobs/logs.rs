//! What jobs and builds wrote.

use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_store::JobRecord;

use crate::App;
use crate::auth::BuildPath;
use crate::deployment::DeploymentError;
use crate::request_error::RequestError;

/// The last lines that a job wrote; 0 means all there are. At most [`TextLimit::LOG`] of them is given.
pub(crate) async fn of_job(app: &App, record: &JobRecord, tail: usize) -> Result<String, RequestError> {
    let target = app.target(record.job.infrastructure_target.as_deref().unwrap_or_default())?;
    let logs = target.read_recent_logs(&record.job, tail).await;
    Ok(logs.map_err(DeploymentError::Logs)?)
}

/// The last lines of the latest build of a version; 0 means all there are. At most [`TextLimit::LOG`] of them is given.
pub(crate) async fn of_build(app: &App, build: &BuildPath, tail: usize) -> Result<String, RequestError> {
    let BuildPath { name, version } = build;
    let logs = app.store.latest_build_logs(name, version).await?;
    Ok(BoundedText::end_of(last_lines(logs.unwrap_or_default(), tail), TextLimit::LOG).into())
}

/// A text without what colours it in a terminal.
pub(crate) fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let parameters = part.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        match part[parameters..].strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\u{1b}[", part]),
        }
    }
    plain
}

fn last_lines(mut text: String, lines: usize) -> String {
    if lines == 0 {
        return text;
    }
    let body = text.strip_suffix('\n').unwrap_or(&text);
    if let Some((begin, _)) = body.rmatch_indices('\n').nth(lines - 1) {
        text.drain(..=begin);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        let tail = |text: &str, lines| last_lines(text.to_owned(), lines);
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 1), "c");
        assert_eq!(tail("a\nb\nc\n", 3), "a\nb\nc\n");
        assert_eq!(tail("a\nb\nc\n", 9), "a\nb\nc\n");
        assert_eq!(tail("a\n\nc\n", 2), "\nc\n");
        assert_eq!(tail("a\nb", 0), "a\nb");
        assert_eq!(tail("", 1), "");
    }

    #[test]
    fn colours_go_and_all_else_stays() {
        assert_eq!(without_colours("\u{1b}[1;31mred\u{1b}[0m \u{1b}[mplain"), "red plain");
        assert_eq!(without_colours("\u{1b}[2Kcleared \u{1b}[31"), "\u{1b}[2Kcleared \u{1b}[31");
        assert_eq!(without_colours("é\u{1b}[32mü"), "éü");
    }
}
