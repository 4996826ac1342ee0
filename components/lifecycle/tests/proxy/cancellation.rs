//! Callers that go away.

use tokio::io::AsyncWriteExt;

use crate::fixture::{LONG, PREFIX, accept, get, listener, proxy, raw, read_to_end, read_until};

#[tokio::test]
async fn a_caller_that_goes_away_before_the_answer_cancels_the_call() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let caller = raw(&proxy, &format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    drop(caller);
    assert_eq!(read_to_end(&mut job).await, "");
}

#[tokio::test]
async fn a_caller_that_goes_away_during_the_answer_cancels_the_call() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let small = format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\n\r\n");
    let large = format!(
        "POST {PREFIX}/ HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    );
    for (call, end) in [(small, "\r\n\r\n"), (large, "0\r\n\r\n")] {
        let mut caller = raw(&proxy, &call).await;
        let mut job = accept(&listener).await;
        read_until(&mut job, end).await;
        job.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            .await
            .expect("is sent");
        read_until(&mut caller, "half").await;
        drop(caller);
        assert_eq!(read_to_end(&mut job).await, "");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_during_its_upload_cancels_the_call() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let caller =
        raw(&proxy, &format!("POST {PREFIX}/ HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nhalf")).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "half").await;
    drop(caller);
    assert_eq!(read_to_end(&mut job).await, "");
}

#[tokio::test]
async fn an_unused_connection_is_closed_before_the_job_would() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let call = tokio::spawn(async move { get(&proxy, "/").await });
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    job.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("is sent");
    assert_eq!(call.await.expect("no panic").0, 204);
    let closed = tokio::time::timeout(LONG, read_to_end(&mut job));
    assert_eq!(closed.await.expect("is closed"), "");
}
