//! The log: lines for people or for machines, on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use racetrack_core::text::{BoundedText, TextLimit};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt as lines, registry};

use crate::settings::{LogFormat, LogLevel};

/// A text that may come from outside, for a log line: line breaks, other control characters and what turns the direction of
/// writing are escaped, and a long one is cut.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

/// Starts the log, and logs panics from now on.
pub(crate) fn start(level: &LogLevel, format: LogFormat) {
    let events = registry().with(level.0.clone());
    let lines = lines::layer().with_writer(io::stderr);
    match format {
        // On a terminal the default stands, which is colours unless `NO_COLOR` is set.
        LogFormat::Text if io::stderr().is_terminal() => events.with(lines).init(),
        LogFormat::Text => events.with(lines.with_ansi(false)).init(),
        LogFormat::Json => {
            let objects = lines.json().flatten_event(true).with_span_list(false);
            events.with(objects).init();
        }
    }
    std::panic::set_hook(Box::new(log_panic));
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = BoundedText::new(self.0, TextLimit::FAILURE);
        for part in text.as_str().split_inclusive(is_escaped) {
            let text = part.trim_end_matches(is_escaped);
            write!(f, "{text}{}", part[text.len()..].escape_default())?;
        }
        Ok(())
    }
}

/// Whether a character may make a line be read as something else than it is.
fn is_escaped(character: char) -> bool {
    let breaks_line = matches!(character, '\u{2028}' | '\u{2029}');
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || breaks_line || turns
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(a panic without a text)");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, location, %backtrace, "panicked: {}", OneLine(message));
    } else {
        tracing::error!(thread, location, "panicked: {}", OneLine(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_stays_in_its_line() {
        assert_eq!(OneLine("a\nb\r\n\u{1b}[31mred").to_string(), "a\\nb\\r\\n\\u{1b}[31mred");
        assert_eq!(OneLine("plain, ünd all").to_string(), "plain, ünd all");
        for (name, attack) in [
            ("a line feed", "\n"),
            ("a carriage return", "\r"),
            ("both", "\r\n"),
            ("a form feed", "\u{c}"),
            ("a vertical tab", "\u{b}"),
            ("a next line", "\u{85}"),
            ("a line separator", "\u{2028}"),
            ("a paragraph separator", "\u{2029}"),
            ("a zero byte", "\0"),
            ("a backspace", "\u{8}"),
            ("a bell", "\u{7}"),
            ("an escape", "\u{1b}[2J"),
            ("an escape of one character", "\u{9b}2J"),
            ("text from right to left", "\u{202e}"),
            ("text that is set apart", "\u{2066}"),
            ("a mark of direction", "\u{200f}"),
        ] {
            let line = OneLine(&format!("path{attack}INFO all is well")).to_string();
            assert!(line.starts_with("path\\") && line.ends_with("INFO all is well"), "{name}: {line}");
            assert!(!line.contains(is_escaped), "{name}: {line}");
        }
        let long = OneLine(&"é".repeat(1_000_000)).to_string();
        assert!(long.len() <= TextLimit::FAILURE.get() && long.contains(" bytes left out "));
    }
}
