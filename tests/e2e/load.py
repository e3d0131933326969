"""A load generator: requests at a fixed rate, half of them POST, over connections that are kept.

    python3 load.py http://shop.localhost:8080/ RATE [fresh]

Where answers come slower than that, UNANSWERED requests wait for theirs and the next one is sent later: else more and
more of them would stand before the app's socket, longer than a release waits before it ends a former instance.
Sends until its standard input ends, then prints one JSON object: requests sent, failed (no answer, or a status
other than 200), the first errors, and the milliseconds from a request's due time to its answer. fresh: each request has a connection of its own.
"""

import asyncio
import json
import sys
import time
import urllib.parse

ANSWER_SECONDS = 30
UNANSWERED = 32


class Load:
    def __init__(self, address, rate, keep=True):
        u = urllib.parse.urlsplit(address)
        self.host, self.port, self.path, self.rate = u.netloc, u.port or 80, u.path or "/", rate
        self.ip = "127.0.0.1" if u.hostname.endswith(".localhost") else u.hostname
        self.keep, self.close = keep, "" if keep else "Connection: close\r\n"
        self.idle, self.took, self.errors, self.sent, self.opened = [], [], [], 0, 0

    async def connection(self):
        """A kept connection that the server has not closed meanwhile, or a new one."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        self.opened += 1
        return await asyncio.open_connection(self.ip, self.port)

    async def ask(self, method):
        reader, writer = await self.connection()
        body = b"hello" if method == "POST" else b""
        writer.write(f"{method} {self.path} HTTP/1.1\r\nHost: {self.host}\r\n"
                     f"{self.close}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = [line.split(":")[1] for line in head.splitlines() if line.startswith("content-length:")]
        await reader.readexactly(int(length[0]))
        if " 200 " not in head.splitlines()[0]:
            writer.close()
            raise RuntimeError(head.splitlines()[0])
        if not self.keep or "connection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))

    async def one(self, method, due):
        try:
            await asyncio.wait_for(self.ask(method), ANSWER_SECONDS)
        except Exception as e:  # whatever went wrong, a person would have seen it
            self.errors.append(f"{method} at {due - self.begin:.3f} s: {e!r}")
        self.took.append((time.monotonic() - due) * 1000)

    async def run(self):
        end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        tasks, free = set(), asyncio.Semaphore(UNANSWERED)

        def done(task):
            tasks.discard(task)
            free.release()

        self.begin = due = time.monotonic()
        while not end.done():
            await asyncio.sleep(max(0, due - time.monotonic()))
            await free.acquire()
            task = asyncio.create_task(self.one("POST" if self.sent % 2 else "GET", due))
            tasks.add(task)
            task.add_done_callback(done)
            self.sent += 1
            due += 1 / self.rate
        await asyncio.gather(*tasks)
        took = sorted(self.took)
        print(json.dumps({"sent": self.sent, "seconds": round(time.monotonic() - self.begin, 1),
                          "failed": len(self.errors), "errors": self.errors[:5], "connections": self.opened,
                          "p50_ms": round(took[len(took) // 2], 1), "p99_ms": round(took[len(took) * 99 // 100], 1),
                          "max_ms": round(took[-1], 1)}))


if __name__ == "__main__":
    asyncio.run(Load(sys.argv[1], float(sys.argv[2]), sys.argv[3:] != ["fresh"]).run())
