#!/usr/bin/python3
"""An HTTP server that answers well or badly, for tests/unit/test_http.c.

http_server.py FOLDER starts three servers, writes their addresses to standard output as one
line "PLAIN_PORT TLS_PORT UNIX_SOCKET", and ends when its standard input ends. FOLDER gets ca.pem
(a certificate for localhost) and the socket. The TLS server speaks HTTP/2 where it is asked to.
"""

import http.server
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import urllib.parse

import h2.connection
import h2.config
import h2.events

connections = {}  # connections accepted, by kind of server
lock = threading.Lock()


def count(kind):
    with lock:
        connections[kind] = connections.get(kind, 0) + 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_any(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.read_body()
        if url.path == "/hello":
            self.answer(200, b"hello\n", [("X-Kind", "greeting")])
        elif url.path == "/echo":
            head = f"{self.command}\n{self.headers}".encode()
            self.answer(200, head + body)
        elif url.path == "/redirect":
            self.answer(307, b"not this", [("Location", query["to"])])
        elif url.path == "/big":
            self.answer(200, b"x" * int(query["n"]))
        elif url.path == "/headers":
            self.answer(200, b"", [("X-Long", "y" * 1000)] * int(query["n"]))
        elif url.path == "/silent":
            threading.Event().wait(60)
        elif url.path == "/stall":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"begin")
            threading.Event().wait(60)
        elif url.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"begin")
            self.close_connection = True
        elif url.path == "/count":
            self.answer(200, str(connections.get(self.server.kind, 0)).encode())
        else:
            self.answer(404, b"no such path\n")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_any


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    kind = "plain"

    def process_request_thread(self, request, address):
        count(self.kind)
        super().process_request_thread(request, address)

    def handle_error(self, request, address):
        pass  # a client that goes away is part of the tests


class TlsServer(Server):
    kind = "tls"
    context = None

    def process_request_thread(self, request, address):
        try:
            request = self.context.wrap_socket(request, server_side=True)
        except OSError:
            request.close()
            return
        if request.selected_alpn_protocol() == "h2":
            count("h2")
            serve_h2(request)
        else:
            super().process_request_thread(request, address)


class UnixServer(Server):
    kind = "unix"
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)

    def get_request(self):
        request, _ = self.socket.accept()
        return request, ("unix", 0)


def serve_h2(sock):
    """One HTTP/2 connection. /both answers when two requests for it are open at once."""
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    conn.initiate_connection()
    sock.sendall(conn.data_to_send())
    waiting = []

    def answer(stream, text):
        conn.send_headers(stream, [(":status", "200"), ("x-kind", "h2")])
        conn.send_data(stream, text, end_stream=True)

    try:
        while data := sock.recv(65536):
            for event in conn.receive_data(data):
                if not isinstance(event, h2.events.RequestReceived):
                    continue
                path = dict(event.headers)[b":path"] if b":path" in dict(event.headers) \
                    else dict(event.headers)[":path"].encode()
                if path == b"/both":
                    waiting.append(event.stream_id)
                    if len(waiting) == 2:
                        for stream in waiting:
                            answer(stream, b"both")
                        waiting.clear()
                elif path == b"/count":
                    answer(event.stream_id, str(connections.get("h2", 0)).encode())
                else:
                    answer(event.stream_id, b"hello\n")
            sock.sendall(conn.data_to_send())
    except OSError:
        pass
    sock.close()


def main():
    folder = pathlib.Path(sys.argv[1])
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    # A client that shows a certificate must show this one.
    context.load_verify_locations(folder / "ca.pem")
    TlsServer.context = context
    path = str(folder / "socket")
    servers = [Server(("127.0.0.1", 0), Handler), TlsServer(("127.0.0.1", 0), Handler),
               UnixServer(path, Handler)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    # One write: the reader takes what the first read(2) gives.
    os.write(1, f"{servers[0].server_address[1]} {servers[1].server_address[1]} {path}\n".encode())
    sys.stdin.read()
    os._exit(0)


main()
