//! Reading and following logs.

use std::sync::Mutex;

use racetrack_core::{LogsSession, LogsStreamer, OnLine};
use tokio::sync::{Semaphore, mpsc};

use super::*;

fn session(id: &str, tail: Option<usize>) -> LogsSession {
    let mut session = LogsSession::new(id, "adder", "0.0.1");
    session.tail = tail;
    session
}

fn to_channel() -> (OnLine, mpsc::UnboundedReceiver<String>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let on_line = move |line| -> futures_util::future::BoxFuture<'static, ()> {
        // A closed session may still be handing out a line.
        drop(tx.send(line));
        Box::pin(async {})
    };
    (Arc::new(on_line), rx)
}

async fn next(lines: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(LONGEST_WAIT, lines.recv())
        .await
        .expect("a line comes")
        .expect("the session is open")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_lines_and_bad_bytes_are_read_and_followed() {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    let (on_line, mut lines) = to_channel();
    // A reader may be there before the job.
    target.create_session(session("early", None), on_line).await.unwrap();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "many-lines", ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();

    let all = target.read_recent_logs(&job, 0).await.unwrap();
    assert_eq!(all.lines().count(), 10_002);
    let last = target.read_recent_logs(&job, 2).await.unwrap();
    assert_eq!(last, "line 9999\nbad \u{fffd} byte\n");

    assert_eq!(next(&mut lines).await, "starting");
    for number in 0..10_000 {
        assert_eq!(next(&mut lines).await, format!("line {number}"));
    }
    assert_eq!(next(&mut lines).await, "bad \u{fffd} byte");
    ask(&job, "/print/hello").await;
    assert_eq!(next(&mut lines).await, "hello");

    let (on_line, mut late_lines) = to_channel();
    target.create_session(session("late", Some(2)), on_line).await.unwrap();
    ask(&job, "/print/again").await;
    for expected in ["bad \u{fffd} byte", "hello", "again"] {
        assert_eq!(next(&mut late_lines).await, expected);
    }
    assert_eq!(next(&mut lines).await, "again");
    target.close_session("early").await.unwrap();
    target.close_session("early").await.unwrap();
    target.close_session("unknown").await.unwrap();
    assert!(tokio::time::timeout(LONGEST_WAIT, lines.recv()).await.unwrap().is_none(), "the session is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_a_long_line_end_between_characters() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let (on_line, mut lines) = to_channel();
    sandbox.target().create_session(session("a", None), on_line).await.unwrap();
    ask(&job, "/print-e-acute/100000").await;
    ask(&job, "/print/end").await;
    let mut followed = String::new();
    loop {
        let line = next(&mut lines).await;
        if line == "end" {
            break;
        }
        followed.push_str(&line);
    }
    assert_eq!(followed, format!("x{}", "é".repeat(100_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_asks_for_too_much_begins_later_and_hears_of_it() {
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, log-file-size: 100Mi"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    ask(&job, "/print-e-acute/4000000").await;
    let (on_line, mut lines) = to_channel();
    sandbox.target().create_session(session("a", Some(1_000_000)), on_line).await.unwrap();
    let mark = next(&mut lines).await;
    ask(&job, "/print/end").await;
    let mut followed = 0;
    loop {
        let line = next(&mut lines).await;
        if line == "end" {
            break;
        }
        assert!(line.chars().all(|character| character == 'é'));
        followed += line.len();
    }
    assert!(followed <= 4 * 1024 * 1024);
    // Before it: `starting`, `x` and two line breaks.
    assert_eq!(mark, format!("[… {} bytes left out …]", 8_000_000 + 10 - followed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_follows_the_job_to_its_next_instance() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let (on_line, mut lines) = to_channel();
    sandbox.target().create_session(session("a", Some(1)), on_line).await.unwrap();
    assert_eq!(next(&mut lines).await, "starting");
    ask(&job, "/print/old").await;
    assert_eq!(next(&mut lines).await, "old");
    let job = sandbox.bring_up(&Wanted { timestamp: 8, ..wanted }).await.unwrap();
    ask(&job, "/print/new").await;
    assert_eq!(next(&mut lines).await, "starting");
    assert_eq!(next(&mut lines).await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_several_replicas_tell_whose_they_are() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, manifest: "replicas: 2\n", ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let (on_line, mut lines) = to_channel();
    sandbox.target().create_session(session("a", None), on_line).await.unwrap();
    for (index, internal_name) in job.replica_internal_names.iter().enumerate() {
        let path = format!("/print/from-{index}");
        crate::instance::http::get(port_of(internal_name), &path, 1024, LONGEST_WAIT).await.unwrap();
        assert_eq!(next(&mut lines).await, format!("[{index}] from-{index}"));
    }
    let recent = sandbox.target().read_recent_logs(&job, 1).await.unwrap();
    assert_eq!(recent, "[0] from-0\n[1] from-1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_waited_for_and_holds_up_nobody() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "many-lines", ..Wanted::default() };
    sandbox.bring_up(&wanted).await.unwrap();
    let (permits, taken) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (slow_permits, slow_taken) = (Arc::clone(&permits), Arc::clone(&taken));
    let slow: OnLine = Arc::new(move |line| {
        slow_taken.lock().unwrap().push(line);
        let permits = Arc::clone(&slow_permits);
        Box::pin(async move { permits.acquire().await.unwrap().forget() })
    });
    sandbox.target().create_session(session("slow", Some(10)), slow).await.unwrap();
    let (on_line, mut lines) = to_channel();
    sandbox.target().create_session(session("quick", Some(10)), on_line).await.unwrap();
    for _ in 0..10 {
        next(&mut lines).await;
    }
    until("the slow one has a line", async || !taken.lock().unwrap().is_empty()).await;
    assert_eq!(taken.lock().unwrap().len(), 1, "no line comes before the one before it is taken");
    permits.add_permits(2);
    until("it has taken more", async || taken.lock().unwrap().len() == 3).await;
}

#[test]
fn many_readers_need_few_threads() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    const READERS: usize = 400;
    let threads = Arc::new(AtomicUsize::new(0));
    let started = Arc::clone(&threads);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || _ = started.fetch_add(1, Ordering::Relaxed))
        .build()
        .unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::new();
        let target = sandbox.target();
        sandbox.bring_up(&Wanted { name: "adder", timestamp: 7, ..Wanted::default() }).await.unwrap();
        let mut readers = Vec::new();
        for number in 0..READERS {
            let (on_line, lines) = to_channel();
            target.create_session(session(&number.to_string(), Some(1)), on_line).await.unwrap();
            readers.push(lines);
        }
        for lines in &mut readers {
            next(lines).await;
        }
    });
    let threads = threads.load(Ordering::Relaxed);
    assert!(threads < 40, "{threads} threads for {READERS} readers");
}
