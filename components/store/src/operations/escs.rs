//! Making, listing and deleting ESCs.

use uuid::Uuid;

use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::memory::change::Change;
use crate::records::esc::{self, Esc};
use crate::records::row::text;
use crate::records::subject::{self, Subject};
use crate::store::Store;

impl Store {
    /// Adds an ESC, under a new id where none is given.
    ///
    /// # Errors
    /// [`Conflict::Esc`] when there is an ESC of that id.
    pub async fn create_esc(&self, name: &str, id: Option<&str>) -> Result<Esc, StoreError> {
        const ATTEMPT: &str = "add an ESC";
        let id = id.map_or_else(|| Uuid::new_v4().to_string(), text);
        let mut transaction = self.begin(ATTEMPT).await?;
        let query =
            sqlx::query("INSERT INTO escs (id, name) VALUES ($1, $2)").bind(id.clone()).bind(text(name));
        match query.execute(&mut *transaction).await {
            Err(error) if is_taken(&error) => return Err(Conflict::Esc { id }.into()),
            inserted => inserted.map_err(attempt(ATTEMPT))?,
        };
        subject::ensure(&mut transaction, &Subject::esc(&id)).await?;
        self.commit(transaction, ATTEMPT, [Change::Access]).await?;
        self.esc(&id).await
    }

    /// The ESC of this id.
    pub async fn esc(&self, id: &str) -> Result<Esc, StoreError> {
        let found = sqlx::query_as("SELECT * FROM escs WHERE id = $1").bind(text(id));
        let found = found.fetch_optional(self.reader()).await.map_err(attempt("look for an ESC"))?;
        found.ok_or_else(|| NotFound::Esc { id: id.to_owned() }.into())
    }

    /// Every ESC, by name.
    pub async fn escs(&self) -> Result<Vec<Esc>, StoreError> {
        esc::all(self.reader()).await
    }

    /// Deletes an ESC with its tokens and permissions.
    pub async fn delete_esc(&self, id: &str) -> Result<(), StoreError> {
        const ATTEMPT: &str = "delete an ESC";
        let mut transaction = self.begin(ATTEMPT).await?;
        let deleted = sqlx::query("DELETE FROM escs WHERE id = $1").bind(text(id)).execute(&mut *transaction);
        if deleted.await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            return Err(NotFound::Esc { id: id.to_owned() }.into());
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }
}
