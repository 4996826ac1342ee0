//! The compile errors of `#[racetrack_core::plugin]`: they are part of the product.

/// Review a change with `TRYBUILD=overwrite cargo test -p racetrack-tests attribute_messages`.
#[test]
fn mistakes_are_compile_errors_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/it/compile_fail/*.rs");
}
