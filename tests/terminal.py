"""A program on a terminal of its own, and the person before it."""

import os
import pty
import select
import signal
import time

WAIT = 30  # seconds for a text; nothing here takes one


class Terminal:
    """Starts argv on a new pseudo-terminal, as user uid where it is given."""

    def __init__(self, argv, uid=None, env=None):
        self.said = ""
        self.seen = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                if uid is not None:
                    os.setgroups([])
                    os.setgid(uid)
                    os.setuid(uid)
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.execvpe(argv[0], [str(a) for a in argv], {**os.environ, **(env or {})})
            except OSError as e:
                os.write(2, str(e).encode())
            os._exit(127)

    def _read(self, seconds):
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the last one has closed the terminal
            data = b""
        self.said += data.decode(errors="replace").replace("\r\n", "\n")
        return data != b""

    def expect(self, text):
        """Reads until text stands behind what the last call found; what was said up to its end."""
        end = time.monotonic() + WAIT
        while text not in self.said[self.seen:]:
            assert self._read(end - time.monotonic()), f"never said {text!r}: {self.said}"
        begin, self.seen = self.seen, self.said.index(text, self.seen) + len(text)
        return self.said[begin:self.seen]

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Reads to the end; the exit code, or minus the signal."""
        end = time.monotonic() + WAIT
        while self._read(end - time.monotonic()):
            assert time.monotonic() < end, f"does not end: {self.said}"
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
