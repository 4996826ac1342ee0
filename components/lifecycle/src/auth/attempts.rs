//! How often passwords may be tried: ever less often after wrong ones.
//!
//! Wrong passwords are counted for the account and for the peer that tries, see [`racetrack_service::peer`]. After some of
//! them the next attempt is taken only after a delay, which doubles up to a limit, and is refused before that, whether the
//! password is right or wrong: nothing is hashed. Whoever guesses without a pause takes the turns there are, so the owner of the
//! account, from a peer that is not known to it, may be refused for as long as that goes on.
//!
//! A peer that has logged in to the account before is known to it. What others try does not concern it: there are
//! attempts of its own for that account, and instead of being refused they wait for their turn, which is soon. So no owner is locked
//! out of where they log in from usually.
//!
//! An attempt whose password is being checked may turn out to be wrong. Where that would delay the next one, the next one waits for
//! the outcome: many right ones at once are let through one after the other, and many wrong ones are as few as one after the other.
//!
//! All of this is in memory, as much as [`MAX_ENTRIES`] allow, and forgotten when lifecycle ends.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::request_error::RequestError;

/// Wrong passwords that are older do not count any more.
const MEMORY: Duration = Duration::from_mins(15);

/// Of this many accounts and peers attempts are counted, and as many pairs are known to each other. Beyond that, those that
/// have been quiet for longest are forgotten.
const MAX_ENTRIES: usize = 10_000;

/// The longest name that is told from others, in bytes; users have shorter ones.
const MAX_NAME: usize = 160;

/// So many attempts of a known peer wait for their turn.
const MAX_WAITING: u32 = 8;

/// So many attempts for an account wait for the outcome of others.
const MAX_IN_LINE: u32 = 64;

/// Counts attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    free: u32,
    table: Mutex<Table>,
    /// Tells that the outcome of an attempt is known.
    ended: Notify,
}

/// What a password is tried for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// To log in.
    Login,
    /// To change it, by somebody who shows a token of the user already. Strangers cannot delay that.
    Change,
}

/// An attempt that is let through. It counts as wrong unless it is said to be [right](Self::succeeded), or
/// [not to have been one](Self::was_none).
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'a> {
    attempts: &'a Attempts,
    account: Account,
    peer: PeerKey,
    is_known: bool,
    is_settled: bool,
}

/// There were too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts with wrong passwords; try again in {} s", seconds(*.again_in))]
pub(crate) struct TooManyAttempts {
    pub(crate) again_in: Duration,
}

/// A name without differences of case, and what its password is tried for.
type Account = (Purpose, Box<str>);

#[derive(Debug, Default)]
struct Table {
    counts: HashMap<Counted, Count>,
    known: HashMap<(Account, PeerKey), Instant>,
}

/// What attempts are counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Account(Account),
    Peer(PeerKey),
    KnownPeer(Account, PeerKey),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// Those that were wrong, and those that may turn out to be.
    attempts: u32,
    /// Of these the ones whose passwords are being checked.
    under_way: u32,
    /// Those that wait for their turn.
    waiting: u32,
    /// Those that wait for the outcome of others.
    in_line: u32,
    latest: Instant,
    /// When the next attempt may be made.
    next: Instant,
}

/// How attempts are delayed.
struct Delays {
    /// So many are not.
    free: u32,
    first: Duration,
    longest: Duration,
}

impl Counted {
    /// The delays where so many attempts for an account are free.
    const fn delays(&self, free: u32) -> Delays {
        match self {
            Self::Account(_) => {
                Delays { free, first: Duration::from_secs(1), longest: Duration::from_secs(30) }
            }
            // Many users may be behind it.
            Self::Peer(peer) if peer.is_shared() => {
                let free = free.saturating_mul(5);
                Delays { free, first: Duration::from_secs(1), longest: Duration::from_secs(5) }
            }
            Self::Peer(_) => {
                let free = free.saturating_mul(2);
                Delays { free, first: Duration::from_secs(1), longest: Duration::from_mins(1) }
            }
            Self::KnownPeer(..) => {
                Delays { free, first: Duration::from_millis(250), longest: Duration::from_secs(4) }
            }
        }
    }
}

