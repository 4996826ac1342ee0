//! The tests of the server that jobs are compiled into: its source is a resource, which no package of the workspace has.

#[allow(dead_code, reason = "`run` is the entry of programs, and this is none")]
#[path = "../resources/server/src/lib.rs"]
mod job_server;
