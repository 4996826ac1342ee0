//! What the `OpenAPI` document says, as far as no single handler knows it.

pub(crate) mod answers;
pub(crate) mod schemas;
