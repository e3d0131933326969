#!/usr/bin/env python3
"""Writes hostile_lines.txt: exec lines that a client must not get away with, each behind what is expected.

path      refused: the path is not an app's, or what it names can be no app
service   refused: git's services come in one form only
word      refused: the first word is no command's name
split     refused: quotes or characters that no command line has
command   read as a command with words, none of which is more than a word

Lines are written with \\xNN for every byte that is not printable ASCII, and for backslashes.
"""
import sys

lines = []


def add(kind, line):
    if isinstance(line, str):
        line = line.encode("latin-1")
    if (kind, line) not in lines:
        lines.append((kind, line))


SERVICES = ["git-receive-pack", "git-upload-pack", "git receive-pack", "git upload-pack"]

PATHS = [
    "", "/", "//", "'", "''", "'/'", "\"\"", "\"/\"", ".", "..", "/.", "/..", "'..'", "'/../shop'", "'../shop'",
    "'shop/../other'", "'shop/..'", "'/shop/'", "'shop/'", "'/shop//'", "'//shop'", "'./shop'", "'~/shop'", "~/shop",
    "~root/shop", "'~root/shop'", "'/~/shop'", "/etc/passwd", "'/etc/passwd'", "/var/lib/slipway/repos/1.git",
    "'/proc/self/environ'", "'/dev/null'", "C:\\shop", "'\\\\host\\share'", "shop;id", "'shop;id'", "shop|id",
    "shop&id", "shop&&id", "'shop'&&id", "'shop';id", "'shop'|id", "$(id)", "'$(id)'", "`id`", "'`id`'", "${HOME}",
    "'${HOME}'", "$HOME", "'$IFS'", "shop$IFS-x", "shop>out", "'shop>out'", "shop<in", "shop>>out", "shop 2>&1",
    "shop\nid", "'shop\nid'", "shop\rid", "shop\tid", "'shop\tid'", "shop'", "'shop", "\"shop", "shop\"", "'shop\"",
    "\"shop'", "'sh'op'", "'sh''op'", "'shop''", "''shop''", "\"\"shop\"\"", "'shop'x", "x'shop'", "'shop' ", " 'shop'",
    "  shop", "shop ", "shop x", "'shop' 'other'", "shop other", "'shop' --upload-pack=id", "--help", "-h", "-x",
    "'-x'", "--strict", "--strict shop", "--strict 'shop'", "--timeout=1 shop", "--stateless-rpc shop",
    "--advertise-refs shop", "--http-backend-info-refs shop", "'--upload-pack=id'", "--exec=id shop", "-- shop",
    "--end-of-options shop", "'/-x'", "'shop.git/hooks'", "'shop.git/config'", "'.git'", "'/.git'", ".git", "/.git",
    "'..git'", "'shop.git/.git'", "*", "'*'", "?", "[a-z]", "{a,b}", "'{shop,other}'", "!shop", "'!shop'", "#shop",
    "shop#", "'shop#x'", "%2e%2e", "'%2e%2e%2fshop'", "'shop%00'", "'shop%0aid'", "a=b", "'a=b'", "GIT_DIR=/x",
    "'\\''", "'shop'\\''id'", "'\\'' id'", "shop\\", "'shop\\'", "\\shop", "shop\\ x", "()", "(shop)", "<(id)",
    "shop\x7f", "'shop\x7f'", "\x1b[31mshop", "'\x1b]0;x\x07'", "sh\xc3\xb6p", "'sh\xc3\xb6p'", "\xff\xfe", "'\xff'",
    "\xe2\x80\xaeshop", "shop\xe2\x80\x8b", "\x01", "'\x01shop'", "\x80", "a" * 300, "'" + "a" * 300 + "'",
    "/" * 300, "'" + "../" * 100 + "etc'", "'" + "a/" * 100 + "'", "host:shop", "'git@host:shop'", "ssh://x/shop",
    "'file:///etc'", "@shop", "shop@{1}", "'ext::sh -c id'", "ext::id", "shop.git.exe/", "'shop,other'x y",
]
NAMES = [
    "Shop", "'SHOP'", "9lives", "'0'", "shop-", "'shop-'", "shop_x", "'a_b'", "a.b", "'a.b.git'", "shop.git.git",
    "shop.GIT", "'.hidden'", "shop..git", "a:b", "a,b", "'a+b'", "a@b", "a" * 31 + "-", "x^y", "'x^'",
]
for service in SERVICES:
    for path in PATHS:
        add("path", f"{service} {path}")
    for name in NAMES:
        if len(name) <= 30:
            add("path", f"{service} {name}")
    add("service", service)
    add("service", service + "\tshop")
    add("service", service + "\nshop")
    add("service", service + "'shop'")
    add("service", service + "x 'shop'")
    add("service", service + ";id")

for other in ["git", "git ", "git-", "git-shell", "git-shell -c id", "git shell", "git-upload-archive 'shop'",
              "git upload-archive 'shop'", "git-http-backend", "git-daemon", "git daemon --export-all /",
              "git-cvsserver server", "git -c core.sshCommand=id receive-pack shop", "git --exec-path=/tmp receive-pack shop",
              "git --git-dir=/x upload-pack shop", "git  receive-pack shop", "git\treceive-pack shop",
              "git-lfs-authenticate shop download", "git-lfs-transfer shop upload", "git-remote-ext id", "git init /tmp/x",
              "git clone /", "git config --global core.pager id", "git-receive-pack\xa0shop", "git-Receive-Pack shop",
              "git-receive-packs shop", "git -c x receive-pack 'shop'", "git --version", "git-annex-shell x", "git\x00", "git''", "git;id"]:
    add("service", other)

