//! The lease of a database on PostgreSQL: who alone may write there, and for how long.
//!
//! A row with an epoch rather than an advisory lock: the server may end the session that holds a lock while
//! its process still believes that it has it, and only a row can be checked in the transaction that writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use racetrack_core::trouble::Trouble;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Row};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::database::clock::since_boot;
use crate::database::limited_connection::LimitedConnection;

/// How long a lease is good for after it was renewed. Whoever takes over from a process that was killed waits
/// as long.
const TERM: Duration = Duration::from_secs(10);

/// How often it is renewed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3);

/// How long a renewal may take, with its connection.
const RENEWAL_TIME_LIMIT: Duration = Duration::from_secs(2);

/// How often whoever wants the lease looks whether it is free.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

const NAME: &str = "lifecycle";

/// Stands for an end of a lease that no lease has.
const NONE_IS_OVER: i64 = -1;

/// Takes or renews, by the clock of the database; no row comes back while somebody else has the lease.
const TAKE: &str = "INSERT INTO leases AS l (name, holder, description, epoch, expires_ms) \
     VALUES ($1, $2, $3, 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4) \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, description = excluded.description, \
     expires_ms = excluded.expires_ms, epoch = l.epoch + (l.holder <> excluded.holder)::int \
     WHERE l.holder = excluded.holder \
     OR l.expires_ms < floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint OR l.expires_ms = $5 \
     RETURNING epoch";
const LOOK: &str = "SELECT description, expires_ms FROM leases WHERE name = $1";
const GIVE_BACK: &str = "UPDATE leases SET expires_ms = 0 WHERE name = $1 AND holder = $2 AND epoch = $3";

/// The share lock keeps the lease from going over until the transaction that checks it has ended.
const CHECK: &str = "SELECT epoch FROM leases WHERE name = $1 AND holder = $2 AND epoch = $3 FOR SHARE";

/// The lease, while this process has it.
#[derive(Debug)]
pub(crate) struct Lease {
    terms: Arc<Terms>,
    renewing: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Terms {
    options: AnyConnectOptions,
    /// This process, and no other that ever was.
    holder: String,
    description: String,
    epoch: i64,
    state: watch::Sender<State>,
}

/// What is known of a lease.
#[derive(Clone, Debug)]
enum State {
    /// It was renewed, and is good until then ([time since the start](since_boot)), unless the database stops
    /// to answer.
    Held { until: Duration },
    /// Somebody else has it, or had it: what is in memory here may not be what the database has.
    Lost { to: String },
}

/// Why a lease was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody has it, and keeps it.
    Held(String),
    Failed(sqlx::Error),
}

impl State {
    /// Whether the lease is good for a while.
    fn is_certain(&self, now: Duration) -> bool {
        // Less than the whole term: what is done now takes time.
        matches!(self, Self::Held { until } if *until > now + TERM / 5)
    }
}

impl Lease {
    /// Takes the lease, as soon as it is free. While somebody has it, looks whether they renew it: whoever
    /// was killed does not.
    pub(crate) async fn take(options: AnyConnectOptions, description: &str) -> Result<Self, Refusal> {
        let mut connection = options.connect().await?;
        let (holder, description) = (Uuid::new_v4().to_string(), description.to_owned());
        let mut first_look = None;
        // Of a clock that stands still while the machine is suspended: so may whoever has the lease, if on
        // this machine.
        let started = Instant::now();
        let (epoch, until) = loop {
            let asked = since_boot();
            // A lease that nobody has renewed for a whole term is over, also where the clock of the database
            // was set back.
            let over = first_look.filter(|_| started.elapsed() > TERM).unwrap_or(NONE_IS_OVER);
            if let Some(epoch) = take(&mut connection, (&holder, &description), over).await? {
                break (epoch, asked + TERM);
            }
            let Some((other, expires)) = look(&mut connection).await? else { continue };
            match first_look {
                None => {
                    first_look = Some(expires);
                    tracing::info!("the database is in use by {other}; waiting whether that one still lives");
                }
                Some(first) if expires != first => return Err(Refusal::Held(other)),
                Some(_) => {}
            }
            sleep(LOOK_INTERVAL).await;
        };
        let state = watch::Sender::new(State::Held { until });
        let terms = Arc::new(Terms { options, holder, description, epoch, state });
        let renewing = tokio::spawn(Arc::clone(&terms).keep(connection));
        Ok(Self { terms, renewing: Mutex::new(Some(renewing)) })
    }

