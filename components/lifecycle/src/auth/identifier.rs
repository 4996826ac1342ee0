//! The names that people give to users, and the ids that they give to ESCs. Both are parts of addresses.

/// The longest one, in characters.
const MAX_LENGTH: usize = 150;

/// Addresses below `/users` that are no user's.
const RESERVED_USERNAMES: [&str; 7] =
    ["change_password", "login", "logout", "register", "session", "sessions", "validate_user_auth"];

/// Why a name or an id is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidIdentifier {
    #[error("has to have a character at least, and {MAX_LENGTH} at most")]
    Length,
    #[error("may have letters of the English alphabet, digits and the characters @ . + - _ only")]
    Character,
    #[error("has to begin with a letter or a digit")]
    Start,
    #[error("is an address of the API")]
    Reserved,
}

/// Checks the name of a user to be.
pub(crate) fn check_username(username: &str) -> Result<(), InvalidIdentifier> {
    if RESERVED_USERNAMES.iter().any(|reserved| reserved.eq_ignore_ascii_case(username)) {
        return Err(InvalidIdentifier::Reserved);
    }
    check(username)
}

/// Checks the id of an ESC to be.
pub(crate) fn check(identifier: &str) -> Result<(), InvalidIdentifier> {
    if !(1..=MAX_LENGTH).contains(&identifier.chars().count()) {
        return Err(InvalidIdentifier::Length);
    }
    if !identifier.chars().all(|character| character.is_ascii_alphanumeric() || "@.+-_".contains(character)) {
        return Err(InvalidIdentifier::Character);
    }
    if !identifier.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(InvalidIdentifier::Start);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_addresses() {
        for username in ["bob", "Bob.O+1@example.com", "7_of-9"] {
            assert_eq!(check_username(username), Ok(()), "{username}");
        }
        let long = "x".repeat(MAX_LENGTH + 1);
        for (username, expected) in [
            ("", InvalidIdentifier::Length),
            (&long, InvalidIdentifier::Length),
            ("bob the builder", InvalidIdentifier::Character),
            ("bob\n", InvalidIdentifier::Character),
            ("../bob", InvalidIdentifier::Character),
            ("böb", InvalidIdentifier::Character),
            ("..", InvalidIdentifier::Start),
            ("login", InvalidIdentifier::Reserved),
            ("Login", InvalidIdentifier::Reserved),
            // What looks like another name.
            ("\u{ff41}dmin", InvalidIdentifier::Character),
            ("\u{430}dmin", InvalidIdentifier::Character),
            ("adm\u{131}n", InvalidIdentifier::Character),
            ("admin\u{301}", InvalidIdentifier::Character),
            ("admin ", InvalidIdentifier::Character),
            ("\u{a0}admin", InvalidIdentifier::Character),
            ("ad\u{200b}min", InvalidIdentifier::Character),
            ("ad\0min", InvalidIdentifier::Character),
        ] {
            assert_eq!(check_username(username), Err(expected), "{username}");
        }
    }
}
