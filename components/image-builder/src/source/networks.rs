//! Networks in which no repository is fetched.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// The networks with names of their own.
const NAMED: [(&str, &[&str]); 3] = [
    // A program that connects to the unspecified address reaches its own machine.
    ("loopback", &["127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"]),
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]),
    ("link-local", &["169.254.0.0/16", "fe80::/10"]),
];

/// Networks, as settings name them: `link-local`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<Network>);

/// A network: the addresses that begin like its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is not a list of networks.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a network; write `loopback`, `private`, `link-local`, or one such as 10.0.0.0/8")]
pub struct InvalidNetwork {
    /// The part of the text that is wrong.
    pub text: String,
}

impl Networks {
    /// Whether the address is in one of them.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.0.iter().any(|network| network.contains(address))
    }

    /// Every network that has a name of its own: what is there is not for strangers to look through.
    pub(crate) fn internal() -> Self {
        "loopback,private,link-local".parse().expect("all of them are named")
    }
}

impl Default for Networks {
    /// Cloud providers hand out credentials there.
    fn default() -> Self {
        "link-local".parse().expect("it is named")
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let (own, other, length) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let differing: u128 = own ^ other;
        self.prefix == 0 || differing >> (length - self.prefix) == 0
    }
}

/// The address of version 4 that one of version 6 stands for, where it does: mapped, or by a translation of addresses.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let translated = Network { address: Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).into(), prefix: 96 };
    if translated.contains(address) {
        let last = v6.to_bits() & u128::from(u32::MAX);
        return IpAddr::V4(u32::try_from(last).expect("the other bits are masked").into());
    }
    address.to_canonical()
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork { text: text.to_owned() };
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(length), str::parse).map_err(|_| invalid())?;
        if prefix > length { Err(invalid()) } else { Ok(Self { address, prefix }) }
    }
}

impl FromStr for Networks {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut networks = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match NAMED.iter().find(|(name, _)| *name == part) {
                Some((_, named)) => {
                    networks.extend(named.iter().map(|network| network.parse::<Network>().expect("is one")));
                }
                None => networks.push(part.parse()?),
            }
        }
        Ok(Self(networks))
    }
}

impl TryFrom<String> for Networks {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn contain(networks: &str, address: &str) -> bool {
        networks.parse::<Networks>().expect(networks).contain(address.parse().expect(address))
    }

    #[test]
    fn networks_have_names_or_are_written_out() {
        for address in
            ["127.0.0.1", "127.255.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
        {
            assert!(contain("loopback", address), "{address}");
            assert!(!contain("private,link-local", address), "{address}");
        }
        for address in ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(contain("private", address), "{address}");
        }
        for address in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            assert!(Networks::default().contain(address.parse().expect(address)), "{address}");
        }
        for address in ["1.1.1.1", "172.32.0.1", "11.0.0.1", "2606:4700::1111", "::2"] {
            assert!(!Networks::internal().contain(address.parse().expect(address)), "{address}");
        }
        assert!(
            contain("203.0.113.7, 2001:db8::/32", "203.0.113.7") && contain("2001:db8::/32", "2001:db8:1::1")
        );
        assert!(!contain("203.0.113.7", "203.0.113.8") && contain("0.0.0.0/0", "1.1.1.1"));
        assert!(!contain("", "127.0.0.1"));
        for text in ["home", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Networks>().expect_err(text).text, text);
        }
    }
}
