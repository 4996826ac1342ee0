//! Statements under way, as the two kinds of connections run them.

use std::pin::Pin;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use sqlx::any::{AnyQueryResult, AnyRow};
use sqlx::{Either, Error};

/// A part of what the database answers: a row, or the end of a statement.
type Step = Either<AnyQueryResult, AnyRow>;
/// The answer to one statement.
pub(crate) type StatementFuture<'e, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'e>>;
/// The answers to the statements of one query.
pub(crate) type StatementStream<'e> = Pin<Box<dyn Stream<Item = Result<Step, Error>> + Send + 'e>>;

/// A stream of what comes all at once. Whoever reads collects it, and no connection waits for whoever does
/// not.
pub(crate) fn at_once<'e>(
    steps: impl Future<Output = Result<Vec<Step>, Error>> + Send + 'e,
) -> StatementStream<'e> {
    let steps = stream::once(steps).map_ok(|steps| stream::iter(steps.into_iter().map(Ok)));
    steps.try_flatten().boxed()
}
