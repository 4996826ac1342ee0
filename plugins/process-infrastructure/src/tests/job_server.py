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

# Ways of a process out of its job: each leaves the environment, the session and the parent behind.
DOUBLE_FORK = """
import os, sys
os.fork() and os._exit(0)
os.setsid()
os.fork() and os._exit(0)
os.chdir("/")
null = os.open("/dev/null", os.O_RDWR)
for descriptor in range(3):
    os.dup2(null, descriptor)
os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
"""
# Never the same process for long: whoever lists processes and then signals them comes too late.
FLEEING = """
import os, time
os.setsid()
while True:
    time.sleep(0.001)
    os.fork() and os._exit(0)
"""
# Writes over its environment, as programs do that set their title.
TITLE = """
import ctypes, time
fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
start, end = int(fields[47]), int(fields[48])
ctypes.memset(start, ord(" "), end - start)
time.sleep(1000)
"""
ESCAPES = {
    "title": ["setsid", sys.executable, "-c", TITLE, "NUMBER"],
    "session": ["setsid", "env", "-i", "sleep", "NUMBER"],
    "orphan": ["env", "-i", "setsid", "-f", "/bin/sleep", "NUMBER"],
    "daemon": ["env", "-i", sys.executable, "-c", DOUBLE_FORK, "NUMBER"],
    "deaf": ["env", "-i", "setsid", "-f", "/bin/sh", "-c", "trap '' TERM HUP; while :; do sleep NUMBER; done"],
    "storm": ["env", "-i", "setsid", "-f", "/bin/sh", "-c", "while :; do sleep NUMBER & sleep 0.01; done"],
    "fleeing": ["env", "-i", "setsid", "-f", sys.executable, "-c", FLEEING, "NUMBER"],
}


def escape(kind, number):
    null = subprocess.DEVNULL
    command = [part.replace("NUMBER", number) for part in ESCAPES[kind]]
    child = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, cwd="/")
    if kind == "title":
        while b"RACETRACK_REPLICA" in open(f"/proc/{child.pid}/environ", "rb").read():
            pass
    elif kind != "session":
        child.wait()


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
        elif what == "escape":
            escape(*argument.split("/"))
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
if MODE == "escapes-at-once":
    escape("orphan", os.environ["NUMBER"])
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
