//! The address that a request comes from, also where a reverse proxy stands before the server.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};
use serde::Deserialize;

use crate::network::{InvalidNetwork, Network};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whoever sent a request, as an extension of it: the other end of the connection, or whom a trusted proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// What counts as one peer where peers are counted: an address of IPv4, or the 64 bits that one network of IPv6 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(IpAddr);

/// The proxies that are believed when they name the peer, as addresses and networks with commas between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxies(Arc<[Network]>);

impl Peer {
    /// The peer of a request, if the server noted it.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get().copied()
    }

    /// What this counts as.
    pub fn key(self) -> PeerKey {
        let address = match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Ipv6Addr::from_bits(network).into()
            }
            address @ IpAddr::V4(_) => address,
        };
        PeerKey(address)
    }
}

impl PeerKey {
    /// Stands for requests of which the server does not know where they come from.
    pub const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// What the peer of a request counts as.
    pub fn of(extensions: &Extensions) -> Self {
        Peer::of(extensions).map_or(Self::UNKNOWN, Peer::key)
    }

    /// Whether many users may stand behind it: whatever runs on this machine, a proxy for example, or an unknown place.
    pub const fn is_shared(self) -> bool {
        // `::1` is in the network `::`.
        self.0.is_loopback() || self.0.is_unspecified()
    }
}

impl<S: Sync> FromRequestParts<S> for PeerKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

impl TrustedProxies {
    /// Whether connections of this address are those of a proxy.
    pub fn have(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// The peer of a request with these headers on a connection of this address. Of the addresses that proxies noted, those
    /// of trusted ones are skipped; what stands before the first other one is merely a claim of that peer.
    pub fn peer(&self, connection: IpAddr, headers: &HeaderMap) -> Peer {
        let mut peer = connection.to_canonical();
        if self.0.is_empty() {
            return Peer(peer);
        }
        let lists = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut named = lists.flat_map(|list| list.to_str().unwrap_or("?").rsplit(','));
        while self.have(peer) {
            match named.next().map(|address| address_of(address.trim())) {
                Some(Some(address)) => peer = address.to_canonical(),
                Some(None) | None => break,
            }
        }
        Peer(peer)
    }
}

/// Some proxies note the port as well.
fn address_of(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for TrustedProxies {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn peer(trusted: &str, connection: &str, lists: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(list));
        }
        let trusted: TrustedProxies = trusted.parse().expect("valid");
        trusted.peer(connection.parse().expect("an address"), &headers).0.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = "127.0.0.1, 10.0.0.0/8,fd00::/8";
        for (trusted, connection, lists, expected) in [
            ("", "127.0.0.1", &["1.2.3.4"][..], "127.0.0.1"),
            (proxies, "192.0.2.1", &["1.2.3.4"], "192.0.2.1"),
            (proxies, "127.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            (proxies, "::ffff:127.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
            (proxies, "127.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (proxies, "127.0.0.1", &["6.6.6.6, 1.2.3.4, 10.1.2.3"], "1.2.3.4"),
            (proxies, "127.0.0.1", &["1.2.3.4", "fd00::7"], "1.2.3.4"),
            (proxies, "127.0.0.1", &["1.2.3.4:80"], "1.2.3.4"),
            (proxies, "127.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
            (proxies, "127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            (proxies, "127.0.0.1", &["1.2.3.4, unknown"], "127.0.0.1"),
            (proxies, "127.0.0.1", &[], "127.0.0.1"),
        ] {
            assert_eq!(peer(trusted, connection, lists), expected, "{trusted} {connection} {lists:?}");
        }
    }

    #[test]
    fn networks_have_addresses_and_lengths() {
        for text in ["10.0.0.0/33", "::/129", "example.com", "10.0.0.1/", "10.0.0.1/-1", "1.2.3"] {
            let error = text.parse::<TrustedProxies>().expect_err(text);
            assert!(error.to_string().starts_with(&format!("`{text}` is not an address")), "{error}");
        }
    }

    #[test]
    fn a_network_of_version_6_is_one_peer() {
        let key = |address: &str| Peer(address.parse().expect("an address")).key();
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        for (address, is_shared) in [("127.0.0.9", true), ("::1", true), ("192.0.2.1", false)] {
            assert_eq!(key(address).is_shared(), is_shared, "{address}");
        }
    }
}
