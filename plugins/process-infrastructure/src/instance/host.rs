//! What the instances of a target share: its settings, its ports, the watch over logs and the seal of what is kept.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::config::TargetConfig;
use crate::instance::log_watch::LogWatch;
use crate::state::seal::{Seal, SealError};
use crate::system::ports::Ports;

/// What the instances of a target share.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: TargetConfig,
    pub(crate) ports: Ports,
    pub(crate) log_watch: LogWatch,
    key_file: PathBuf,
    make_key: bool,
    seal: OnceLock<Seal>,
}

impl Host {
    /// With `make_key`, the key file is made at first use if it is not there.
    pub(crate) fn new(config: TargetConfig, key_file: PathBuf, make_key: bool) -> Self {
        let ports = Ports::new(config.first_port, config.last_port);
        Self { config, ports, log_watch: LogWatch::default(), key_file, make_key, seal: OnceLock::new() }
    }

    /// The seal; its key is read at first use.
    pub(crate) fn seal(&self) -> Result<&Seal, SealError> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let seal = Seal::load(&self.key_file, self.make_key)?;
        Ok(self.seal.get_or_init(|| seal))
    }
}
