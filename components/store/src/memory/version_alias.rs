//! Versions as URLs write them: exact, `latest`, or a wildcard such as `2.x`.

/// How the address of a job names its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionAlias<'a> {
    /// The highest stable version.
    Latest,
    /// The highest stable version that fits.
    Wildcard(&'a str),
    /// This very version.
    Exact(&'a str),
}

impl<'a> VersionAlias<'a> {
    /// Reads what stands for the version in a URL. Whatever is not an alias is an exact version.
    pub(crate) fn parse(text: &'a str) -> Self {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text == "latest" {
            Self::Latest
        } else if text.contains('x') && text.split('.').all(|part| part == "x" || is_number(part)) {
            Self::Wildcard(text)
        } else {
            Self::Exact(text)
        }
    }
}

/// Whether a stable version fits a wildcard: each `x` stands for any text of at least a character, dots
/// included.
pub(crate) fn fits(pattern: &str, version: &str) -> bool {
    let (part, rest) = pattern.split_once('.').map_or((pattern, None), |(part, rest)| (part, Some(rest)));
    // A stable version has two dots, so there are three places at most where this part can end.
    let ends = version.match_indices('.').map(|(at, _)| at).chain([version.len()]);
    let mut ends = ends.filter(|&end| if part == "x" { end > 0 } else { version[..end] == *part });
    ends.any(|end| match (rest, version.get(end + 1..)) {
        (None, None) => true,
        (Some(pattern), Some(version)) => fits(pattern, version),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_told_from_versions() {
        assert_eq!(VersionAlias::parse("latest"), VersionAlias::Latest);
        for wildcard in ["x", "2.x", "2.x.x", "x.0.1", "x.x"] {
            assert_eq!(VersionAlias::parse(wildcard), VersionAlias::Wildcard(wildcard));
        }
        for exact in ["2.0.4", "", "x.", ".x", "2.xx", "2..x", "2.X", "1.0.0-x", "LATEST", "2"] {
            assert_eq!(VersionAlias::parse(exact), VersionAlias::Exact(exact));
        }
    }

    #[test]
    fn wildcards_match_whole_versions() {
        let cases = [
            ("2.x", "2.0.4", true),
            ("2.x", "20.0.4", false),
            ("2.x", "1.2.4", false),
            ("2.x.x", "2.10.4", true),
            ("2.x.4", "2.10.4", true),
            ("2.x.4", "2.10.44", false),
            ("2.1.x", "2.10.4", false),
            ("x", "1.2.3", true),
            ("x.3", "1.2.3", true),
            ("x.x.x", "1.2.3", true),
            ("x.x.x.x", "1.2.3", false),
            ("1.2.3.x", "1.2.3", false),
        ];
        for (pattern, version, expected) in cases {
            assert_eq!(fits(pattern, version), expected, "{pattern} {version}");
        }
    }

    #[test]
    fn a_long_pattern_is_no_burden() {
        assert!(!fits(&"x.".repeat(100_000), "1.2.3"));
    }
}
