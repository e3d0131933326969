#!/usr/bin/env python3
"""No request fails while releases replace one another. ROLLOUTS and RATE in the environment make it longer.

On a server of its own: where apps come and go, the router gets a new configuration and closes connections that are
idle just then.
"""

import json
import os
import pathlib
import subprocess
import sys

import harness
from harness import ENV, Repo, Server, check, new_name, page, ssh, url

ROLLOUTS = int(os.environ.get("ROLLOUTS", 5))
RATE = int(os.environ.get("RATE", 200))
# A node port leads straight to the pods: a connection that is kept ends with its pod, whoever uses it just then.
# And kube-proxy learns seconds later of a pod's end, where the machine is busy.
KUBERNETES = ENV["SLIPWAY_TARGET"] == "kubernetes"
FRESH = ["fresh"] if KUBERNETES else []
SETTINGS = {"release__pre_stop": "10s"} if KUBERNETES else {}

# Ends at once on SIGTERM, as many programs do: what saves its requests is that none come any more.
SERVER = r'''
import http.server, os, signal, socketserver
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class H(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = os.environ.get("GREETING", "first").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, fmt, *args):
        pass
class S(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
S(("", int(os.environ["PORT"])), H).serve_forever()
'''


def rollouts(instances, where=url, fresh=FRESH):
    """where: an app's name to the address to ask; fresh: for load.py."""
    repo = Repo(new_name("r"))
    repo.commit("first", {"Procfile": "web: exec python3 -u web.py\n", "web.py": SERVER})
    check(repo.push())
    if instances > 1:
        check(ssh("ps:scale", repo.app, f"web={instances}"))
    address = where(repo.app)
    page(repo.app, "first", address=address)
    load = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("load.py"), address, str(RATE),
                             *fresh], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for i in range(ROLLOUTS):
            check(ssh("config:set", repo.app, f"GREETING=greeting-{i}"))
            page(repo.app, f"greeting-{i}", address=address)
    finally:
        said, _ = load.communicate()
    print(f"# {ROLLOUTS} rollouts of {instances} at {RATE} requests a second: {said.strip()}", flush=True)
    result = json.loads(said)
    assert result["sent"] > 0 and result["failed"] == 0, result["errors"]


def test_one():
    """of one instance"""
    with Server(**SETTINGS):
        rollouts(1)


def test_three():
    """of three instances"""
    with Server(**SETTINGS):
        rollouts(3)


if __name__ == "__main__":
    harness.main(globals())
