//! Reading and saving settings.

use serde_json::Value;

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::row::{json, text};
use crate::store::Store;

const MAINTENANCE_MODE: &str = "maintenance_mode";

impl Store {
    /// The value of a setting, if it has one.
    pub async fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.settings().await?.get(name).cloned())
    }

    /// Gives a setting a value.
    pub async fn set_setting(&self, name: &str, value: &Value) -> Result<(), StoreError> {
        const ATTEMPT: &str = "save a setting";
        const UPSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
                              ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut transaction = self.begin(ATTEMPT).await?;
        let saved = async {
            let query = sqlx::query(UPSERT).bind(text(name)).bind(json(value)?);
            query.execute(&mut *transaction).await
        };
        saved.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::Settings]).await
    }

    /// Whether deployments and calls are refused for the time being.
    pub async fn is_in_maintenance(&self) -> Result<bool, StoreError> {
        Ok(self.setting(MAINTENANCE_MODE).await? == Some(Value::Bool(true)))
    }

    /// Refuses deployments and calls for the time being, or no longer.
    pub async fn set_maintenance(&self, is_on: bool) -> Result<(), StoreError> {
        self.set_setting(MAINTENANCE_MODE, &Value::Bool(is_on)).await
    }
}