impl Delays {
    /// The time from one attempt to the next, after so many.
    fn after(&self, attempts: u32) -> Duration {
        match attempts.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(more) => self.first.saturating_mul(1 << (more - 1).min(16)).min(self.longest),
        }
    }
}

impl Attempts {
    /// Nothing has been tried yet. So many wrong passwords of an account are not delayed.
    pub(crate) fn new(free: u32) -> Self {
        Self { free, table: Mutex::default(), ended: Notify::new() }
    }

    /// Lets an attempt through, possibly after a while.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when it comes too soon after others.
    pub(crate) async fn begin(
        &self,
        purpose: Purpose,
        username: &str,
        peer: PeerKey,
    ) -> Result<Attempt<'_>, TooManyAttempts> {
        let account = account(purpose, username);
        loop {
            // Before the table is asked: what ends afterwards is heard of.
            let ended = self.ended.notified();
            let begun = self.table().begin(&account, peer, self.free, Instant::now())?;
            let is_known = match begun {
                Begun::AfterOthers(counted) => {
                    let _place = Place { attempts: self, counted, of: |count| &mut count.in_line };
                    ended.await;
                    continue;
                }
                Begun::At(turn) => {
                    let counted = Counted::KnownPeer(account.clone(), peer);
                    let place = Place { attempts: self, counted, of: |count| &mut count.waiting };
                    tokio::time::sleep_until(turn).await;
                    self.table().note_under_way(&place.counted);
                    true
                }
                Begun::Now { is_known } => is_known,
            };
            return Ok(Attempt { attempts: self, account, peer, is_known, is_settled: false });
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    fn counted(&self) -> Vec<Counted> {
        let account = self.account.clone();
        if self.is_known {
            return vec![Counted::KnownPeer(account, self.peer)];
        }
        vec![Counted::Account(account), Counted::Peer(self.peer)]
    }

    /// Whether the peer is known to the account.
    pub(crate) const fn is_known(&self) -> bool {
        self.is_known
    }

    /// The password was right: the peer is known to the account from now on.
    pub(crate) fn succeeded(mut self) {
        let mut table = self.attempts.table();
        table.settle(&self, Outcome::NotWrong);
        let key = (self.account.clone(), self.peer);
        table.forgive(&key);
        make_room(&mut table.known, |latest| *latest);
        table.known.insert(key, Instant::now());
        drop(table);
        self.is_settled = true;
    }

    /// It was not found out whether the password is right.
    pub(crate) fn was_none(mut self) {
        self.attempts.table().settle(&self, Outcome::NotWrong);
        self.is_settled = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.attempts.table().settle(self, Outcome::Wrong);
        }
        self.attempts.ended.notify_waiters();
    }
}

/// What is found out about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Wrong,
    NotWrong,
}

/// When an attempt may be made.
enum Begun {
    Now {
        is_known: bool,
    },
    /// Of a known peer.
    At(Instant),
    /// When the outcome of others is known that are counted here, it may be asked again.
    AfterOthers(Counted),
}

/// The place of an attempt that waits, whether what it waits for comes or the client goes away before.
struct Place<'a> {
    attempts: &'a Attempts,
    counted: Counted,
    of: fn(&mut Count) -> &mut u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.attempts.table();
        let Some(count) = table.counts.get_mut(&self.counted) else { return };
        let places = (self.of)(count);
        *places = places.saturating_sub(1);
        if count.is_unused() {
            table.counts.remove(&self.counted);
        }
    }
}

