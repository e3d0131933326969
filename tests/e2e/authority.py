"""A certificate authority of a test's own, and a client that checks."""

import http.client
import socket
import ssl

from harness import TMP, check, new_name, run


def openssl(*words, stdin=b""):
    return check(run(["openssl", *words], stdin=stdin))


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self):
        self.name = new_name("ca")
        self.key, self.cert = TMP / f"{self.name}.key", TMP / f"{self.name}.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", self.key, "-out",
                self.cert, "-subj", "/CN=Test authority", "-days", "2")

    def issue(self, *names, days="1"):
        """(certificate, key) for these host names, as PEM."""
        key, cert = TMP / f"{new_name()}.key", TMP / f"{new_name()}.crt"
        request = openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key, "-subj",
                          "/CN=shop", "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names)).out
        openssl("x509", "-req", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-copy_extensions", "copy", "-days", days,
                "-out", cert, stdin=request.encode())
        return cert.read_text(), key.read_text()


def ask(port, host, authority):
    """The page's text, from a server that this authority vouches for under this name."""
    context = ssl.create_default_context(cafile=authority)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, \
            context.wrap_socket(plain, server_hostname=host) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        r = http.client.HTTPResponse(s)
        r.begin()
        return r.read().decode()
