//! Whether a component has to be compiled at all.
//!
//! Cargo takes a tenth of a second per component to find out that there is nothing to do, and goes by the times of files, which
//! lie after `rsync -a`, `tar -x` and the like. So a build keeps a fingerprint of everything that decides the bytes of a binary,
//! by content, and calls cargo only when the fingerprint, or what the build has left behind, is another one. What the fingerprint
//! cannot know, it does not guess: then cargo is asked, as ever.
//!
//! A wrong "nothing to do" is worse than a slow one. When in doubt, an input belongs to the fingerprint.

#[cfg(test)]
mod arbitrary;
mod compiled_sources;
mod configuration;
mod dependency_file;
mod identity;
mod inputs;
mod record;
mod source_tree;
mod tools;
mod variables;
mod watched;

pub use compiled_sources::CompiledSources;
pub use inputs::{Inputs, digests, inputs, trees};
pub use record::{Outputs, finished, keep};
pub use source_tree::SourceTree;
pub use watched::{Watched, outside};

/// A short digest of an input, hexadecimal. It distinguishes contents; nobody has to find two of the same digest.
fn digest(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..32].to_owned()
}
