//! Networks, as settings name them.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// The addresses that begin with the same bits: `10.0.0.0/8`, or one address alone.
///
/// ```
/// use racetrack_service::network::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.has("10.1.2.3".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is not a [`Network`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an address such as 10.0.0.1, nor a network such as 10.0.0.0/8")]
pub struct InvalidNetwork {
    /// The text found.
    pub text: String,
}

impl Network {
    /// Whether the address is in it. One of version 4 that is written in version 6 counts as what it is.
    pub fn has(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse::<IpAddr>().map(|address| address.to_canonical().into());
        let network = address.or_else(|_| text.parse::<IpNet>());
        network.map(Self).map_err(|_| InvalidNetwork { text: text.to_owned() })
    }
}
