"""A registry that fails: an HTTP proxy in front of a real one, for tests/unit/publish.py.

Proxy(upstream_port) listens on 127.0.0.1; its attributes say what goes wrong and what was seen.
With bearer=True it wants a token of its own token server, which takes user "ci" with password
"pass:word" or the refresh token "refresh".
"""

import base64
import http.client
import http.server
import json
import threading
import time
import urllib.parse


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream, bearer=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.port = self.server_address[1]
        self.bearer = bearer
        self.token_seconds = 300
        self.lock = threading.Lock()
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reset(self):
        self.cut_get = 0      # blob GETs that are cut half-way
        self.cut_put = 0      # blob PUTs that are cut half-way
        self.fail_put = 0     # blob PUTs that are answered 503
        self.cut_patch = []   # chunks, by their number from 1, that are cut half-way: the registry has nothing of them
        self.part_patch = []  # the same, but it has the half
        self.patches = 0
        self.refuse = {}      # method → status that is always answered
        self.wrong = False    # blobs have one byte changed
        self.longer = False   # blobs have one byte more
        self.no_range = False # Range is not known
        self.log = []         # (method, path without query, status)
        self.tokens = {}      # token → scopes
        self.token_requests = []

    def take(self, name):
        """Uses up one of a counted fault."""
        with self.lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0

    def seen(self, method, part):
        return [entry for entry in self.log if entry[0] == method and part in entry[1]]

    def handle_error(self, request, address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.server.log.append((self.command, urllib.parse.urlsplit(self.path).path, status))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        self.server.log.append((self.command, urllib.parse.urlsplit(self.path).path, "cut"))
        self.close_connection = True
        self.connection.close()

    def wanted_scope(self, repository):
        if self.command == "DELETE":
            return f"repository:{repository}:pull,delete"
        push = self.command in ("POST", "PUT", "PATCH")
        return f"repository:{repository}:pull,push" if push else f"repository:{repository}:pull"

    def authorized(self, url):
        if not self.server.bearer:
            return True
        repository = url.path.removeprefix("/v2/").rsplit("/manifests/")[0].rsplit("/blobs/")[0]
        name, _, token = self.headers.get("Authorization", "").partition(" ")
        wanted = self.wanted_scope(repository)
        if name == "Bearer":
            scopes, until = self.server.tokens.get(token, ([], 0))
            if until > time.time() and any(scope.startswith(wanted) for scope in scopes):
                return True
        realm = f"http://127.0.0.1:{self.server.port}/token"
        challenge = f'Bearer realm="{realm}",service="proxy",scope="{wanted}"'
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
        self.answer(401, body.encode(), [("WWW-Authenticate", challenge)])
        return False

    def give_token(self, url, body):
        query = urllib.parse.parse_qs(url.query)
        good = False
        if self.command == "POST":
            query = urllib.parse.parse_qs(body.decode())
            good = query["refresh_token"] == ["refresh"] and query["grant_type"] == ["refresh_token"]
        elif "Authorization" in self.headers:
            login = base64.b64decode(self.headers["Authorization"].partition(" ")[2])
            good = login == b"ci:pass:word"
        self.server.token_requests.append((self.command, query.get("scope"), query.get("service")))
        if not good:
            return self.answer(401, b'{"details": "incorrect username or password"}')
        with self.server.lock:
            token = f"token-{len(self.server.tokens)}"
            self.server.tokens[token] = (query["scope"], time.time() + self.server.token_seconds)
        return self.answer(200, json.dumps({"token": token, "expires_in": self.server.token_seconds}).encode())

    def forward(self):
        url = urllib.parse.urlsplit(self.path)
        server = self.server
        length = int(self.headers.get("Content-Length", 0))
        blob = "/blobs/" in url.path
        body = None
        if length and not (self.command in ("PUT", "PATCH") and blob):
            body = self.rfile.read(length)
        if url.path == "/token":
            return self.give_token(url, body)
        if self.command in server.refuse:
            self.rfile.read(length if body is None else 0)
            message = {"errors": [{"code": "DENIED", "message": "a fault\x1b[31m"}]}
            return self.answer(server.refuse[self.command], json.dumps(message).encode())
        if not self.authorized(url):
            self.close_connection = True
            return None
        if self.command == "PUT" and blob and length:
            if server.take("cut_put"):
                self.rfile.read(length // 2)
                return self.cut()
            body = self.rfile.read(length)
            if server.take("fail_put"):
                return self.answer(503, b"later")
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("authorization", "connection")}
        cut = False
        if self.command == "PATCH" and length:
            with server.lock:
                server.patches += 1
                number = server.patches
            if number in server.cut_patch:
                self.rfile.read(length // 2)
                return self.cut()
            cut = number in server.part_patch
            body = self.rfile.read(length // 2 if cut else length)
            if cut:
                first = int(headers["Content-Range"].split("-")[0])
                headers["Content-Range"] = f"{first}-{first + len(body) - 1}"
                headers["Content-Length"] = str(len(body))
        if server.no_range:
            headers.pop("Range", None)
        upstream = http.client.HTTPConnection("127.0.0.1", server.upstream)
        upstream.request(self.command, self.path, body=body, headers=headers)
        response = upstream.getresponse()
        data = response.read()
        if cut:
            return self.cut()
        if self.command == "GET" and blob and response.status in (200, 206) and len(data) > 1:
            if server.wrong:
                data = bytes([data[0] ^ 1]) + data[1:]
            if server.longer:
                data += b"x"
            if server.take("cut_get"):
                self.send_response(response.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[:len(data) // 2])
                return self.cut()
        kept = [(name, value) for name, value in response.getheaders()
                if name.lower() not in ("content-length", "date", "connection")]
        if self.command == "HEAD":
            server.log.append((self.command, url.path, response.status))
            self.send_response(response.status)
            for name, value in response.getheaders():
                self.send_header(name, value)
            return self.end_headers()
        return self.answer(response.status, data, kept)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = forward
