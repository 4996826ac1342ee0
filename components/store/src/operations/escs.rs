//! Making, listing and deleting ESCs.

use uuid::Uuid;

use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::memory::change::Change;
use crate::records::esc::{self, Esc};
use crate::records::row::text;
use crate::records::subject::{self, Subject};
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Adds an ESC, under a new id where none is given.
    ///
    /// # Errors
    /// [`Conflict::Esc`] when there is an ESC of that id.
    pub async fn create_esc(&self, name: &str, id: Option<&str>) -> Result<Esc, StoreError> {
        let id = id.map_or_else(|| Uuid::new_v4().to_string(), text);
        let added = self.write("add an ESC", async |transaction| {
            match esc::insert(transaction, &id, name).await {
                Err(error) if is_taken(&error) => return Err(Conflict::Esc { id: id.clone() }.into()),
                inserted => inserted?,
            }
            subject::ensure(transaction, &Subject::esc(&id)).await?;
            Ok(commit((), [Change::Access]))
        });
        added.await?;
        self.esc(&id).await
    }

    /// The ESC of this id.
    pub async fn esc(&self, id: &str) -> Result<Esc, StoreError> {
        let found = esc::find(self.reader(), id).await.map_err(attempt("look for an ESC"))?;
        found.ok_or_else(|| NotFound::Esc { id: id.to_owned() }.into())
    }

    /// Every ESC, by name.
    pub async fn escs(&self) -> Result<Vec<Esc>, StoreError> {
        esc::all(self.reader()).await
    }

    /// Deletes an ESC with its tokens and permissions.
    pub async fn delete_esc(&self, id: &str) -> Result<(), StoreError> {
        let deleted = self.write("delete an ESC", async |transaction| {
            if !esc::delete(transaction, id).await? {
                return Err(NotFound::Esc { id: id.to_owned() }.into());
            }
            Ok(commit((), [Change::Access]))
        });
        deleted.await
    }
}
