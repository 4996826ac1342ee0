"""Starts the job runner on the loopback interface.

The runner listens on every interface of the machine and has no option against it. It asks its callers for nothing, because
lifecycle has done so before it passes a call on, and lifecycle is on this machine.
"""

import os
import sys

# As `python -m` has it: modules of the job are found, those beside this file are not.
sys.path[0] = os.getcwd()

from racetrack_job_wrapper import server
from racetrack_job_wrapper.main import main

serve_everywhere = server.serve_asgi_app


def serve_here(*args, **options):
    return serve_everywhere(*args, **{**options, "http_addr": "127.0.0.1"})


server.serve_asgi_app = serve_here

main()
