//! What someone who wrote an unknown name probably meant.

/// `did you mean …?` if a known name is near, otherwise the list of known names; `kind` is their plural.
pub fn suggestion<'a>(unknown: &str, kind: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let distance = |name: &str| strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase());
    let nearest = known.iter().map(|name| (distance(name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= allowed_distance(unknown) => format!("did you mean `{name}`?"),
        _ if known.is_empty() => format!("there are no {kind}"),
        _ => format!("known {kind}: {}", quoted(&known)),
    }
}

/// One edit in a word of three letters is another word; a third of the letters may be wrong in a longer one.
fn allowed_distance(unknown: &str) -> usize {
    unknown.chars().count().max(3) / 3
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn near_names_are_suggested_and_far_ones_listed() {
        let known = ["lifecycle", "image-builder"];
        let help = |unknown| suggestion(unknown, "components", known);
        assert_eq!(help("lifecycel"), "did you mean `lifecycle`?");
        assert_eq!(help("Image-Builder"), "did you mean `image-builder`?");
        assert_eq!(help("pub"), "known components: `lifecycle`, `image-builder`");
        assert_eq!(suggestion("x", "components", []), "there are no components");
    }
}
