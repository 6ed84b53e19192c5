#!/usr/bin/env python3
"""Servers by name: the same file and the same nameserver for Debian's haproxy and ours; the same addresses, states, log
lines and answers come of it. Without haproxy only ours runs, against what is written here."""
import re
import shutil
import socket
import threading
import time
import unittest

from name_server import A, AAAA, NXDOMAIN, REFUSED, SERVFAIL, SRV, NameServer
from proxy_programs import command
from processes import HOLDFAST, World, free_port, wait_for

PROGRAMS = {"ours": [HOLDFAST, "proxy"]}
if shutil.which("haproxy"):
    PROGRAMS["original"] = ["haproxy"]

LOCALS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


class Logs:
    """Takes the lines that a proxy sends to its log."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.lines = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                line = self.socket.recv(65536).decode()
            except OSError:
                return
            level = int(line[1:line.index(">")]) & 7
            text = re.sub(r"check duration: \d+ms", "check duration: Nms", line.split("]: ", 1)[-1].rstrip("\n"))
            self.lines.append(f"{level} {text}")


class Names(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.nameserver = NameServer()
        self.logs, self.paths = {}, {}
        self.addCleanup(self.end)
        self.service = free_port()
        self.listeners = [socket.create_server((host, self.service), backlog=64) for host in LOCALS]
        for listener in self.listeners:
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                connection = listener.accept()[0]
                connection.sendall(listener.getsockname()[0].encode())
                connection.close()
            except OSError:
                if listener.fileno() < 0:
                    return

    def end(self):
        result = self._outcome.result
        self.world.__exit__(Exception if result.errors or result.failures else None, None, None)
        self.nameserver.close()
        for listener in self.listeners:
            listener.close()

    def start(self, backend, resolvers="", prefix=""):
        self.ports = {}
        for kind, program in PROGRAMS.items():
            self.logs[kind] = Logs()
            self.paths[kind] = self.world.directory / f"{kind}.sock"
            self.ports[kind] = free_port()
            text = f"""global
  stats socket {self.paths[kind]} mode 600 level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 5s
  timeout server 5s
resolvers dns
  nameserver ns1 {prefix}127.0.0.1:{self.nameserver.port}
  timeout resolve 200ms
  timeout retry 200ms
  hold nx 300ms
  hold refused 300ms
  hold timeout 300ms
  hold other 300ms
  {resolvers}
listen l
  bind 127.0.0.1:{self.ports[kind]}
  log 127.0.0.1:{self.logs[kind].port} local0 debug
  balance roundrobin
  {backend}
