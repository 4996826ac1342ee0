"""A job that does what it is told, above all what jobs should not do."""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = b"0" * (1 << 16)
probes_are_endless = False


def write_much(size):
    line = b"x" * 999 + b"\n"
    for _ in range(size // len(line)):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global probes_are_endless
        path = self.path
        if path.endswith("/endless") or (probes_are_endless and path.endswith(("/live", "/ready", "/health", "/metrics"))):
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(CHUNK)
        if path.endswith("/turn-bad"):
            probes_are_endless = True
        if "/write/" in path:
            threading.Thread(target=write_much, args=(int(path.rpartition("/")[2]),)).start()
        if path.endswith("/socket"):
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "websocket")
            self.end_headers()
            while self.rfile.read(1):
                pass
            return
        body = json.dumps({"live": True, "deployment_timestamp": os.environ["JOB_DEPLOYMENT_TIMESTAMP"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_):
        """Callers go away, as they may."""


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
