//! Adds numbers.

use serde::Deserialize;

/// What callers post: `{"numbers": [40, 2]}`.
#[derive(Deserialize)]
pub struct Input {
    numbers: Vec<i64>,
}

/// The sum of the numbers.
pub fn perform(input: Input) -> Result<i64, String> {
    let sum = input.numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(*number));
    sum.ok_or_else(|| "the sum is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_added() {
        assert_eq!(perform(Input { numbers: vec![40, 2] }), Ok(42));
        assert!(perform(Input { numbers: vec![i64::MAX, 1] }).is_err());
    }
}
