//! Why a listener does not take a connection.

use std::io;

/// Whether the connection alone is to blame that it was not taken, and not a lack of means: the next one may be taken at once.
pub fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
