//! Long lists as JSON, made while they are sent: a list may be large, and many may be asked for at once.

use std::error::Error;
use std::pin::pin;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};

/// How much is made before it is sent, in bytes. Shorter lists are sent with their length.
const PIECE: usize = 64 << 10;

/// Answers a list of these items, each of which is JSON. After the first ones, an error breaks the answer off.
///
/// # Errors
/// That of the first ones.
pub(crate) async fn json_list<T, E>(
    items: impl Stream<Item = Result<T, E>> + Send + 'static,
) -> Result<Response, E>
where
    T: AsRef<str> + Send,
    E: Error + Send + Sync + 'static,
{
    let mut items = Box::pin(items.enumerate());
    let first = piece(vec![b'['], &mut items).await?;
    let body = match first {
        Piece::Last(bytes) => Body::from(bytes),
        Piece::More(bytes) => {
            let others = stream::try_unfold(Some(items), |items| async {
                let Some(mut items) = items else { return Ok(None) };
                Ok(Some(match piece(Vec::new(), &mut items).await? {
                    Piece::More(bytes) => (bytes, Some(items)),
                    Piece::Last(bytes) => (bytes, None),
                }))
            });
            Body::from_stream(stream::once(async { Ok::<_, E>(bytes) }).chain(others))
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

enum Piece {
    More(Bytes),
    Last(Bytes),
}

/// Adds items, with their numbers, to the text until it is large enough, or there are none.
async fn piece<T: AsRef<str>, E>(
    mut text: Vec<u8>,
    items: impl Stream<Item = (usize, Result<T, E>)>,
) -> Result<Piece, E> {
    let mut items = pin!(items);
    while text.len() < PIECE {
        let Some((number, item)) = items.next().await else {
            text.push(b']');
            return Ok(Piece::Last(text.into()));
        };
        if number > 0 {
            text.push(b',');
        }
        text.extend_from_slice(item?.as_ref().as_bytes());
    }
    Ok(Piece::More(text.into()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use axum::body::{HttpBody, to_bytes};

    use super::*;

    async fn list(items: &[String]) -> (Option<u64>, Vec<u8>) {
        let items: Vec<_> = items.iter().cloned().map(Ok::<_, Infallible>).collect();
        let answer = json_list(stream::iter(items)).await.expect("no item fails").into_body();
        let length = answer.size_hint().exact();
        (length, to_bytes(answer, usize::MAX).await.expect("is there").to_vec())
    }

    #[tokio::test]
    async fn lists_are_json_whatever_their_length() {
        for count in [0, 1, 2, 1000, 100_000] {
            let items: Vec<_> = (0..count).map(|number| format!("[{number}]")).collect();
            let (length, text) = list(&items).await;
            let parsed: Vec<[usize; 1]> = serde_json::from_slice(&text).expect("is JSON");
            assert!(parsed.iter().flatten().copied().eq(0..count));
            assert_eq!(length.is_some(), text.len() < PIECE, "{count}");
        }
        assert_eq!(
            list(&["[]".to_owned(), "[".repeat(PIECE), "]".repeat(PIECE)]).await.1.len(),
            2 * PIECE + 6
        );
    }

    #[tokio::test]
    async fn an_error_is_told_or_breaks_the_list_off() {
        let failed = || Err(io::Error::other("the database is away"));
        json_list::<String, _>(stream::iter([failed()])).await.expect_err("is told");
        let large = Ok("x".repeat(PIECE));
        let answer = json_list(stream::iter([large, failed()])).await.expect("begins well");
        to_bytes(answer.into_body(), usize::MAX).await.expect_err("breaks off");
    }
}
