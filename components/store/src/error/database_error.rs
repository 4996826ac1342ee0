//! What an error of the database says about the statement.

/// Whether the database would refuse the statement again, however often it is run.
pub(crate) fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_code_of_refusal(&code)),
        _ => false,
    }
}

/// Whether the database refused a row because its key is taken.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the database refused a row because what it refers to is not there.
pub(crate) fn refers_to_nothing(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// PostgreSQL has codes of five characters, whose first two name the class; SQLite has numbers, whose last
/// byte does.
fn is_code_of_refusal(code: &str) -> bool {
    const TOO_BIG: u32 = 18;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    const RANGE: u32 = 25;
    if code.len() == 5 {
        // Data exceptions, violated constraints, statements that cannot be run, exceeded limits of the
        // program.
        return ["22", "23", "42", "54"].iter().any(|class| code.starts_with(class));
    }
    let class = code.parse::<u32>().map(|number| number & 0xff);
    class.is_ok_and(|class| [TOO_BIG, CONSTRAINT, MISMATCH, RANGE].contains(&class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreError;

    #[test]
    fn refusals_are_told_from_outages() {
        // Too big, a constraint, one of a trigger; a text that is not UTF-8, a violated key, a row that is
        // too large.
        for code in ["18", "19", "1811", "22021", "23505", "54000"] {
            assert!(is_code_of_refusal(code), "{code}");
        }
        // Busy, locked, full, an IO error, a file that cannot be opened; no connection, no space, a shutdown,
        // a deadlock.
        for code in ["5", "6", "13", "10", "3338", "14", "08006", "53100", "57P01", "40P01", "x"] {
            assert!(!is_code_of_refusal(code), "{code}");
        }
        let refusal = |source| StoreError::Database { attempt: "try", source }.is_refusal();
        assert!(refusal(sqlx::Error::Encode("string or blob too big".into())));
        assert!(!refusal(sqlx::Error::PoolTimedOut) && !refusal(sqlx::Error::WorkerCrashed));
    }
}
