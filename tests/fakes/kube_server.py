#!/usr/bin/python3
"""An API server that has bad days, for tests/unit/test_kube_faults.c.

kube_server.py prints its port, and ends when its standard input ends. What a path does:
/busy         twice 503, then a document
/wait         once 429 with "Retry-After: 1", then a document
/drop         closes the connection without an answer once, then a document
/down         always 503
/conflict     409 of a server-side apply
/token        401 until the token is "new"
/count?of=P   how often P was asked for
/watch        1st: an event, then ERROR 410; 2nd: an event, then the end in the middle of a line;
              3rd: 500; from then on: an event, and it stays open
/log          lines without an end: one of 100 bytes, one of 3000, one without a newline
"""

import http.server
import json
import os
import socketserver
import sys
import threading
import urllib.parse

seen = {}
lock = threading.Lock()


def event(name):
    document = {"type": "ADDED", "object": {"metadata": {"name": name, "uid": name}}}
    return json.dumps(document).encode() + b"\n"


GONE = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}).encode() + b"\n"
CONFLICT = {"kind": "Status", "reason": "Conflict", "message": "Apply failed with 1 conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".spec.replicas",
                                    "message": "conflict with \"kubectl-edit\" using apps/v1"}]}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, document, headers=()):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, pieces, stay):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()
        if stay:
            threading.Event().wait(60)
        self.close_connection = True

    def do_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            n = seen[url.path] = seen.get(url.path, 0) + 1
        if url.path == "/busy" and n <= 2 or url.path == "/down":
            self.answer(503, {"kind": "Status", "message": "starting"})
        elif url.path == "/wait" and n == 1:
            self.answer(429, {"kind": "Status", "message": "too many"}, [("Retry-After", "1")])
        elif url.path == "/drop" and n == 1:
            self.close_connection = True
        elif url.path == "/conflict":
            self.answer(409, CONFLICT)
        elif url.path == "/token" and self.headers.get("Authorization") != "Bearer new":
            self.answer(401, {"kind": "Status", "message": "Unauthorized"})
        elif url.path == "/count":
            self.answer(200, {"n": seen.get(urllib.parse.parse_qs(url.query)["of"][0], 0)})
        elif url.path == "/watch" and n == 1:
            self.stream([event("one"), GONE], True)
        elif url.path == "/watch" and n == 2:
            self.stream([event("two"), event("cut")[:10]], False)
        elif url.path == "/watch" and n == 3:
            self.answer(500, {"kind": "Status", "message": "etcd"})
        elif url.path == "/watch":
            line = event("three")
            self.stream([line[:5], line[5:]], True)
        elif url.path == "/log":
            self.stream([b"x" * 100 + b"\n" + b"y" * 1500, b"y" * 1500 + b"\nz"], False)
        else:
            self.answer(200, {"ok": True})

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_any


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # a client that goes away is part of the tests


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.write(1, f"{server.server_address[1]}\n".encode())
sys.stdin.read()
os._exit(0)
