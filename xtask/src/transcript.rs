//! What several programs say at the same time, shown as if one had spoken after the other.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memchr::memmem;
use racetrack_launcher::heartbeat::Heartbeat;

use crate::shell::Shell;

/// Shows the first speaker at once, and each other one from the moment that all before it are done.
#[derive(Debug)]
pub(crate) struct Transcript<'a> {
    shell: &'a Shell,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
struct Stage {
    turns: Turns,
    /// Of the speaker whose turn it is, while it speaks.
    heartbeat: Option<Heartbeat>,
}

impl<'a> Transcript<'a> {
    /// Nobody has spoken yet; `tasks` says what each speaker does, as `Compiling component x`.
    pub(crate) fn new(tasks: Vec<String>, shell: &'a Shell) -> Self {
        Self { shell, stage: Mutex::new(Stage { turns: Turns::new(tasks), heartbeat: None }) }
    }

    /// A speaker has begun to work.
    pub(crate) fn begin(&self, speaker: usize) {
        let mut stage = self.stage();
        stage.turns.speakers[speaker].state = State::Working;
        self.start_heartbeat(&mut stage);
    }

    /// A speaker writes, for people.
    pub(crate) fn say(&self, speaker: usize, text: &[u8]) {
        let mut stage = self.stage();
        if let Some(text) = stage.turns.say(speaker, text) {
            show(stage.heartbeat.as_ref(), text);
        }
    }

    /// Forgets the lines with a text that a speaker has said, as far as they were not shown yet.
    pub(crate) fn retract(&self, speaker: usize, text: &[u8]) {
        self.stage().turns.retract(speaker, text);
    }

    /// A status line about the work of a speaker.
    pub(crate) fn status(&self, speaker: usize, verb: &str, message: impl Display) {
        if let Some(line) = self.shell.status_line(verb, message) {
            self.say(speaker, line.as_bytes());
        }
    }

    /// A speaker is done, whether it had begun or not. What those after it have said meanwhile is shown.
    pub(crate) fn end(&self, speaker: usize) {
        let mut stage = self.stage();
        if stage.turns.turn == speaker {
            stage.heartbeat = None;
        }
        let text = stage.turns.end(speaker);
        if !text.is_empty() {
            show(stage.heartbeat.as_ref(), &text);
        }
        self.start_heartbeat(&mut stage);
    }

    fn start_heartbeat(&self, stage: &mut Stage) {
        let speaker = stage.turns.speakers.get(stage.turns.turn);
        if let Some(speaker) = speaker.filter(|speaker| speaker.state == State::Working)
            && stage.heartbeat.is_none()
        {
            stage.heartbeat = self.shell.heartbeat(&speaker.task);
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(heartbeat: Option<&Heartbeat>, text: &[u8]) {
    match heartbeat {
        Some(heartbeat) => heartbeat.pass_on(text),
        None => Shell::pass_on(text),
    }
}

/// Whose turn it is, and what the others have said.
#[derive(Debug)]
struct Turns {
    turn: usize,
    speakers: Vec<Speaker>,
}

#[derive(Debug)]
struct Speaker {
    task: String,
    state: State,
    /// What it has said before its turn.
    unsaid: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Working,
    Done,
}

impl Turns {
    fn new(tasks: Vec<String>) -> Self {
        let speaker = |task| Speaker { task, state: State::Waiting, unsaid: Vec::new() };
        Self { turn: 0, speakers: tasks.into_iter().map(speaker).collect() }
    }

    /// Returns what is to be shown now.
    fn say<'a>(&mut self, speaker: usize, text: &'a [u8]) -> Option<&'a [u8]> {
        if speaker == self.turn {
            return Some(text);
        }
        self.speakers[speaker].unsaid.extend_from_slice(text);
        None
    }

    fn retract(&mut self, speaker: usize, text: &[u8]) {
        let unsaid = &mut self.speakers[speaker].unsaid;
        let lines = unsaid.split_inclusive(|byte| *byte == b'\n');
        *unsaid = lines.filter(|line| memmem::find(line, text).is_none()).flatten().copied().collect();
    }

    /// Returns what is to be shown now.
    fn end(&mut self, speaker: usize) -> Vec<u8> {
        self.speakers[speaker].state = State::Done;
        let mut shown = Vec::new();
        while self.speakers.get(self.turn).is_some_and(|speaker| speaker.state == State::Done) {
            self.turn += 1;
            if let Some(next) = self.speakers.get_mut(self.turn) {
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
