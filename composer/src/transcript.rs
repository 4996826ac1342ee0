//! What several programs say at the same time, shown as if one had spoken after the other.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memchr::memmem;
use racetrack_launcher::heartbeat::Heartbeat;

use crate::shell::Shell;

/// Shows the first speaker at once, and each other one from the moment that all before it are done.
#[derive(Debug)]
pub struct Transcript<'a> {
    shell: &'a Shell,
    stage: Mutex<Stage>,
}

/// One of those that speak.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    transcript: &'a Transcript<'a>,
    number: usize,
}

#[derive(Debug)]
struct Stage {
    turns: Turns,
    /// Of the speaker whose turn it is, while it speaks.
    heartbeat: Option<Heartbeat>,
}

impl<'a> Transcript<'a> {
    /// Nobody has spoken yet; `tasks` says what each speaker does, as `Compiling component x`.
    pub fn new(tasks: Vec<String>, shell: &'a Shell) -> Self {
        Self { shell, stage: Mutex::new(Stage { turns: Turns::new(tasks), heartbeat: None }) }
    }

    /// The speaker of a task.
    pub const fn speaker(&'a self, number: usize) -> Speaker<'a> {
        Speaker { transcript: self, number }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Speaker<'_> {
    /// It begins to work.
    pub fn begin(self) {
        let mut stage = self.transcript.stage();
        stage.turns.parts[self.number].state = State::Working;
        stage.start_heartbeat(self.transcript.shell);
    }

    /// It writes, for people.
    pub fn say(self, text: &[u8]) {
        let mut stage = self.transcript.stage();
        if let Some(text) = stage.turns.say(self.number, text) {
            stage.show(text);
        }
    }

    /// A status line about its work.
    pub fn status(self, verb: &str, message: impl Display) {
        if let Some(line) = self.transcript.shell.status_line(verb, message) {
            self.say(line.as_bytes());
        }
    }

    /// A warning about its work.
    pub fn warn(self, message: impl Display) {
        if let Some(line) = self.transcript.shell.warning_line(message) {
            self.say(line.as_bytes());
        }
    }

    /// Its work has failed, with the chain of causes.
    pub fn error(self, error: &anyhow::Error) {
        self.say(self.transcript.shell.error_lines(error).as_bytes());
    }

    /// Forgets the lines with a text that it has said, as far as they were not shown yet.
    pub fn retract(self, text: &[u8]) {
        self.transcript.stage().turns.retract(self.number, text);
    }

    /// Forgets what it has said, as far as that was not shown yet, and whatever it says from now on.
    pub fn silence(self) {
        self.transcript.stage().turns.silence(self.number);
    }

    /// It is done. What those after it have said meanwhile is shown.
    pub fn end(self) {
        let mut stage = self.transcript.stage();
        if stage.turns.turn == self.number {
            stage.heartbeat = None;
        }
        let text = stage.turns.end(self.number);
        if !text.is_empty() {
            stage.show(&text);
        }
        stage.start_heartbeat(self.transcript.shell);
    }
}

impl Stage {
    fn start_heartbeat(&mut self, shell: &Shell) {
        let part = self.turns.parts.get(self.turns.turn);
        if let Some(part) = part.filter(|part| part.state == State::Working)
            && self.heartbeat.is_none()
        {
            self.heartbeat = shell.heartbeat(&part.task);
        }
    }

    fn show(&self, text: &[u8]) {
        match &self.heartbeat {
            Some(heartbeat) => heartbeat.pass_on(text),
            None => Shell::pass_on(text),
        }
    }
}

/// Whose turn it is, and what the others have said.
#[derive(Debug)]
struct Turns {
    turn: usize,
    parts: Vec<Part>,
}

/// What one speaker has to say.
#[derive(Debug)]
struct Part {
    task: String,
    state: State,
    /// What it has said before its turn.
    unsaid: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Working,
    Silenced,
    Done,
}

impl Turns {
    fn new(tasks: Vec<String>) -> Self {
        let part = |task| Part { task, state: State::Waiting, unsaid: Vec::new() };
        Self { turn: 0, parts: tasks.into_iter().map(part).collect() }
    }

    /// Returns what is to be shown now.
    fn say<'a>(&mut self, number: usize, text: &'a [u8]) -> Option<&'a [u8]> {
        let part = &mut self.parts[number];
        if part.state == State::Silenced {
            return None;
        }
        if number == self.turn {
            return Some(text);
        }
        part.unsaid.extend_from_slice(text);
        None
    }

    fn retract(&mut self, number: usize, text: &[u8]) {
        let unsaid = &mut self.parts[number].unsaid;
        let lines = unsaid.split_inclusive(|byte| *byte == b'\n');
        *unsaid = lines.filter(|line| memmem::find(line, text).is_none()).flatten().copied().collect();
    }

    fn silence(&mut self, number: usize) {
        let part = &mut self.parts[number];
        part.state = State::Silenced;
        part.unsaid.clear();
    }

    /// Returns what is to be shown now.
    fn end(&mut self, number: usize) -> Vec<u8> {
        self.parts[number].state = State::Done;
        let mut shown = Vec::new();
        while self.parts.get(self.turn).is_some_and(|part| part.state == State::Done) {
            self.turn += 1;
            if let Some(next) = self.parts.get_mut(self.turn) {
                shown.append(&mut next.unsaid);
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_shown_yet_can_be_retracted() {
        let mut turns = Turns::new(["a", "b"].map(str::to_owned).to_vec());
        for text in ["one\n", "it wa", "its\n", "two"] {
            turns.say(1, text.as_bytes());
        }
        turns.retract(1, b"waits");
        assert_eq!(turns.end(0), b"one\ntwo");
        turns.retract(1, b"two");
    }

    #[test]
    fn a_silenced_speaker_is_not_heard() {
        let mut turns = Turns::new(["a", "b"].map(str::to_owned).to_vec());
        turns.say(1, b"1");
        turns.silence(1);
        turns.say(1, b"2");
        assert_eq!(turns.end(0), b"");
        assert_eq!(turns.say(1, b"3"), None);
    }

    #[test]
    fn everybody_is_shown_whole_and_in_order() {
        let mut turns = Turns::new(["a", "b", "c"].map(str::to_owned).to_vec());
        assert_eq!(turns.say(0, b"1"), Some(&b"1"[..]));
        assert_eq!((turns.say(1, b"2"), turns.say(2, b"4"), turns.say(1, b"3")), (None, None, None));
        assert_eq!(turns.end(1), b"", "it is not the turn of those after it yet");
        assert_eq!(turns.say(0, b"1"), Some(&b"1"[..]));
        assert_eq!(turns.end(0), b"234");
        assert_eq!(turns.say(2, b"5"), Some(&b"5"[..]));
        assert_eq!(turns.end(2), b"");
    }
}
