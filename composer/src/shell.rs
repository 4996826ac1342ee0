//! The only place that prints: status lines in cargo's form on standard error, data on standard output.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use racetrack_bundle::{Diagnostics, Style, render};
use racetrack_launcher::heartbeat::Heartbeat;

const VERB: &str = "\u{1b}[1;32m";
const WARNING: &str = "\u{1b}[1;33m";
const NOTE: &str = "\u{1b}[1;36m";
const ERROR: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// A failure that was printed already: when it happened, or as a part of the data that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the output says what is wrong")]
pub struct Reported;

/// From this many steps on a bar is shown: fewer are over before anyone reads it.
const WORTH_A_BAR: usize = 5;

/// How often a spinner turns while nothing is heard.
const TICK: Duration = Duration::from_millis(200);

/// Where and how things are printed.
#[derive(Clone, Debug)]
pub struct Shell {
    quiet: bool,
    color: ColorChoice,
    is_terminal: bool,
}

impl Shell {
    /// A shell on this process's streams. `CARGO_TERM_COLOR`, then `NO_COLOR` and its relatives, then the terminal
    /// decide about colours.
    pub fn new(quiet: bool) -> Self {
        let wanted = std::env::var_os("CARGO_TERM_COLOR").unwrap_or_default();
        let color = match wanted.as_encoded_bytes() {
            b"always" => ColorChoice::Always,
            b"never" => ColorChoice::Never,
            _ => AutoStream::choice(&std::io::stderr()),
        };
        Self { quiet, color, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Whether only errors are wanted.
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether standard error takes colours.
    pub fn is_colored(&self) -> bool {
        !matches!(self.color, ColorChoice::Never)
    }

    /// The width of the terminal in columns, if standard error is one.
    pub fn terminal_width(&self) -> Option<u16> {
        if !self.is_terminal || self.quiet {
            return None;
        }
        console::Term::stderr().size_checked().map(|(_, columns)| columns)
    }

    /// `   Compiling lifecycle`.
    pub fn status(&self, verb: &str, message: impl Display) {
        if let Some(line) = self.status_line(verb, message) {
            Self::pass_on(line.as_bytes());
        }
    }

    /// The same with the end of its line, to be handed on later; nothing where only errors are wanted.
    pub fn status_line(&self, verb: &str, message: impl Display) -> Option<String> {
        (!self.quiet).then(|| self.rendered(&format!("{VERB}{verb:>12}{RESET} {message}\n")))
    }

    /// `warning: …`.
    pub fn warn(&self, message: impl Display) {
        if let Some(line) = self.warning_line(message) {
            Self::pass_on(line.as_bytes());
        }
    }

    /// The same with the end of its line, to be handed on later; nothing where only errors are wanted.
    pub fn warning_line(&self, message: impl Display) -> Option<String> {
        (!self.quiet).then(|| self.rendered(&format!("{WARNING}warning{RESET}: {message}\n")))
    }

    /// `note: …`.
    pub fn note(&self, message: impl Display) {
        if !self.quiet {
            self.line(&format!("{NOTE}note{RESET}: {message}"));
        }
    }

    /// `error: …`, about one of several things.
    pub fn problem(&self, message: impl Display) {
        self.line(&format!("{ERROR}error{RESET}: {message}"));
    }

    /// `  NAME: …`, why there is the problem above.
    pub fn reason(&self, name: &str, message: impl Display) {
        self.line(&format!("  {name}: {message}"));
    }

    /// `error: …`, followed by the chain of causes.
    pub fn error(&self, error: &anyhow::Error) {
        Self::pass_on(self.error_lines(error).as_bytes());
    }

    /// The same with the ends of its lines, to be handed on later.
    pub fn error_lines(&self, error: &anyhow::Error) -> String {
        let causes = error.chain().skip(1).map(|cause| format!("  caused by: {cause}\n"));
        self.rendered(&format!("{ERROR}error{RESET}: {error}\n{}", causes.collect::<String>()))
    }

    /// Text of several lines, as it is.
    pub fn text(&self, text: &str) {
        self.line(text);
    }

    /// Everything that is wrong with what the user wrote.
    pub fn diagnostics(&self, diagnostics: &Diagnostics) {
        let style = if self.is_colored() { Style::Styled } else { Style::Plain };
        self.line(&render(diagnostics, style));
        let count = diagnostics.0.len();
        let mistakes = if count == 1 { "mistake" } else { "mistakes" };
        self.line(&format!("\n{ERROR}error{RESET}: {count} {mistakes} found"));
    }

    /// What another program wrote for people, with its styles.
    pub fn pass_on(text: &[u8]) {
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away is no reason to stop the build.
        let _ = stderr.write_all(text).and_then(|()| stderr.flush());
    }

    /// Hands on what cargo says, and shows how long it has been running when it says nothing; nothing where only errors are wanted.
    pub fn heartbeat(&self, what: &str) -> Option<Heartbeat> {
        let width = self.terminal_width().map(usize::from);
        (!self.quiet).then(|| Heartbeat::start(what, width))
    }

    /// A bar for `steps` steps; invisible where it would be in the way.
    pub fn progress(&self, verb: &str, steps: usize) -> ProgressBar {
        if self.quiet || !self.is_terminal || steps < WORTH_A_BAR {
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template("{prefix:>12.green.bold} [{bar:25}] {pos}/{len}: {wide_msg}")
                .expect("the template is well-formed")
                .progress_chars("=> ");
        let target = ProgressDrawTarget::stderr();
        ProgressBar::with_draw_target(Some(steps as u64), target)
            .with_style(style)
            .with_prefix(verb.to_owned())
    }

    /// Shows how much was downloaded so far; invisible where nobody watches.
    pub fn transfer(&self) -> ProgressBar {
        if self.quiet || !self.is_terminal {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{prefix:>12.green.bold} {spinner} {bytes} in {elapsed}")
            .expect("the template is well-formed");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let bar = bar.with_style(style).with_prefix("Fetching");
        bar.enable_steady_tick(TICK);
        bar
    }

    /// A text with styles as standard error takes it.
    fn rendered(&self, text: &str) -> String {
        if self.is_colored() { text.to_owned() } else { strip_str(text).to_string() }
    }

    fn line(&self, text: &str) {
        let mut stderr = AutoStream::new(std::io::stderr().lock(), self.color);
        // There is nowhere left to say that standard error is gone.
        let _ = writeln!(stderr, "{text}");
    }
}

/// Prints what was asked for, for people or scripts to read.
pub fn print_data(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")
}
