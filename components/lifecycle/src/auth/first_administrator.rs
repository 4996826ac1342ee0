//! The first administrator, who is made when there is no user yet.

use std::io::{self, Write};

use racetrack_store::{Permission, Scope, Store, StoreError, User};

use super::{Line, PasswordError, Passwords};
use crate::clock::seconds_since_1970;

/// The name of the first administrator.
const USERNAME: &str = "admin";

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstAdministratorError {
    #[error("cannot make the first administrator")]
    Store(#[from] StoreError),
    #[error("cannot make a password for the first administrator")]
    Password(#[from] PasswordError),
    #[error("the system gives no random bytes for the password of the first administrator")]
    Random(#[source] getrandom::Error),
    #[error("cannot show the password of the first administrator on standard error")]
    Output(#[source] io::Error),
}

/// Makes an administrator with a random password if there is no user at all, and shows the password, this one time, on
/// standard error: not in the log, which is kept.
pub(crate) async fn ensure(
    store: &Store,
    passwords: &Passwords,
    given: Option<&str>,
) -> Result<(), FirstAdministratorError> {
    if !store.users().await?.is_empty() {
        return Ok(());
    }
    let password = match given {
        Some(password) => password.to_owned(),
        None => random_password()?,
    };
    let hash = passwords.hash(Line::Known, password.clone()).await?;
    let mut user = User::new(USERNAME, hash, seconds_since_1970());
    user.is_active = true;
    user.is_staff = true;
    // Shown first: an administrator whose password nobody saw could not be made again.
    if given.is_none() {
        show(&password).map_err(FirstAdministratorError::Output)?;
    }
    store.create_user(&user, &[Permission::everywhere(Scope::FullAccess)]).await?;
    Ok(())
}

fn show(password: &str) -> io::Result<()> {
    let mut output = io::stderr().lock();
    writeln!(
        output,
        "\nThis is the first start: the administrator is `{USERNAME}`, with the password `{password}`.\n\
         It is not shown again. Change it after the first login.\n"
    )
}

/// 100 random bits in characters that are not mistaken for each other.
fn random_password() -> Result<String, FirstAdministratorError> {
    const CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(FirstAdministratorError::Random)?;
    Ok(bytes.iter().map(|byte| char::from(CHARACTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use racetrack_store::DatabaseUrl;

    use super::*;

    #[tokio::test]
    async fn there_is_one_first_administrator() {
        let store = Store::open(&DatabaseUrl::memory()).await.expect("opens");
        let passwords = Passwords::new();
        for given in ["first password", "second password"] {
            ensure(&store, &passwords, Some(given)).await.expect("is ensured");
            let user = store.user(USERNAME).await.expect("is there");
            assert!(user.is_staff && user.is_active);
            let hash = Some(user.password_hash);
            assert!(
                passwords.verify(Line::Known, "first password".to_owned(), hash).await.expect("is checked")
            );
        }
        assert_eq!(store.users().await.expect("are there").len(), 1);
    }

    #[test]
    fn passwords_are_random() {
        let password = random_password().expect("is made");
        assert_eq!(password.len(), 20);
        assert_ne!(random_password().expect("is made"), password);
    }
}