for first in [
    "/bin/sh", "./sh", "../sh", "~/x", "$SHELL", "${SHELL}", "$(id)", "`id`", "|id", "&id", ";id", ">out", "<in", "!id",
    "#x", "*", "?", "[x]", "{a,b}", "-x", "--help", "-c", "LD_PRELOAD=/tmp/x.so", "GIT_DIR=/x", "PATH=.", "A=b",
    "BASH_ENV=x", "GIT_SSH_COMMAND=id", "IFS=x", "apps:list;id", "apps:list|id", "apps:list&", "apps:list>x",
    "apps:list$(id)", "apps:list`id`", "apps/list", "apps\xc3\xa9", "\xff", "1apps", ":apps", "_apps", "apps.list", "apps,list",
    "apps=list", "apps%00", "apps@x", "apps+list", "apps~", "apps^", "()", "(id)", "<(id)", "a" * 41, "a" * 5000, "''", "\"\"",
    "'/bin/sh'", "\"/bin/sh\"", "'apps list'", "\"$(id)\"", "'-x'", "\\$HOME", "sh\\ -c", "'git-receive-pack shop'",
    "env|x", "sudo/x", "%s%n%x", "../../../../bin/sh", "scp://x", "sftp-server/x",
]:
    add("word", first)
    add("word", first + " shop")
    add("word", first + " -c 'id > /tmp/x'")
for env in ["LD_PRELOAD=/tmp/x.so", "GIT_DIR=/etc", "GIT_CONFIG_COUNT=1", "GIT_EXEC_PATH=/tmp", "GIT_TRACE=/etc/x",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES=/x", "GIT_OBJECT_DIRECTORY=/x", "HOME=/tmp", "GIT_PROTOCOL=version=2",
            "GIT_EXTERNAL_DIFF=id", "GIT_PROXY_COMMAND=id", "GIT_ASKPASS=id", "PS4=$(id)", "ENV=/tmp/x"]:
    add("word", f"{env} git-receive-pack 'shop'")
    add("word", f"{env} git-upload-pack 'shop'")

for line in ["apps:list '", "apps:list \"", "'apps:list", "\"apps:list", "apps:list \\", "apps:list 'a\" b", "apps:list \"a' b",
             "apps:list \x01", "apps:list \x1b[2J", "apps:list a\x07", "apps:list \x08", "\x1bapps:list", "apps:list\x0b", "apps:list \x0c",
             "apps:list\rid", "config:set shop A='", "config:set shop A=\"", "config:set shop 'A=b", "\x02", "\x00apps:list",
             "apps:list\x00", "apps:list \x00", "'\x00'", "\"\x00\"", "x\x1f", "logs '" + "x" * 2000, "a " * 300]:
    add("split", line)

for line in ["apps:list ; id", "apps:list && id", "apps:list || id", "apps:list | id", "apps:list > /tmp/x", "apps:list < /etc/passwd",
             "apps:list $(id)", "apps:list `id`", "apps:list ${HOME}", "apps:list $HOME", "apps:list *", "apps:list ~", "apps:list ~root",
             "apps:list '$(id)'", "apps:list \"$(id)\"", "apps:list \"`id`\"", "apps:list \\; id", "apps:list {a,b}", "apps:list !!",
             "apps:list #", "apps:list --", "apps:list -- -x", "apps:info ../../etc", "apps:info /etc/passwd", "apps:info '; drop table apps'",
             "apps:info ' or 1=1 --", "apps:create --config=/etc/shadow", "apps:create -x", "apps:create '$(id)'", "apps:create a/../b",
             "apps:create \"a\nb\"", "apps:destroy --confirm", "sh", "bash", "id", "scp -t /tmp/x", "scp -f /etc/passwd", "rsync --server . /",
             "sftp", "internal-sftp", "sudo id", "env", "python3 -c 'import os'", "exec id", "eval id", "true", "rm -rf /", "cat /etc/passwd",
             "login", "su -", "slipway admin users:add x --admin", "logs shop -n 99999999999999999999", "logs shop -n -1", "rollback shop 'v1; id'",
             "ps:scale shop web=-1", "ps:scale shop web=99999999999", "ps:scale shop 'web=1;id'", "config:set shop '=x'",
             "config:set shop 'A B=x'", "config:set shop LD_PRELOAD", "users:add 'x; id'", "users:add ../x", "users:add root --admin --admin"]:
    kind = "split" if line.count("'") % 2 == 1 and '"' not in line else "command"
    add(kind, line)


def escape(b):
    return "".join(chr(c) if 32 <= c < 127 and c != 92 else f"\\x{c:02x}" for c in b)


with open(sys.argv[1] if len(sys.argv) > 1 else "hostile_lines.txt", "w", encoding="ascii") as f:
    for kind, line in lines:
        f.write(f"{kind}\t{escape(line)}\n")
print(len(lines), "lines")
