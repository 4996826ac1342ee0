"""A job for tests: honours the job contract, and misbehaves as the variable MODE says."""
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("MODE", "")


turned_bad = []


def write(size, line):
    """Writes so many bytes to standard error, at one stretch and as fast as it can."""
    chunk = (line or b"x") * (1_000_000 // len(line or b"x"))
    while size > 0:
        size -= os.write(2, chunk[:size])


class Job(BaseHTTPRequestHandler):
    def do_GET(self):
        what, _, argument = self.path[1:].partition("/")
        status, answer = 200, ""
        if what == "live":
            answer = {"deployment_timestamp": os.environ["JOB_DEPLOYMENT_TIMESTAMP"], "live": True}
            if MODE == "turns-bad" and turned_bad:
                status, answer = 500, {"error": "begin" + "e" * 3_900_000 + "end"}
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
        elif what == "turn-bad":
            turned_bad.append(True)
        elif what == "print":
            print(argument, flush=True)
        elif what == "print-e-acute":
            print("x" + "\u00e9" * int(argument), flush=True)
        elif what == "write":
            write(int(argument), b"")
        elif what == "write-lines":
            write(int(argument), b"the same line once more\n")
            print("the last line", flush=True)
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
if MODE == "crash-loudly":
    write(40_000_000, b"")
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
