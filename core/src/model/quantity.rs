//! Amounts of memory and CPU, as job manifests write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The suffixes and the powers of ten or of two they stand for.
const SUFFIXES: &[(&str, f64)] = &[
    ("Ei", 1_152_921_504_606_846_976.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ti", 1_099_511_627_776.0),
    ("Gi", 1_073_741_824.0),
    ("Mi", 1_048_576.0),
    ("Ki", 1024.0),
    ("E", 1e18),
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("", 1.0),
];

/// A non-negative number with a unit prefix: `500m` CPUs, `2Gi` bytes. It keeps its text, and compares by its value.
///
/// ```
/// use racetrack_core::Quantity;
///
/// let quantity = |text: &str| text.parse::<Quantity>().unwrap();
/// assert_eq!(quantity("2Gi").value(), 2_147_483_648.0);
/// assert!(quantity("2G") < quantity("2Gi"));
/// assert_eq!(quantity("2Gi").to_string(), "2Gi");
/// assert!("1e3".parse::<Quantity>().is_err());
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(into = "String")]
pub struct Quantity {
    text: String,
    value: f64,
}

/// A text that is no [`Quantity`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no quantity: a number like 2 or 0.5, and one of the suffixes E P T G M k m u n p Ei Pi Ti Gi Mi Ki or none"
)]
pub struct InvalidQuantity {
    /// The text found.
    pub text: String,
}

impl Quantity {
    /// The plain number: bytes, or CPUs.
    pub const fn value(&self) -> f64 {
        self.value
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidQuantity { text: text.to_owned() };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let well_formed = match number.split_once('.') {
            None => !number.is_empty(),
            Some((whole, fraction)) => !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.'),
        };
        let factor = SUFFIXES.iter().find(|(known, _)| *known == suffix).map(|(_, factor)| factor);
        let (true, Some(factor)) = (well_formed, factor) else {
            return Err(invalid());
        };
        let number: f64 = number.parse().map_err(|_| invalid())?;
        Ok(Self { text: text.to_owned(), value: number * factor })
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as 500m or 2Gi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_and_values_compare() {
        let read = |text: &str| text.parse::<Quantity>().expect(text);
        assert_eq!(read("1000m"), read("1"));
        assert!(read("800M") < read("1Gi") && read("0.5") < read("501m"));
        assert_eq!(serde_json::to_value(read("0.5Gi")).expect("serializes"), "0.5Gi");
    }

    #[test]
    fn bare_numbers_are_read_from_yaml() {
        let read = |text: &str| serde_yaml::from_str::<Quantity>(text).map(|quantity| quantity.value());
        assert_eq!(read("2").ok(), Some(2.0));
        assert_eq!(read("0.5").ok(), Some(0.5));
        assert!(read("-1").is_err());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "-1", ".5", "5.", "1e3", "1K", "1KB", "1 G", "G", "1.2.3", "٣"] {
            assert!(text.parse::<Quantity>().is_err(), "{text:?}");
        }
    }
}
