"""A job for tests: honours the job contract, and misbehaves as the variable MODE says."""
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("MODE", "")


class Job(BaseHTTPRequestHandler):
    def do_GET(self):
        what, _, argument = self.path[1:].partition("/")
        status, answer = 200, ""
        if what == "live":
            answer = {"deployment_timestamp": os.environ["JOB_DEPLOYMENT_TIMESTAMP"], "live": True}
            if MODE == "failing-init":
                status, answer = 500, answer | {"error": "ZeroDivisionError: division by zero"}
        elif what == "ready":
            status = 500 if MODE == "never-ready" else 200
            if MODE == "crash-before-ready":
                os._exit(4)
        elif what == "metrics":
            answer = "last_call_timestamp 1700000000.5\n"
        elif what == "pid":
            answer = str(os.getpid())
        elif what == "environment":
            answer = dict(os.environ)
        elif what == "folder":
            answer = os.getcwd()
        elif what == "print":
            print(argument, flush=True)
        elif what == "allocate":
            try:
                answer = str(len(bytearray(int(argument))))
            except MemoryError:
                answer = "MemoryError"
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


print("starting", file=sys.stderr, flush=True)
if MODE == "crash":
    print("cannot go on", flush=True)
    sys.exit(3)
if MODE == "ignores-term":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if MODE == "many-lines":
    for number in range(10_000):
        print("line", number)
    sys.stdout.flush()
    os.write(1, b"bad \xff byte\n")
if MODE == "children":
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Job)
threading.current_thread().name = "job"
server.serve_forever()
