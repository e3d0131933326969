"""An SSH client that does what OpenSSH's would not: paramiko with its own limits taken away."""

import socket
import time

import paramiko

import fixture
import harness


class RawClient:
    def __init__(self, source=None, window=None, max_packet=None):
        self.sock = socket.create_connection((harness.HOST, int(harness.PORT)), timeout=30,
                                             source_address=(source, 0) if source else None)
        self.transport = paramiko.Transport(self.sock, disabled_algorithms={"keys": ["rsa-sha2-512"]})
        self.window, self.max_packet = window, max_packet
        # paramiko clamps what it asks for.
        if window is not None:
            self.transport._sanitize_window_size = lambda size: window
        if max_packet is not None:
            self.transport._sanitize_packet_size = lambda size: max_packet
        self.transport.start_client(timeout=30)

    def login(self, key=None):
        self.transport.auth_publickey("git", paramiko.Ed25519Key.from_private_key_file(str(key or harness.ADMIN_KEY)))
        return self

    def channel(self):
        return self.transport.open_session(window_size=self.window, max_packet_size=self.max_packet, timeout=30)

    def run(self, line):
        c = self.channel()
        c.exec_command(line)
        return c

    def ended(self, seconds=30):
        """True where the server has ended the connection. (The socket's bytes are paramiko's to read.)"""
        end = time.monotonic() + seconds
        while self.transport.is_active() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.transport.is_active()

    def close(self):
        self.transport.close()
        self.sock.close()


def plain_socket(source=None, timeout=60):
    """A TCP connection without any SSH."""
    return socket.create_connection((harness.HOST, fixture.PORT), timeout=timeout,
                                    source_address=(source, 0) if source else None)
