//! Integers of a declaration.

use toml::de::DeValue;

/// The value as an integer of 64 bits, in whatever base it was written.
pub fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn integers_are_read_in_the_base_they_were_written_in() {
        let read = |text: &str| {
            let text = format!("x = {text}");
            let table = DeTable::parse(&text).unwrap();
            integer(table.get_ref()["x"].get_ref())
        };
        for sixteen in ["16", "+16", "1_6", "0x10", "0o20", "0b1_0000"] {
            assert_eq!(read(sixteen), Some(16), "{sixteen}");
        }
        assert_eq!(read("-5"), Some(-5));
        assert_eq!(read("0xdead_BEEF"), Some(0xdead_beef));
        for other in ["9223372036854775808", "16.0", "\"16\"", "true"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
