//! Reading and saving settings.

use serde_json::Value;

use crate::error::StoreError;
use crate::memory::change::Change;
use crate::records::setting;
use crate::store::Store;
use crate::transaction::commit;

const MAINTENANCE_MODE: &str = "maintenance_mode";

impl Store {
    /// The value of a setting, if it has one.
    pub async fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.settings().await?.get(name).cloned())
    }

    /// Gives a setting a value.
    pub async fn set_setting(&self, name: &str, value: &Value) -> Result<(), StoreError> {
        let saved = self.write("save a setting", async |transaction| {
            setting::save(transaction, name, value).await?;
            Ok(commit((), [Change::Settings]))
        });
        saved.await
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
