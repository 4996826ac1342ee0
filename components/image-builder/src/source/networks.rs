//! Networks in which no repository is fetched.

use std::net::IpAddr;
use std::str::FromStr;

use racetrack_service::network::Network;
use serde::Deserialize;

/// The networks with names of their own.
const NAMED: [(&str, &[&str]); 3] = [
    // A program that connects to the unspecified address reaches its own machine.
    ("loopback", &["127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"]),
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]),
    ("link-local", &["169.254.0.0/16", "fe80::/10"]),
];

/// Networks of version 6 whose addresses end with one of version 4, which is where they lead: by a translation of addresses, or
/// because they are written in an old form.
const TRANSLATED: [&str; 3] = ["64:ff9b::/96", "64:ff9b:1::/48", "::/96"];

/// Networks, as settings name them: `link-local`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<Network>);

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
        let meant = plain(address);
        self.0.iter().any(|network| network.has(address) || network.has(meant))
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

/// The address of version 4 that one of version 6 stands for, where it does: mapped, or by a translation of addresses.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let translated = |prefix: &str| prefix.parse::<Network>().expect("is one").has(address);
    if TRANSLATED.into_iter().any(translated) {
        let last = v6.to_bits() & u128::from(u32::MAX);
        return IpAddr::V4(u32::try_from(last).expect("the other bits are masked").into());
    }
    // Its packets go to the address of version 4 in its second and third group.
    if let [0x2002, high, low, ..] = v6.segments() {
        return IpAddr::V4((u32::from(high) << 16 | u32::from(low)).into());
    }
    address.to_canonical()
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
                None => networks.push(part.parse().map_err(|_| InvalidNetwork { text: part.to_owned() })?),
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
        let spelled = ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe"];
        for address in ["169.254.169.254", "fe80::1", "2002:a9fe:a9fe::1"].into_iter().chain(spelled) {
            assert!(Networks::default().contain(address.parse().expect(address)), "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "11.0.0.1", "2606:4700::1111", "::808:808", "2002:808:808::1"]
        {
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
