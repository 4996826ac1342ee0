//! Serves one function over HTTP, as Racetrack expects it of a job.
//!
//! The server is made of the standard library: a job must compile where nothing but Rust is installed and no registry
//! is within reach, so every dependency would be one more thing to be missing. One thread serves one connection.
//! That is plain, and right behind a proxy, which keeps few connections and reuses them.

mod answer;
mod connection;
mod function;
mod http;
mod identity;
mod log;
mod metrics;
mod pages;
mod parameters;
mod routes;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;

use serde::de::DeserializeOwned;

pub use self::answer::Answer;
use self::function::Function;
use self::identity::Identity;
use self::routes::Job;

/// Serves the function at the address that the command line gives (`--host 127.0.0.1 --port 7000`), until the process is
/// told to end.
///
/// The function takes what callers post, as any type that can be read from a JSON object, and returns a `Result`, or a
/// [`serde_json::Value`].
pub fn run<I, O, F>(function: F) -> ExitCode
where
    I: DeserializeOwned + 'static,
    O: Answer,
    F: Fn(I) -> O + Send + Sync + 'static,
{
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some(address) = address(&arguments) else {
        log::line(&format!("usage: --host ADDRESS --port PORT, not {arguments:?}"));
        return ExitCode::from(2);
    };
    let job = Job::new(Function::new(function), Identity::from_environment());
    match server::serve(address, job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(&format!("cannot serve at {address}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn address(arguments: &[String]) -> Option<SocketAddr> {
    let [host_option, host, port_option, port] = arguments else { return None };
    let are_options = host_option == "--host" && port_option == "--port";
    are_options.then(|| Some(SocketAddr::new(host.parse().ok()?, port.parse().ok()?))).flatten()
}