    /// Whether this process has the lease still, as the transaction on this connection sees it, and until
    /// that ends.
    pub(crate) async fn is_held_in(&self, transaction: &mut LimitedConnection) -> Result<bool, sqlx::Error> {
        let Terms { holder, epoch, .. } = &*self.terms;
        let check = sqlx::query(CHECK).bind(NAME).bind(holder.clone()).bind(*epoch);
        Ok(check.fetch_optional(transaction).await?.is_some())
    }

    /// Whether the lease is good for a while: the database was heard of lately.
    pub(crate) fn is_certain(&self) -> bool {
        self.terms.state.borrow().is_certain(since_boot())
    }

    /// Waits until somebody else has the lease, and names them.
    pub(crate) async fn lost(&self) -> String {
        let mut states = self.terms.state.subscribe();
        loop {
            if let State::Lost { to } = &*states.borrow_and_update() {
                return to.clone();
            }
            // The sender is this very value's, so there always may be another state.
            let _ = states.changed().await;
        }
    }

    /// Gives the lease back, so that the next one need not wait until it ends.
    pub(crate) async fn give_back(&self) -> Result<(), sqlx::Error> {
        let renewing = self.renewing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(renewing) = renewing else { return Ok(()) };
        renewing.abort();
        // A renewal that is on its way would give it longer.
        drop(renewing.await);
        let Terms { options, holder, epoch, .. } = &*self.terms;
        let given_back = timeout(RENEWAL_TIME_LIMIT, async {
            let mut connection = options.connect().await?;
            let query = sqlx::query(GIVE_BACK).bind(NAME).bind(holder.clone()).bind(*epoch);
            query.execute(&mut connection).await?;
            connection.close().await
        });
        given_back.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let renewing = self.renewing.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(renewing) = renewing.take() {
            renewing.abort();
        }
    }
}

impl Terms {
    /// Renews until somebody else has the lease. A database that is away has given it to nobody.
    async fn keep(self: Arc<Self>, connection: AnyConnection) {
        let mut connection = Some(connection);
        let trouble = Trouble::new();
        loop {
            sleep(RENEWAL_INTERVAL).await;
            let asked = since_boot();
            let renewal = timeout(RENEWAL_TIME_LIMIT, self.renew(connection.take())).await;
            match renewal.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok((same, Renewal::Done)) => {
                    connection = Some(same);
                    if trouble.ends() {
                        tracing::info!("the lease of the database is renewed again");
                    }
                    self.state.send_replace(State::Held { until: asked + TERM });
                }
                Ok((_, Renewal::Lost { to })) => {
                    self.state.send_replace(State::Lost { to });
                    return;
                }
                Err(error) if trouble.begins() => {
                    tracing::warn!(
                        %error,
                        "the lease of the database is not renewed; it is tried again and again"
                    );
                }
                Err(error) => tracing::debug!(%error, "the lease of the database is not renewed"),
            }
        }
    }

    async fn renew(
        &self,
        connection: Option<AnyConnection>,
    ) -> Result<(AnyConnection, Renewal), sqlx::Error> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let renewal = match take(&mut connection, (&self.holder, &self.description), NONE_IS_OVER).await? {
            Some(epoch) if epoch == self.epoch => Renewal::Done,
            // Somebody had it meanwhile, and gave it back.
            Some(_) => Renewal::Lost { to: "a process that has ended since".to_owned() },
            None => match look(&mut connection).await? {
                Some((to, _)) => Renewal::Lost { to },
                None => Renewal::Lost { to: "whoever removed its row".to_owned() },
            },
        };
        Ok((connection, renewal))
    }
}

enum Renewal {
    Done,
    Lost { to: String },
}

async fn take(
    connection: &mut AnyConnection,
    (holder, description): (&str, &str),
    over: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let term = i64::try_from(TERM.as_millis()).unwrap_or(i64::MAX);
    let query = sqlx::query_scalar(TAKE);
    let query = query.bind(NAME).bind(holder.to_owned()).bind(description.to_owned()).bind(term);
    let query = query.bind(over);
    query.fetch_optional(connection).await
}

/// Who has the lease, and until when.
async fn look(connection: &mut AnyConnection) -> Result<Option<(String, i64)>, sqlx::Error> {
    let row = sqlx::query(LOOK).bind(NAME).fetch_optional(connection).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database goes on meanwhile, and gives the lease to somebody else.
    #[test]
    fn a_lease_ends_while_the_machine_is_suspended() {
        let renewed = since_boot();
        let state = State::Held { until: renewed + TERM };
        assert!(state.is_certain(renewed) && state.is_certain(renewed + RENEWAL_INTERVAL * 2));
        let suspended = Duration::from_mins(5);
        assert!(!state.is_certain(renewed + suspended));
        assert!(!State::Lost { to: "another".to_owned() }.is_certain(renewed));
    }
}
