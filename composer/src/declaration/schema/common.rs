//! What both schemas say.

/// What each schema says of itself.
pub(super) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Names of plugins and of components: lower-case ASCII letters, digits and single dashes.
pub(super) const NAME: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
