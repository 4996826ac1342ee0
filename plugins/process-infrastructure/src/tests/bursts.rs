//! Jobs that write and say more than anybody wants to know.

use racetrack_core::text::TextLimit;

use super::*;

/// As [`QUICK`], with logs that are rotated soon.
fn small_logs() -> String {
    format!("{QUICK}, log-file-size: 64Ki, log-files: 3")
}

fn sizes_of_logs(sandbox: &Sandbox) -> Vec<u64> {
    let logs =
        files_below(&sandbox.state()).into_iter().filter(|path| path.to_string_lossy().contains(".log"));
    logs.map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len())).collect()
}

fn wanted<'a>(mode: &'a str) -> Wanted<'a> {
    Wanted { name: "adder", timestamp: 7, mode, ..Wanted::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_leaves_small_files_with_the_newest_lines() {
    let sandbox = Sandbox::with_settings(&small_logs());
    let job = sandbox.bring_up(&wanted("")).await.unwrap();
    ask(&job, "/write-lines/60000000").await;
    until("the files are small", async || {
        let sizes = sizes_of_logs(&sandbox);
        sizes.len() <= 3 && sizes.iter().all(|size| *size <= 2 * 64 * 1024)
    })
    .await;
    let all = sandbox.target().read_recent_logs(&job, 0).await.unwrap();
    assert!(all.ends_with("the same line once more\nthe last line\n"));
    assert!(all.len() > 64 * 1024, "what fits is kept: {}", all.len());
    assert_eq!(sandbox.target().read_recent_logs(&job, 1).await.unwrap(), "the last line\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_lifecycle_was_down_is_rotated_when_it_is_back() {
    let mut sandbox = Sandbox::with_settings(&small_logs());
    let job = sandbox.bring_up(&wanted("")).await.unwrap();
    sandbox.plugin = None;
    ask(&job, "/write-lines/24000000").await;
    assert!(sizes_of_logs(&sandbox).iter().sum::<u64>() > 23_000_000, "the job is not held up");
    sandbox.restart();
    sandbox.listed().await;
    until("the files are small", async || sizes_of_logs(&sandbox).iter().sum::<u64>() < 400_000).await;
    assert_eq!(sandbox.target().read_recent_logs(&job, 1).await.unwrap(), "the last line\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_answered_in_part() {
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, log-file-size: 100Mi"));
    let job = sandbox.bring_up(&wanted("")).await.unwrap();
    ask(&job, "/write/20000000").await;
    for lines in [1, 999_999_999, 0] {
        let text = sandbox.target().read_recent_logs(&job, lines).await.unwrap();
        assert!(text.len() <= TextLimit::LOG.get() && text.len() > TextLimit::LOG.get() - 100);
        let (mark, rest) = text.split_at(text.find(']').unwrap() + 1);
        // The line before it, `starting`, is of 9 bytes.
        let asked = if lines == 1 { 20_000_000 } else { 20_000_009 };
        assert_eq!(mark, format!("[… {} bytes left out …]", asked - rest.len()));
        assert!(rest.bytes().all(|byte| byte == b'x'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_loud_job_is_told_in_few_words() {
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, log-file-size: 100Mi"));
    let error = sandbox.bring_up(&wanted("crash-loudly")).await.unwrap_err();
    assert!(
        error.starts_with("Cluster error: can't reach Job: the process exited with code 3\nJob logs:\n"),
        "{}",
        &error[..200]
    );
    assert!(error.len() < TextLimit::FAILURE.get(), "{}", error.len());
    assert!(error.contains(" bytes left out …]xxx") && error.ends_with("xxx"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_turns_bad_says_why_in_few_words() {
    let sandbox = Sandbox::new();
    let job = sandbox.bring_up(&wanted("turns-bad")).await.unwrap();
    ask(&job, "/turn-bad").await;
    let listed = sandbox.listed().await.remove(0);
    assert_eq!(listed.status, racetrack_core::JobStatus::Error);
    let error = listed.error.unwrap();
    assert!(error.starts_with("Job initialization error: ") && error.contains("begineee"), "{error}");
    assert!(error.len() < TextLimit::NOTE.get(), "{}", error.len());
}
