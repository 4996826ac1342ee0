//! The job proxy, between real servers and clients on the loopback interface.

mod answers;
mod cancellation;
mod fixture;
mod forwarding;
mod gateway;
mod hostile_answers;
mod hostile_calls;
mod replicas;
mod stale;
mod streaming;
mod tunnels;
