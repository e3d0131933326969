"""Serves the folder given as argument on $PORT."""

import functools
import os
import signal
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def list_directory(self, path):
        """A folder without an index.html is not shown."""
        self.send_error(404)


# The first process of a container ends on TERM only if it says so.
signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))
port = int(os.environ.get("PORT", "8080"))
handler = functools.partial(Handler, directory=sys.argv[1])
print(f"serving {sys.argv[1]} on port {port}", flush=True)
ThreadingHTTPServer(("0.0.0.0", port), handler).serve_forever()