impl Table {
    /// Counts an attempt, unless it has to wait for the outcome of others.
    fn begin(
        &mut self,
        account: &Account,
        peer: PeerKey,
        free: u32,
        now: Instant,
    ) -> Result<Begun, TooManyAttempts> {
        make_room(&mut self.counts, |count| count.latest);
        if let Some(latest) = self.known.get_mut(&(account.clone(), peer)) {
            *latest = now;
            let counted = Counted::KnownPeer(account.clone(), peer);
            let mut counting = self.count_of(&counted, free, now);
            if counting.0.may_be_free_soon(now) {
                counting.take_place(now)?;
                return Ok(Begun::AfterOthers(counted));
            }
            return Ok(match counting.queue(now)? {
                Some(turn) => Begun::At(turn),
                None => Begun::Now { is_known: true },
            });
        }
        let both = [Counted::Account(account.clone()), Counted::Peer(peer)];
        let counts = || both.iter().filter_map(|counted| self.counts.get(counted));
        let delayed: Vec<_> = counts().filter(|count| count.next > now).copied().collect();
        if let Some(next) = delayed.iter().map(|count| count.next).max() {
            if !delayed.iter().all(|count| count.may_be_free_soon(now)) {
                return Err(TooManyAttempts { again_in: next.duration_since(now) });
            }
            let [of_account, _] = both;
            self.count_of(&of_account, free, now).take_place(now)?;
            return Ok(Begun::AfterOthers(of_account));
        }
        for counted in both {
            let delays = counted.delays(free);
            let count = self.count_of(&counted, free, now).0;
            count.attempts += 1;
            count.latest = now;
            count.next = now + delays.after(count.attempts);
            count.under_way += 1;
        }
        Ok(Begun::Now { is_known: false })
    }

    fn count_of(&mut self, counted: &Counted, free: u32, now: Instant) -> Counting<'_> {
        let new = Count { attempts: 0, under_way: 0, waiting: 0, in_line: 0, latest: now, next: now };
        let count = self.counts.entry(counted.clone()).or_insert(new);
        if now.duration_since(count.latest) >= MEMORY {
            *count = new;
        }
        Counting(count, counted.delays(free))
    }

    /// The password of an attempt that waited is checked from now on.
    fn note_under_way(&mut self, counted: &Counted) {
        if let Some(count) = self.counts.get_mut(counted) {
            count.under_way += 1;
        }
    }

    /// The outcome of an attempt is known.
    fn settle(&mut self, attempt: &Attempt<'_>, outcome: Outcome) {
        for counted in attempt.counted() {
            let delays = counted.delays(attempt.attempts.free);
            let Some(count) = self.counts.get_mut(&counted) else { continue };
            count.under_way = count.under_way.saturating_sub(1);
            if outcome == Outcome::Wrong {
                continue;
            }
            count.attempts = count.attempts.saturating_sub(1);
            count.next = count.next.min(count.latest + delays.after(count.attempts));
            if count.is_unused() {
                self.counts.remove(&counted);
            }
        }
    }

    /// The right password of a known peer makes up for its wrong ones, though not for those that may turn out to be.
    fn forgive(&mut self, (account, peer): &(Account, PeerKey)) {
        let counted = Counted::KnownPeer(account.clone(), *peer);
        if let Some(count) = self.counts.get_mut(&counted) {
            count.attempts = count.under_way + count.waiting;
            count.next = count.next.min(count.latest);
            if count.is_unused() {
                self.counts.remove(&counted);
            }
        }
    }
}

impl Count {
    /// Whether the delay may be over as soon as the outcome of others is known.
    fn may_be_free_soon(&self, now: Instant) -> bool {
        self.next > now && self.under_way > 0
    }

    const fn is_unused(&self) -> bool {
        self.attempts == 0 && self.waiting == 0 && self.in_line == 0
    }
}

/// A count with its delays.
struct Counting<'a>(&'a mut Count, Delays);

impl Counting<'_> {
    /// Takes a place in the line of those that wait for the outcome of others.
    fn take_place(&mut self, now: Instant) -> Result<(), TooManyAttempts> {
        let Self(count, _) = self;
        if count.in_line >= MAX_IN_LINE {
            return Err(TooManyAttempts { again_in: count.next.saturating_duration_since(now) });
        }
        count.in_line += 1;
        Ok(())
    }

    /// Takes the next turn, if not too many wait for theirs.
    fn queue(self, now: Instant) -> Result<Option<Instant>, TooManyAttempts> {
        let Self(count, delays) = self;
        let turn = count.next.max(now);
        if turn > now {
            if count.waiting >= MAX_WAITING {
                return Err(TooManyAttempts { again_in: turn.duration_since(now) });
            }
            count.waiting += 1;
        }
        count.attempts += 1;
        count.latest = now;
        count.next = turn + delays.after(count.attempts);
        if turn > now {
            return Ok(Some(turn));
        }
        count.under_way += 1;
        Ok(None)
    }
}

