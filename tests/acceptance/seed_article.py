#!/usr/bin/env python3
"""The article, step by step, with real processes and Debian's redis-cli.

Its files (packaging/examples/article) with other ports and directories; servers, Sentinel and proxy are started by its
init scripts through links named redis-server and haproxy; both crashes; every event of the Sentinel's log in order.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import processes
from processes import ROOT, World, wait_for, free_port

EXAMPLES = ROOT / "packaging/examples/article"


class Article(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)
        self.pids = []
        root = self.root = self.world.directory
        self.ports = dict(zip(("6379", "6380", "26379", "6378"), self.four_ports()))
        for directory in ("bin", "etc/redis", "run", "log", "init.d", *(f"lib/redis/{name}" for name in (
                self.name("redis_6379"), self.name("redis_6380"), self.name("sentinel_26379")))):
            (root / directory).mkdir(parents=True, exist_ok=True)
        for link in ("redis-server", "redis-sentinel", "haproxy"):
            (root / "bin" / link).symlink_to(processes.HOLDFAST)
        for source in EXAMPLES.glob("*.conf"):
            (root / "etc/redis" / self.name(source.name)).write_text(self.translate(source.read_text()))
        (root / "etc/haproxy.cfg").write_text(self.translate((EXAMPLES / "haproxy.cfg").read_text()))
        for source in (EXAMPLES / "init.d").iterdir():
            target = root / "init.d" / self.name(source.name)
            target.write_text(self.translate(source.read_text()))
            target.chmod(0o755)

    def four_ports(self):
        first = free_port(4)
        return [first, first + 1, first + 2, first + 3]

    def name(self, text):
        return re.sub(r"26379|6378|6379|6380", lambda match: str(self.ports[match.group()]), text)

    def translate(self, text):
        text = self.name(text)
        for old, new in (("/usr/local/bin", "bin"), ("/var/run", "run"), ("/var/log", "log"), ("/var/lib/redis", "lib/redis"),
                         ("/etc/redis", "etc/redis")):
            text = text.replace(old, str(self.root / new))
        return text

    def end(self):
        failed = self._outcome.result.errors or self._outcome.result.failures
        for path in (self.root / "run").glob("*.pid"):
            text = path.read_text().strip()
            if text.isdigit():
                try:
                    os.kill(int(text), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if failed:
            for path in sorted((self.root / "log").iterdir()):
                print(f"--- {path.name}\n{path.read_text()[-4000:]}")
        self.world.__exit__(None, None, None)

    # What an operator types.
    def script(self, name, action):
        path = self.root / "init.d" / self.name(name)
        return subprocess.run([str(path), action], check=True, capture_output=True, text=True, timeout=20).stdout

    def cli(self, port, *words, check=True):
        done = subprocess.run(["redis-cli", "-p", str(self.ports[port]), *words], capture_output=True, text=True, timeout=20)
        if check and done.returncode != 0:
            raise AssertionError(f"redis-cli -p {port} {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def replication(self, port):
        """INFO replication as a dict; {} while the server cannot be reached."""
        out = self.cli(port, "info", "replication", check=False)
        return dict(line.strip().split(":", 1) for line in out.splitlines() if re.match(r"^[a-z_0-9]+:", line))

    def info(self, port, section):
        out = self.cli(port, "info", section, check=False)
        return dict(line.strip().split(":", 1) for line in out.splitlines() if re.match(r"^[a-z_0-9]+:", line))

    def sentinel_log(self):
        path = self.root / "log" / self.name("sentinel_26379.log")
        return path.read_text() if path.exists() else ""

    def events(self, after=0):
        """`# +sdown master ...`: level and text of the log's lines, pid and date taken off after their form was checked."""
        out = []
        for line in self.sentinel_log().splitlines()[after:]:
            match = re.match(r"^\d+:X \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-] .*)$", line)
            if match:
                out.append(match.group(1))
        return out

    def address(self, port):
        return f"127.0.0.1 {self.ports[port]}"

    def wait_event(self, text, after, seconds=20):
        wait_for(f"the Sentinel to log {text!r}", lambda: any(text in line for line in self.events(after)), seconds)

    # The steps.
    def start_all(self):
        for name in ("redis_6379", "redis_6380"):
            self.assertIn("Starting", self.script(name, "start"))
        for port in ("6379", "6380"):
            wait_for(f"{port} to answer", lambda: "PONG" in self.cli(port, "ping", check=False))
        self.script("sentinel_26379", "start")
        wait_for("the Sentinel to answer", lambda: "PONG" in self.cli("26379", "ping", check=False))
        subprocess.run([self.root / "bin/haproxy", "-f", self.root / "etc/haproxy.cfg", "-D", "-p",
                        self.root / "run/haproxy.pid"], check=True, timeout=20)

    def check_replication(self, primary, replica, seconds=20):
        def replicated():
            up = self.replication(replica)
            here = self.replication(primary)
            return up.get("master_link_status") == "up" and here.get("connected_slaves") == "1" and up
        up = wait_for(f"{replica} to follow {primary}", replicated, seconds)
        self.assertEqual(up["role"], "slave")
        self.assertEqual((up["master_host"], up["master_port"]), ("127.0.0.1", str(self.ports[primary])))
        self.assertEqual(up["slave_read_only"], "1")
        here = self.replication(primary)
        self.assertEqual(here["role"], "master")
        self.assertRegex(here["slave0"], rf"^ip=127\.0\.0\.1,port={self.ports[replica]},state=online,offset=\d+,lag=\d+$")
        self.assertEqual(here["repl_backlog_active"], "1")

    def check_failover(self, old, new, after):
        """The article's event sequence, byte for byte but for pid, date, id and epoch."""
        self.wait_event(f"+sdown slave 127.0.0.1:{self.ports[old]}", after)
        a, b = self.address(old), self.address(new)
        slave = f"slave 127.0.0.1:{self.ports[new]} {b} @ master01 {a}"
        expected = [
            rf"# \+sdown master master01 {a}",
            rf"# \+odown master master01 {a} #quorum 1/1",
            r"# \+new-epoch (?P<epoch>\d+)",
            rf"# \+try-failover master master01 {a}",
            r"# \+vote-for-leader [0-9a-f]{40} \d+",
            rf"# \+elected-leader master master01 {a}",
            rf"# \+failover-state-select-slave master master01 {a}",
            rf"# \+selected-slave {slave}",
            rf"\* \+failover-state-send-slaveof-noone {slave}",
            rf"\* \+failover-state-wait-promotion {slave}",
            rf"# \+promoted-slave {slave}",
            rf"# \+failover-state-reconf-slaves master master01 {a}",
            rf"# \+failover-end master master01 {a}",
            rf"# \+switch-master master01 {a} {b}",
            rf"\* \+slave slave 127.0.0.1:{self.ports[old]} {a} @ master01 {b}",
            rf"# \+sdown slave 127.0.0.1:{self.ports[old]} {a} @ master01 {b}",
        ]
        seen = [line for line in self.events(after) if re.match(r"^[#*] [+-](?!fix)", line)]
        self.assertEqual(len(seen), len(expected), "\n".join(seen))
        for line, pattern in zip(seen, expected):
            self.assertRegex(line, "^" + pattern + "$")

    def crash(self, port, seconds):
        out = self.cli(port, "debug", "segfault", check=False)
        self.assertIn("Error: Server closed the connection", out)
        started = time.monotonic()
        other = "6380" if port == "6379" else "6379"
        wait_for(f"{other} to be the primary", lambda: self.replication(other).get("role") == "master", 10)
        took = time.monotonic() - started
        self.assertLess(took, seconds, "the crash took longer than the article's own patience allows")
        wait_for("a write through the proxy", lambda: self.cli("6378", "set", "after", "crash", check=False).strip() == "OK", 5)
        served = time.monotonic() - started
        self.assertLess(served, seconds + 0.9, "the proxy did not follow")
        print(f"a write through the proxy after {served:.2f} s")
        print(f"crash of {port}: {other} was the primary after {took:.2f} s")

    def bring_back(self, port, primary, after):
        # COMPAT: kill -9 and a crash leave the pidfile behind; the script starts over it.
        self.script(f"redis_{port}", "start")
        self.wait_event(f"-sdown slave 127.0.0.1:{self.ports[port]}", after)
        if self.replication(port).get("role") == "master":
            self.wait_event(f"+convert-to-slave slave 127.0.0.1:{self.ports[port]} {self.address(port)} @ master01 "
                            f"{self.address(primary)}", after, 30)
        self.check_replication(primary, port)

    def through_proxy(self, port):
        """The article's loop through 6378: to the primary, and steadily so. Servers start UP until their first check, and one
        that was demoted stays UP until three checks failed: a few good answers in a row prove nothing."""
        def leads():
            for _ in range(40):
                with processes.Client(self.ports["6378"]) as client:
                    if client.info("server").get("tcp_port") != str(self.ports[port]):
                        return False
            return self.replication("6378").get("role") == "master"
        wait_for(f"the proxy to lead to {port} only", leads)

    def test_every_step(self):
        self.start_all()
        self.check_replication("6379", "6380")
        self.wait_event(f"+slave slave 127.0.0.1:{self.ports['6380']} {self.address('6380')} @ master01 {self.address('6379')}", 0)
        monitor = [line for line in self.events() if "+monitor" in line]
        self.assertEqual(monitor, [f"# +monitor master master01 {self.address('6379')} quorum 1"])
        self.through_proxy("6379")
        self.assertEqual(self.cli("6378", "set", "hello", "world").strip(), "OK")

        mark = len(self.sentinel_log().splitlines())
        self.crash("6379", 3.6)
        self.check_failover("6379", "6380", mark)
        self.assertEqual(self.replication("6380")["connected_slaves"], "0")
        self.through_proxy("6380")
        self.assertEqual(self.cli("6378", "get", "hello").strip(), "world")

        mark = len(self.sentinel_log().splitlines())
        self.bring_back("6379", "6380", mark)
        self.check_masters("6380")

        # The old primary said role:master for a while: the proxy may have believed it until its checks failed three times.
        self.through_proxy("6380")
        mark = len(self.sentinel_log().splitlines())
        self.assertEqual(self.cli("6378", "set", "second", "time").strip(), "OK")
        wait_for("the replica to have it", lambda: self.cli("6379", "get", "second").strip() == "time")
        self.crash("6380", 3.6)
        self.check_failover("6380", "6379", mark)
        self.through_proxy("6379")
        mark = len(self.sentinel_log().splitlines())
        self.bring_back("6380", "6379", mark)
        self.through_proxy("6379")
        self.assertEqual((self.cli("6378", "get", "hello").strip(), self.cli("6378", "get", "second").strip()),
                         ("world", "time"))
        self.check_masters("6379")
        self.check_stop()

    def check_masters(self, primary):
        """`sentinel masters`: the article's fields in the order modern Sentinels give them."""
        lines = self.cli("26379", "sentinel", "masters").splitlines()
        wait_for("the failover's flags to go", lambda: self.flag("flags") == "master")
        fields = lines[0::2]
        self.assertEqual(fields[:5], ["name", "ip", "port", "runid", "flags"])
        for field, value in (("name", "master01"), ("ip", "127.0.0.1"), ("port", str(self.ports[primary])),
                             ("down-after-milliseconds", "3000"), ("failover-timeout", "6000"), ("parallel-syncs", "1"),
                             ("num-slaves", "1"), ("num-other-sentinels", "0"), ("quorum", "1")):
            self.assertEqual(self.flag(field), value, field)
        address = self.cli("26379", "sentinel", "get-master-addr-by-name", "master01").split()
        self.assertEqual(address, ["127.0.0.1", str(self.ports[primary])])
        conf = (self.root / "etc/redis" / self.name("sentinel_26379.conf")).read_text()
        self.assertIn(f"sentinel monitor master01 {self.address(primary)} 1", conf)
        self.assertIn("# Quorum 1: this one Sentinel decides alone.", conf)

    def flag(self, field):
        lines = self.cli("26379", "sentinel", "masters").splitlines()
        return dict(zip(lines[0::2], lines[1::2])).get(field)

    def check_stop(self):
        for name in ("redis_6379", "redis_6380", "sentinel_26379"):
            pidfile = self.root / "run" / self.name(f"{name}.pid")
            pid = int(pidfile.read_text())
            self.assertIn(f"PID: {pid}", self.script(name, "stop"))
            wait_for(f"{name} to end", lambda: not pathlib.Path(f"/proc/{pid}").exists())
            self.assertFalse(pidfile.exists(), f"{name} left its pidfile")

    def test_the_articles_quirks_are_named(self):
        """`localhost` without resolve-hostnames, and parallel-syncs with a port: the original's words and one line of help."""
        conf = self.root / "etc/redis/quirks.conf"
        for line, message in (("sentinel monitor master01 localhost 6379 1", "Can't resolve instance hostname."),
                              ("sentinel monitor master01 127.0.0.1 6379 1\nsentinel parallel-syncs master01 6379 1",
                               "Unrecognized sentinel configuration statement.")):
            conf.write_text(line + "\n")
            done = subprocess.run([self.root / "bin/redis-server", conf, "--sentinel"], capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 1)
            self.assertIn("*** FATAL CONFIG FILE ERROR (Redis ", done.stderr)
            self.assertIn(f">>> '{line.splitlines()[-1]}'\n{message}\n", done.stderr)
            self.assertIn("Hint: ", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
