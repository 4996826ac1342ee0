//! Which components are built, and how they are compiled.

use racetrack_bundle::suggestion::suggestion;

use crate::cargo::CompileOptions;
use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::plan::PlannedComponent;
use crate::sources::selection::{SelectionError, check_component};

/// What of the declaration is compiled, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The names of the components; none stands for all.
    pub components: Vec<String>,
    /// The name of the profile, if not that of the declaration.
    pub profile: Option<String>,
    /// A target triple, if not the host's.
    pub target: Option<String>,
}

impl Selection {
    /// How cargo is to build, where the declaration has what was selected.
    pub fn compile_options(
        &self,
        declaration: &Declaration,
        locked: bool,
        checkout: &Checkout,
    ) -> Result<CompileOptions, SelectionError> {
        for component in &self.components {
            check_component(declaration, component)?;
        }
        let profile_name = self.profile.as_ref().unwrap_or(&declaration.profile);
        let Some(profile) = declaration.profiles.0.get(profile_name) else {
            let help = suggestion(profile_name, "profiles", declaration.profiles.names());
            return Err(SelectionError::UnknownProfile { name: profile_name.clone(), help });
        };
        Ok(CompileOptions {
            profile_name: profile_name.clone(),
            profile: profile.clone(),
            target: self.target.clone(),
            locked,
            offline: checkout.offline,
            variables: Vec::new(),
        })
    }

    /// Those of `components` that are selected.
    pub fn of<'a>(&self, components: &'a [PlannedComponent]) -> Vec<&'a PlannedComponent> {
        let is_selected = |component: &&PlannedComponent| {
            self.components.is_empty() || self.components.contains(&component.declaration.name)
        };
        components.iter().filter(is_selected).collect()
    }
}
