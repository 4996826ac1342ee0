//! Random bytes and names.

/// Random bytes.
pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// A text that nobody has used before.
pub(crate) fn random_name() -> String {
    format!("{:032x}", u128::from_ne_bytes(random()))
}
