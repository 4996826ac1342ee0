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

/// A text that may come from outside, for a log line: line breaks and other control characters are escaped, and a long one is
/// cut.
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
        for part in text.as_str().split_inclusive(char::is_control) {
            let text = part.trim_end_matches(char::is_control);
            write!(f, "{text}{}", part[text.len()..].escape_default())?;
        }
        Ok(())
    }
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
        let long = OneLine(&"é".repeat(1_000_000)).to_string();
        assert!(long.len() <= TextLimit::FAILURE.get() && long.contains(" bytes left out "));
    }
}