/// Forgets a quarter of the entries, those that have been quiet for longest, when there are too many.
fn make_room<K: Clone + Eq + Hash, V>(entries: &mut HashMap<K, V>, latest: impl Fn(&V) -> Instant) {
    if entries.len() < MAX_ENTRIES {
        return;
    }
    let mut times: Vec<_> = entries.values().map(&latest).collect();
    let (_, quartile, _) = times.select_nth_unstable(MAX_ENTRIES / 4);
    let quartile = *quartile;
    entries.retain(|_, value| latest(value) > quartile);
}

fn account(purpose: Purpose, username: &str) -> Account {
    let end = (0..=MAX_NAME.min(username.len())).rev().find(|end| username.is_char_boundary(*end));
    (purpose, username[..end.unwrap_or(0)].to_ascii_lowercase().into())
}

/// Rounded up: earlier it is still too soon.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl From<TooManyAttempts> for RequestError {
    fn from(error: TooManyAttempts) -> Self {
        let refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", error.to_string());
        refused.retry_after(error.again_in).into()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use racetrack_service::peer::Peer;

    use super::*;

    fn peer(number: u8) -> PeerKey {
        Peer([192, 0, 2, number].into()).key()
    }

    async fn login<'a>(
        attempts: &'a Attempts,
        username: &str,
        peer: PeerKey,
    ) -> Result<Attempt<'a>, TooManyAttempts> {
        attempts.begin(Purpose::Login, username, peer).await
    }

    /// How many wrong passwords in a row are tried within the time, by somebody who tries whenever that is allowed.
    async fn guesses(attempts: &Attempts, username: &str, peer: PeerKey, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut tried = 0;
        while Instant::now() < end {
            match login(attempts, username, peer).await {
                Ok(_) => tried += 1,
                Err(TooManyAttempts { again_in }) => tokio::time::sleep(again_in).await,
            }
        }
        tried
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_gets_slower_and_slower() {
        let attempts = Attempts::new(10);
        // Eleven at once, five within half a minute, ten more each half a minute, and then one each minute.
        assert_eq!(guesses(&attempts, "admin", peer(1), Duration::from_mins(10)).await, 11 + 5 + 10 + 4);
        let _ = login(&attempts, "admin", peer(1)).await;
        // Neither another peer nor another spelling is of use.
        let refused = login(&attempts, "ADMIN", peer(2)).await.expect_err("is too soon");
        assert!(refused.again_in <= Duration::from_secs(30), "{refused}");
        // Nor is another account to the same peer.
        let attempts = Attempts::new(10);
        for number in 0..20 {
            drop(login(&attempts, &format!("user{number}"), peer(1)).await.expect("is let through"));
        }
        drop(login(&attempts, "other", peer(1)).await.expect("is the last one"));
        let refused = login(&attempts, "another", peer(1)).await.expect_err("is too soon");
        assert_eq!(refused.to_string(), "too many attempts with wrong passwords; try again in 1 s");
        drop(login(&attempts, "another", peer(2)).await.expect("is let through"));
    }

    /// Tries a password, whose check takes a while.
    async fn try_password(attempts: &Attempts, is_right: bool) -> Result<(), TooManyAttempts> {
        let attempt = login(attempts, "admin", peer(1)).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        if is_right {
            attempt.succeeded();
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn right_passwords_at_once_wait_for_each_other() {
        let attempts = Attempts::new(10);
        // Of a peer that is not known, and of one that is.
        for _ in 0..2 {
            let all = join_all((0..60).map(|_| try_password(&attempts, true))).await;
            assert!(all.iter().all(Result::is_ok), "{all:?}");
        }
        assert!(attempts.table().counts.is_empty(), "none was wrong");
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_passwords_at_once_are_as_few_as_one_after_the_other() {
        let attempts = Attempts::new(10);
        let all = join_all((0..1000).map(|_| try_password(&attempts, false))).await;
        assert_eq!(all.iter().filter(|attempt| attempt.is_ok()).count(), 11);
        let table = attempts.table();
        assert!(table.counts.values().all(|count| (count.under_way, count.in_line) == (0, 0)), "{table:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_at_once_count_before_they_fail() {
        let attempts = Attempts::new(10);
        let mut under_way = Vec::new();
        while let Some(attempt) = login(&attempts, "admin", peer(1)).now_or_never() {
            under_way.push(attempt.expect("is let through"));
        }
        assert_eq!(under_way.len(), 11);
        under_way.into_iter().for_each(Attempt::was_none);
        assert!(attempts.table().counts.is_empty(), "nothing was tried");
        login(&attempts, "admin", peer(1)).await.expect("is let through").succeeded();
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_peer_is_not_locked_out() {
        let attempts = Attempts::new(10);
        login(&attempts, "admin", peer(1)).await.expect("is let through").succeeded();
        for number in 2..=100 {
            guesses(&attempts, "admin", peer(number), Duration::from_secs(1)).await;
        }
        drop(login(&attempts, "admin", peer(101)).await.expect("is let through"));
        assert!(login(&attempts, "admin", peer(102)).await.is_err());
        let attempt = login(&attempts, "admin", peer(1)).now_or_never().expect("at once");
        attempt.expect("is let through").succeeded();
        // Not even by those who guess from the same address: it waits a few seconds.
        let tried = guesses(&attempts, "admin", peer(1), Duration::from_mins(10)).await;
        assert!(tried < 170, "{tried}");
        let before = Instant::now();
        login(&attempts, "admin", peer(1)).await.expect("waits for its turn").succeeded();
        assert!(before.elapsed() <= Duration::from_secs(4), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_a_known_peer_does_not_wait_for_ever() {
        let attempts = Attempts::new(10);
        login(&attempts, "admin", peer(1)).await.expect("is let through").succeeded();
        let crowd = join_all((0..150).map(|_| try_password(&attempts, false))).await;
        let tried = crowd.iter().filter(|attempt| attempt.is_ok()).count();
        assert_eq!(tried, 11 + MAX_WAITING as usize);
        login(&attempts, "admin", peer(1)).await.expect("waits for its turn").succeeded();
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_goes_away_leaves_the_line() {
        let attempts = Attempts::new(10);
        login(&attempts, "admin", peer(1)).await.expect("is let through").succeeded();
        for _ in 0..11 {
            drop(login(&attempts, "admin", peer(1)).await.expect("is let through"));
        }
        for _ in 0..50 {
            assert!(login(&attempts, "admin", peer(1)).now_or_never().is_none(), "waits");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_do_not_delay_the_change_of_a_password() {
        let attempts = Attempts::new(10);
        guesses(&attempts, "bob", peer(1), Duration::from_mins(1)).await;
        drop(attempts.begin(Purpose::Change, "bob", peer(2)).await.expect("is let through"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_long_ago_does_not_count() {
        let attempts = Attempts::new(10);
        guesses(&attempts, "admin", peer(1), Duration::from_mins(1)).await;
        tokio::time::advance(MEMORY).await;
        for _ in 0..10 {
            drop(login(&attempts, "admin", peer(1)).await.expect("is let through"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let attempts = Attempts::new(10);
        for number in 0..40_000_u32 {
            let [_, a, b, c] = number.to_be_bytes();
            let peer = Peer([10, a, b, c].into()).key();
            let name = format!("{number}{}", "é".repeat(1000));
            let attempt = login(&attempts, &name, peer).await.expect("is let through");
            if number % 2 == 0 {
                attempt.succeeded();
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let table = attempts.table();
        assert!(table.counts.len() <= MAX_ENTRIES + 2 && table.known.len() <= MAX_ENTRIES);
        assert!(table.counts.keys().all(|counted| match counted {
            Counted::Account((_, name)) => name.len() <= MAX_NAME,
            _ => true,
        }));
    }
}
