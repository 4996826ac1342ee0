//! What the code is held to as a whole: arrows between packages, floors of rooms, and tests that the documents name.

mod dependency_arrows;
mod floors;
mod named_tests;
mod reading;