"""
            self.world.proxy(kind, text, self.ports[kind])

    def command(self, kind, text):
        return command(self.paths[kind], text)

    def states(self, kind):
        """{server: (address, operational state, admin state, weight, name, port, service)}"""
        rows = [line.split() for line in self.command(kind, "show servers state").splitlines()[2:] if line]
        return {r[3]: (r[4], r[5], r[6], r[7], r[17], r[18], r[19]) for r in rows}

    def wait_states(self, what, condition):
        for kind in PROGRAMS:
            wait_for(f"{kind}: {what}", lambda: condition(self.states(kind)), 30)
        if len(PROGRAMS) == 2:
            self.assertEqual(self.states("ours"), self.states("original"), what)
        return self.states("ours")

    def wait_logs(self, *texts):
        """The last of them has come to everybody; both have said the same lines about servers, in the same order."""
        for kind in PROGRAMS:
            wait_for(f"{kind} to log {texts[-1]!r}", lambda: any(texts[-1] in line for line in self.logs[kind].lines), 30)
        said = {kind: [line for line in self.logs[kind].lines if " l/" in line or " Server " in line or " proxy " in line]
                for kind in PROGRAMS}
        joined = "\n".join(said["ours"])
        for text in texts:
            self.assertIn(text, joined)
        if "original" in said:
            self.assertEqual(said["ours"], said["original"])
        for kind in PROGRAMS:
            self.logs[kind].lines.clear()

    def reached(self, kind):
        with socket.create_connection(("127.0.0.1", self.ports[kind]), timeout=10) as s:
            s.settimeout(10)
            try:
                return s.recv(100).decode()
            except OSError:
                return ""

    def test_a_server_follows_its_name(self):
        self.nameserver.names["a.test", A] = [LOCALS[0]]
        self.start(f"server s a.test:{self.service} resolvers dns init-addr none resolve-prefer ipv4")
        states = self.wait_states("an address", lambda s: s["s"][0] == LOCALS[0])
        self.assertEqual(states["s"], (LOCALS[0], "2", "0", "1", "a.test", str(self.service), "-"))
        self.wait_logs("5 l/s changed its IP from (none) to 127.0.0.2 by dns/ns1.",
                       "5 Server l/s ('a.test') is UP/READY (resolves again).",
                       "5 Server l/s administratively READY thanks to valid DNS answer.")
        self.nameserver.names["a.test", A] = [LOCALS[1]]
        self.wait_states("the next address", lambda s: s["s"][0] == LOCALS[1])
        self.wait_logs("5 l/s changed its IP from 127.0.0.2 to 127.0.0.3 by dns/ns1.")
        for kind in PROGRAMS:
            self.assertEqual(self.reached(kind), LOCALS[1])
        for outcome, cause in ((NXDOMAIN, "DNS NX status"), (REFUSED, "DNS refused status"),
                               (SERVFAIL, "unspecified DNS error"), (None, "DNS timeout status")):
            with self.subTest(cause):
                for kind in (A, AAAA):
                    self.nameserver.names["a.test", kind] = outcome
                states = self.wait_states("maintenance", lambda s: s["s"][2] == "32")
                self.assertEqual(states["s"][:3], ("-", "0", "32"))
                self.wait_logs(f"1 Server l/s is going DOWN for maintenance ({cause}). 0 active and 0 backup servers left."
                               " 0 sessions active, 0 requeued, 0 remaining in queue.",
                               "0 proxy l has no server available!")
                for kind in PROGRAMS:
                    self.assertIn("MAINT (resolution)", self.command(kind, "show stat"))
                    self.assertEqual(self.reached(kind), "")
                self.nameserver.names["a.test", AAAA] = []
                self.nameserver.names["a.test", A] = [LOCALS[0]]
                self.wait_states("an address again", lambda s: s["s"][:3] == (LOCALS[0], "2", "0"))
                self.wait_logs("administratively READY thanks to valid DNS answer.")

    def test_the_other_family_when_the_preferred_one_is_not_there(self):
        self.nameserver.names["a.test", A] = [LOCALS[0]]
        self.nameserver.names["b.test", AAAA] = ["::1"]
        self.nameserver.names["b.test", A] = [LOCALS[0]]
        self.start(f"server a a.test:{self.service} resolvers dns init-addr none\n"
                   f"  server b b.test:{self.service} resolvers dns init-addr 127.0.0.9")
        states = self.wait_states("addresses", lambda s: s["a"][0] == LOCALS[0] and s["b"][0] == "::1")
        self.assertEqual(states["a"][1:3], ("2", "0"))
        for kind in PROGRAMS:
            counters = dict(line.split() for line in self.command(kind, "show resolvers dns").splitlines()
                            if line.startswith("  "))
            self.assertGreater(int(counters["any_err:"]), 0)
            self.assertGreater(int(counters["valid:"]), 1)
            self.assertEqual(int(counters["update:"]), 2)

    def test_a_template_shares_out_the_addresses(self):
        self.nameserver.names["many.test", A] = list(LOCALS)
        self.start(f"server-template s 1-4 many.test:{self.service} resolvers dns init-addr none resolve-prefer ipv4")
        states = self.wait_states("three addresses",
                                  lambda s: sorted(s)[0] == "s1" and len([1 for v in s.values() if v[1] == "2"]) == 3)
        self.assertEqual(sorted(states), ["s1", "s2", "s3", "s4"])
        self.assertEqual({state[0] for state in states.values()}, {*LOCALS, "-"})
        for kind in PROGRAMS:
            self.assertEqual({self.reached(kind) for _ in range(6)}, set(LOCALS))
        gone = states["s2"][0]
        self.nameserver.names["many.test", A] = [host for host in LOCALS if host != gone]
        self.wait_states("one less", lambda s: s["s2"][:3] == ("-", "0", "32"))
        self.wait_logs("by DNS cache.", "1 Server l/s2 is going DOWN for maintenance (No IP for server )")

    def test_a_template_from_service_records(self):
        self.nameserver.names["_redis._tcp.test", SRV] = [(100, self.service, "n1.test"), (600, self.service, "n2.test")]
        self.nameserver.names["n1.test", A] = [LOCALS[0]]
        self.nameserver.names["n2.test", A] = [LOCALS[1]]
        self.start("server-template s 3 _redis._tcp.test resolvers dns init-addr none resolve-prefer ipv4")
        states = self.wait_states("two servers", lambda s: len([1 for v in s.values() if v[1] == "2"]) == 2)
        by_name = {state[4]: state for state in states.values()}
        self.assertEqual(by_name["n1.test"], (LOCALS[0], "2", "64", "1", "n1.test", str(self.service), "_redis._tcp.test"))
        self.assertEqual(by_name["n2.test"], (LOCALS[1], "2", "64", "3", "n2.test", str(self.service), "_redis._tcp.test"))
        self.wait_logs("changed its FQDN from (null) to n1.test by 'SRV record'",
                       "changed its IP from (none) to 127.0.0.3 by dns/ns1")
        self.nameserver.names["_redis._tcp.test", SRV] = [(100, self.service, "n2.test")]
        self.wait_states("one server", lambda s: len([1 for v in s.values() if v[1] == "2"]) == 1)
        self.wait_logs("is going DOWN for maintenance (entry removed from SRV record)")
        self.nameserver.additional["n3.test"] = LOCALS[2]
        self.nameserver.names["_redis._tcp.test", SRV] = [(0, self.service, "n3.test"), (1, self.service, "n2.test")]
        self.wait_states("the address came along", lambda s: LOCALS[2] in [v[0] for v in s.values()])
        self.wait_logs("changed its IP from (none) to 127.0.0.4 by DNS additional record")

    def test_an_operator_names_another_host(self):
        self.nameserver.names["a.test", A] = [LOCALS[0]]
        self.nameserver.names["b.test", A] = [LOCALS[1]]
        self.start(f"server s a.test:{self.service} resolvers dns init-addr none resolve-prefer ipv4\n"
                   f"  server t 127.0.0.5:{self.service} resolvers dns\n  server u 127.0.0.6:{self.service}")
        self.wait_states("an address", lambda s: s["s"][0] == LOCALS[0])
        for text in ("set server l/s fqdn", "set server l/s fqdn b!.test", "set server l/s fqdn b.test",
                     "set server l/s fqdn b.test", "set server l/u fqdn b.test", "show resolvers nobody"):
            answers = {self.command(kind, text) for kind in PROGRAMS}
            self.assertEqual(len(answers), 1, (text, answers))
        self.wait_states("the other's address", lambda s: s["s"][0] == LOCALS[1])

    def test_faulty_replies_are_counted(self):
        self.nameserver.names["a.test", A] = [LOCALS[0]]
        faults = {"invalid": lambda m: m[:-2], "truncated": lambda m: m[:2] + b"\x83" + m[3:],
                  "too_big": lambda m: m + bytes(600), "outdated": lambda m: bytes([m[0] ^ 255]) + m[1:]}
        self.start(f"server s a.test:{self.service} resolvers dns init-addr 127.0.0.9 resolve-prefer ipv4")
        self.wait_states("an address", lambda s: s["s"][0] == LOCALS[0])
        for name, mangle in faults.items():
            self.nameserver.mangle = mangle
            for kind in PROGRAMS:
                def seen():
                    lines = dict(line.split() for line in self.command(kind, "show resolvers dns").splitlines()
                                 if line.startswith("  "))
                    return int(lines[f"{name}:"]) > 0
                wait_for(f"{kind} to count {name}", seen, 30)
            self.nameserver.mangle = lambda m: m
        self.wait_states("all well", lambda s: s["s"][:3] == (LOCALS[0], "2", "0"))

    def test_over_tcp(self):
        self.nameserver.names["a.test", A] = [LOCALS[0]]
        self.start(f"server s a.test:{self.service} resolvers dns init-addr none resolve-prefer ipv4", prefix="tcp@")
        self.wait_states("an address", lambda s: s["s"][0] == LOCALS[0])


if __name__ == "__main__":
    unittest.main()
