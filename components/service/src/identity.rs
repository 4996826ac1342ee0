//! Who a component is.

/// Who a component is, as its health endpoints and metrics tell.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name of the component.
    pub component: &'static str,
    /// The version of its crate.
    pub version: &'static str,
    /// The revision of the source, as the environment says.
    pub git_version: String,
    /// The tag of the image, as the environment says.
    pub docker_tag: String,
}
