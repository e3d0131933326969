#!/usr/bin/env python3
"""More connections than the server takes: who gets none is told why, and the server's log has it."""

import subprocess

import harness
from harness import Server, check, has, ssh, ssh_argv, until


def hold():
    """A client that stays: its command waits for the end of its input."""
    p = subprocess.Popen([*ssh_argv(), f"git@{harness.HOST}", "keys:add", "never"], stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return p


def held(server):
    """How many of them the server serves."""
    return server.log.read_text().count("command keys:add")


def let_go(clients):
    for p in clients:
        p.kill()
        p.wait(30)


def test_of_one_address():
    """max_connections_per_address: who comes beyond it is told so, and is let in when one has gone; a burst is served"""
    with Server(ssh__max_connections_per_address="2") as server:
        clients = [hold(), hold()]
        until(lambda: held(server) == 2)
        has(check(ssh("version"), 255), "2 connections from your address are open", "max_connections_per_address", "try again")
        until(lambda: "one from 127.0.0.1, for max_connections_per_address" in server.log.read_text())
        let_go([clients.pop()])
        has(check(ssh("version")), "slipway")
        let_go(clients)
        burst = [subprocess.Popen([*ssh_argv(), f"git@{harness.HOST}", "version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(8)]
        results = [(p.communicate(timeout=60), p.returncode) for p in burst]
        assert all(code == 0 for _, code in results), results


def test_of_all():
    """max_connections: the same, of the whole server"""
    with Server(ssh__max_connections="2") as server:
        clients = [hold(), hold()]
        until(lambda: held(server) == 2)
        has(check(ssh("version"), 255), "2 connections are open", "max_connections", "try again")
        let_go(clients)
        has(check(ssh("version")), "slipway")


harness.main(globals())
