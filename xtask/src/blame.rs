//! Which plugins a failed compilation comes from, by what cargo said.

use std::rc::Rc;

use crate::plan::PlannedPlugin;

/// The plugins that errors in cargo's output are about, in hook order.
pub(crate) fn blamed<'a>(output: &str, plugins: &'a [Rc<PlannedPlugin>]) -> Vec<&'a PlannedPlugin> {
    let plain = without_styles(output);
    let errors = error_blocks(&plain);
    let is_blamed = |plugin: &&Rc<PlannedPlugin>| {
        let folder = format!("plugins/{}", plugin.folder);
        errors.iter().any(|error| error.contains(&folder))
    };
    plugins.iter().filter(is_blamed).map(|plugin| &**plugin).collect()
}

/// Each error with the lines that belong to it: up to the next message or status line.
fn error_blocks(output: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut in_error = false;
    for line in output.lines() {
        if line.starts_with("error") {
            blocks.push(String::new());
            in_error = true;
        } else if line.starts_with("warning") || is_status(line) {
            in_error = false;
        }
        if let Some(block) = blocks.last_mut().filter(|_| in_error) {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// `   Compiling x v1.0.0`: a verb right-aligned to the twelfth column.
fn is_status(line: &str) -> bool {
    let verb = line.get(..12).unwrap_or_default();
    line.as_bytes().get(12) == Some(&b' ')
        && verb.trim_start().starts_with(|c: char| c.is_ascii_uppercase())
        && !verb.ends_with(' ')
}

fn without_styles(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string().replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_status_lines_end_an_error() {
        let output = "   Compiling a v1.0.0\nwarning: unused\n --> plugins/b/src/lib.rs:1:1\n\n\
                      \u{1b}[1merror[E0425]\u{1b}[0m: cannot find\n --> plugins/a/src/lib.rs:3:5\n\n\
                      \u{20}   Building [==>] 3/4\nplugins/c\nerror: could not compile `a`\n";
        let blocks = error_blocks(&without_styles(output));
        assert_eq!(blocks.len(), 2);
        assert!(blocks[0].contains("plugins/a") && !blocks[0].contains("plugins/c"));
        assert!(blocks[1].starts_with("error: could not compile"));
    }
}
