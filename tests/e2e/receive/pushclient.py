"""A git client's side of a push, by hand: for what git itself would never send."""

import subprocess

import harness

ZERO = "0" * 40
CAPS = "report-status side-band-64k object-format=sha1 agent=test/1"


def pkt(data):
    if isinstance(data, str):
        data = data.encode()
    return b"%04x" % (len(data) + 4) + data


class PushClient:
    """git-receive-pack over ssh; reads the advertisement at once."""

    def __init__(self, app, key=None, env=None, options=()):
        self.p = subprocess.Popen([*harness.ssh_argv(key, options=options), f"git@{harness.HOST}",
                                   f"git-receive-pack '{app}'"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=env)
        self.refs, self.caps, self.have, self.error = {}, "", [], None
        for line in self.packets():
            if line.startswith(b"ERR "):
                self.error = line[4:].decode()
                break
            if b"\0" in line:
                line, caps = line.split(b"\0")
                self.caps = caps.decode().strip()
            oid, name = line.decode().strip().split(" ", 1)
            if name == ".have":
                self.have.append(oid)
            elif name != "capabilities^{}":
                self.refs[name] = oid

    def packet(self):
        head = self.p.stdout.read(4)
        if len(head) < 4:
            return None
        n = int(head, 16)
        return b"" if n == 0 else self.p.stdout.read(n - 4)

    def packets(self):
        while True:
            data = self.packet()
            if not data:
                return
            yield data

    def send(self, data):
        self.p.stdin.write(data)
        self.p.stdin.flush()

    def commands(self, *commands, caps=CAPS, shallow=(), options=None):
        """Each command is (old, new, ref)."""
        out = b"".join(pkt(f"shallow {oid}") for oid in shallow)
        for i, (old, new, ref) in enumerate(commands):
            out += pkt(f"{old} {new} {ref}" + (f"\0 {caps}" if i == 0 else ""))
        out += b"0000"
        if options is not None:
            out += b"".join(pkt(o) for o in options) + b"0000"
        self.send(out)

    def report(self, sideband=True):
        """(lines of the report, text of the progress); errors of band 3 count as text."""
        lines, text = b"", b""
        if sideband:
            for data in self.packets():
                if data[:1] == b"\1":
                    lines += data[1:]
                else:
                    text += data[1:]
            stream = lines
            lines = []
            while stream:
                n = int(stream[:4], 16)
                if n == 0:
                    break
                lines.append(stream[4:n].decode().strip())
                stream = stream[n:]
            return lines, text.decode()
        return [line.decode().strip() for line in self.packets()], ""

    def end(self, timeout=30):
        """Ends the input; the exit code and standard error."""
        try:
            self.p.stdin.close()
        except BrokenPipeError:
            pass
        err = self.p.stderr.read().decode("utf-8", "replace")
        return self.p.wait(timeout=timeout), err

    def kill(self):
        self.p.kill()
        self.p.wait()
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            try:
                f.close()
            except BrokenPipeError:
                pass


def pack(repo, *revs, thin=False):
    """The pack that git would send for these revisions ("main", "^old")."""
    r = repo.git("pack-objects", "--revs", "--stdout", "-q", *(["--thin"] if thin else []),
                 stdin="".join(f"{rev}\n" for rev in revs))
    return r.raw
