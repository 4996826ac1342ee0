//! Long texts that are answered piece by piece, so that what is made of them for the answer is not in memory as well.

use std::convert::Infallible;

use futures_util::stream::{self, Stream, StreamExt};

/// How much is made at a time, in bytes.
const PIECE: usize = 64 << 10;

/// What stands before a text, the text, as `shown` shows its pieces, and what stands behind it. `kept` is dropped with the
/// stream.
pub fn pieces<H: Send>(
    head: String,
    text: String,
    tail: &'static str,
    shown: fn(&str) -> String,
    kept: H,
) -> impl Stream<Item = Result<String, Infallible>> + Send {
    let pieces = stream::unfold((text, 0, kept), move |(text, position, kept)| async move {
        if position >= text.len() {
            return None;
        }
        let end = text.floor_char_boundary(position + PIECE);
        Some((shown(&text[position..end]), (text, end, kept)))
    });
    let head = stream::once(async { head });
    head.chain(pieces).chain(stream::once(async { tail.to_owned() })).map(Ok)
}

/// The text as it stands between the quotation marks of JSON.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pieces_are_the_text() {
        for text in [String::new(), "\u{1}\"\\ é\n".to_owned(), "é\u{1f600}\n".repeat(50_000)] {
            let pieces = pieces("{\"logs\":\"".to_owned(), text.clone(), "\"}", quoted, ());
            let pieces: Vec<_> = pieces.map(|piece| piece.expect("does not fail")).collect().await;
            assert!(pieces.iter().all(|piece| piece.len() <= 6 * PIECE));
            let json: serde_json::Value = serde_json::from_str(&pieces.concat()).expect("is JSON");
            assert_eq!(json["logs"], text);
        }
    }
}
