//! What calls pass on their way to a job, for comparison with lifecycle.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use racetrack_tests::Sandbox;
use racetrack_tests::component::free_address;
use racetrack_tests::staged_platform::wait_until;

use crate::load::Client;

/// The address of what hands on bytes to `target` and back, one thread for each connection and direction.
pub(crate) fn relay(target: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let caller = caller.expect("is accepted");
            let job = TcpStream::connect(target).expect("somebody listens");
            for stream in [&caller, &job] {
                stream.set_nodelay(true).expect("is a socket");
            }
            let own = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
            for (from, to) in [(own(&caller), own(&job)), (job, caller)] {
                std::thread::spawn(move || copy(from, to));
            }
        }
    });
    address
}

/// Copies bytes until a side closes. Whatever breaks then shows in the load.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 1 << 14];
    while let Ok(length @ 1..) = from.read(&mut buffer)
        && to.write_all(&buffer[..length]).is_ok()
    {}
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// An nginx as people set it up in front of a service: one worker per core, kept connections, no log of calls.
pub(crate) struct Nginx {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts one in front of `target`. None where it is not installed.
    pub(crate) fn start(sandbox: &Sandbox, target: SocketAddr) -> Option<Self> {
        let address = free_address();
        let folder = sandbox.path(format!("nginx-{}", target.port()));
        fs_err::create_dir_all(&folder).expect("a folder can be made");
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};", folder.display()))
            .concat();
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes auto;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; {paths} upstream job {{ server {target}; keepalive 32; }}\n\
             server {{ listen {address}; keepalive_requests 100000000; location / {{ proxy_pass http://job;\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
            folder.display()
        );
        fs_err::write(&config, text).expect("can be written");
        let process = std::process::Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&config)
            .stderr(std::process::Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("nginx does not start: {error}"),
        };
        let nginx = Self { process, address };
        wait_until("nginx answers", || Client::try_connect(address));
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends the workers, which it cannot do when it is killed.
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is there");
        self.process.wait().expect("it can be waited for");
    }
}
