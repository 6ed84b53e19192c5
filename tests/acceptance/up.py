#!/usr/bin/env python3
"""`holdfast up`, `status` and `down`: the whole picture by one command, its crash, its end and its return."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

from processes import Client, HOLDFAST, World, free_port, wait_for


def processes_in(directory):
    """{pid: command line} of everything that works in the directory or was told to."""
    inside = str(directory)
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state != "Z" and ((where + "/").startswith(inside + "/") or inside in words):
            found[int(entry.name)] = words
    return found


class Up(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.root = self.world.directory / "picture"
        self.addCleanup(self.kill_all)

    def kill_all(self):
        if self._outcome.result.errors or self._outcome.result.failures:
            for path in [*sorted(self.world.directory.glob("up-*.out")), *sorted(self.root.glob("log/*.log"))]:
                print(f"--- {path.name}, its end\n{path.read_text()[-3000:]}")
        for pid in processes_in(self.root):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def choose_ports(self, replicas=1, sentinels=1):
        """Consecutive ones: servers, Sentinels, proxy."""
        self.port = free_port(replicas + sentinels + 2)
        self.sentinel_port = self.port + replicas + 1
        self.proxy_port = self.sentinel_port + sentinels
        return ["--port", self.port, "--sentinel-port", self.sentinel_port, "--proxy-port", self.proxy_port]

    def run_once(self, *words, seconds=60):
        """A command that returns by itself."""
        return subprocess.run([HOLDFAST, *map(str, words)], capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL)

    def up(self, *words):
        """`holdfast up` in a terminal of its own; returns it when it is ready."""
        self.count = getattr(self, "count", 0) + 1
        self.output = self.world.directory / f"up-{self.count}.out"
        with open(self.output, "wb") as out:
            process = subprocess.Popen([HOLDFAST, "up", "--dir", self.root, *map(str, words)], stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(lambda: (process.kill(), process.wait()) if process.poll() is None else None)

        def ready():
            if process.poll() is not None:
                raise RuntimeError(f"up ended with {process.returncode}:\n{self.text()}")
            return "Events of the Sentinel follow." in self.text()
        wait_for("`up` to be ready", ready, 40)
        return process

    def text(self):
        return self.output.read_text()

    def press_ctrl_c(self, process):
        """A terminal sends it to everything in the foreground, not to `up` alone."""
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(40), 0, self.text())
        self.assertIn("Stopped. `holdfast up --dir", self.text())
        self.check_all_gone()

    def check_all_gone(self):
        self.assertEqual(processes_in(self.root), {})
        for port in range(self.port, self.proxy_port + 1):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                s.listen()
        self.assertEqual(list((self.root / "run").iterdir()), [], "pid files stay behind")

    def ask(self, port, *words):
        with Client(port) as client:
            return client.call(*words)

    def role(self, port):
        return self.ask(port, "ROLE")[0].decode()

    def write(self, key, value):
        def written():
            return self.ask(self.proxy_port, "SET", key, value) == "OK"
        wait_for("a write through the proxy", written, 30)

    def test_start_crash_return_and_stop(self):
        process = self.up(*self.choose_ports())
        guide = self.text()
        self.assertIn("Ready: writes through the proxy are acknowledged.", guide)
        for kind, port in (("proxy", self.proxy_port), ("primary", self.port), ("replica", self.port + 1),
                           ("sentinel", self.sentinel_port)):
            self.assertRegex(guide, rf"(?m)^  {kind} +127\.0\.0\.1:{port}\b")
        self.assertIn(f"redis-cli -p {self.proxy_port} set hello world", guide)
        self.assertIn(f"redis-cli -p {self.port} debug segfault", guide)
        done = subprocess.run(["redis-cli", "-p", str(self.proxy_port), "set", "hello", "world"], capture_output=True, text=True,
                              timeout=10)
        self.assertEqual(done.stdout, "OK\n")
        wait_for("the replica to have it", lambda: self.ask(self.port + 1, "GET", "hello") == b"world")

        subprocess.run(["redis-cli", "-p", str(self.port), "debug", "segfault"], capture_output=True, timeout=10)
        wait_for("the death to be shown",
                 lambda: re.search(rf"(?m)^-- redis_{self.port} \(pid \d+\) killed by signal 11", self.text()))
        for event in ("+sdown master", "+odown master", "+promoted-slave", "+switch-master"):
            wait_for(f"{event} to be shown", lambda e=event: e in self.text(), 20)
        self.write("second", "time")
        self.assertEqual(self.ask(self.proxy_port, "GET", "hello"), b"world")
        status = self.run_once("status", "--dir", self.root)
        self.assertEqual(status.returncode, 1, "a member is missing")
        self.assertRegex(status.stdout, rf"redis_{self.port} +down +port {self.port} +not running")

        again = self.run_once("up", "--dir", self.root)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("3 of 4 are running; starting the rest...", again.stdout)
        wait_for("the old primary to follow", lambda: self.role(self.port) == "slave" and
                 self.ask(self.port, "GET", "second") == b"time")
        status = self.run_once("status", "--dir", self.root)
        self.assertEqual(status.returncode, 0, status.stdout)
        self.press_ctrl_c(process)

        # The same data and roles, now without numbers; and started and stopped without a terminal.
        detached = self.run_once("up", "--dir", self.root, "--detach")
        self.assertEqual(detached.returncode, 0, detached.stderr)
        self.assertRegex(detached.stdout, rf"(?m)^  primary +127\.0\.0\.1:{self.port + 1}\b")
        self.assertIn(f"holdfast down --dir {self.root}", detached.stdout)
        self.assertEqual(len(processes_in(self.root)), 4)
        self.assertEqual((self.role(self.port), self.role(self.port + 1)), ("slave", "master"))
        self.assertEqual(self.ask(self.proxy_port, "MGET", "hello", "second"), [b"world", b"time"])
        status = self.run_once("status", "--dir", self.root)
        self.assertEqual((status.returncode, len(status.stdout.splitlines())), (0, 4), status.stdout)
        self.assertRegex(status.stdout, rf"redis_{self.port + 1} +primary +port {self.port + 1} +pid \d+")
        down = self.run_once("down", "--dir", self.root)
        self.assertEqual((down.returncode, down.stdout), (0, "Stopped 4 processes.\n"), down.stderr)
        self.check_all_gone()
        self.assertEqual(self.run_once("down", "--dir", self.root).stdout, "Nothing was running.\n")
        self.assertEqual(self.run_once("status", "--dir", self.root).returncode, 1)

    def test_two_replicas_three_sentinels(self):
        ports = self.choose_ports(2, 3)
        numbers = ["--replicas", 2, "--sentinels", 3, "--quorum", 2]
        done = self.run_once("up", "--dir", self.root, "--detach", *ports, *numbers)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(processes_in(self.root)), 7)

        def acquainted(port):
            flat = self.ask(port, "SENTINEL", "MASTER", "master01")
            seen = dict(zip(flat[::2], flat[1::2]))
            return (seen[b"num-slaves"], seen[b"num-other-sentinels"], seen[b"quorum"]) == (b"2", b"2", b"2")
        for port in range(self.sentinel_port, self.sentinel_port + 3):
            wait_for(f"the Sentinel on {port} to know all", lambda p=port: acquainted(p), 20)
        self.write("key", "1")
        other = self.run_once("up", "--dir", self.root, "--replicas", 1)
        self.assertEqual(other.returncode, 1)
        self.assertIn("already holds another set-up", other.stderr)
        self.assertEqual(len(processes_in(self.root)), 7)
        pidfile = self.root / f"run/redis_{self.port}.pid"
        os.kill(int(pidfile.read_text()), signal.SIGKILL)
        wait_for("a replica to be promoted", lambda: "master" in (self.role(self.port + 1), self.role(self.port + 2)), 30)
        self.write("key", "2")
        down = self.run_once("down", "--dir", self.root)
        self.assertEqual((down.returncode, down.stdout), (0, "Stopped 6 processes.\n"), down.stderr)
        self.check_all_gone()

    def test_a_busy_port_is_named(self):
        ports = self.choose_ports()
        for port, member in ((self.port + 1, f"redis_{self.port + 1}"), (self.sentinel_port, f"sentinel_{self.sentinel_port}"),
                             (self.proxy_port, "proxy")):
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
                s.listen()
                done = self.run_once("up", "--dir", self.root, *ports)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"port {port} ({member}) is already in use; nothing was started.", done.stderr)
            self.assertEqual(processes_in(self.root), {})
            self.assertFalse(self.root.exists(), "a refused start leaves files behind")

    def test_a_member_that_fails_takes_all_down(self):
        ports = self.choose_ports()
        self.assertEqual(self.run_once("up", "--dir", self.root, "--detach", *ports).returncode, 0)
        self.assertEqual(self.run_once("down", "--dir", self.root).returncode, 0)
        with open(self.root / f"sentinel_{self.sentinel_port}/sentinel.conf", "a") as conf:
            conf.write("sentinel no-such-thing 1\n")
        done = self.run_once("up", "--dir", self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"sentinel_{self.sentinel_port} (pid", done.stderr)
        self.assertIn("Unrecognized sentinel configuration statement.", done.stderr)
        self.assertIn("Everything that had been started was stopped.", done.stderr)
        self.check_all_gone()

    def test_ctrl_c_before_it_is_ready(self):
        output = self.world.directory / "early.out"
        with open(output, "wb") as out:
            process = subprocess.Popen([HOLDFAST, "up", "--dir", self.root, *map(str, self.choose_ports(1, 3)), "--sentinels", "3"],
                                       stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for("the servers to run", lambda: len(processes_in(self.root)) > 2)  # three Sentinels need seconds to meet
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(40), 1)
        self.assertIn("interrupted\nEverything that had been started was stopped.", output.read_text())
        self.check_all_gone()

    def test_usage(self):
        for words in (["up", "--help"], ["down", "--help"], ["status", "--help"], ["--help"]):
            done = self.run_once(*words)
            self.assertEqual(done.returncode, 0, words)
            self.assertIn("up", done.stdout)
        for option in ("--replicas", "--sentinels", "--quorum", "--dir", "--detach", "--port", "--sentinel-port", "--proxy-port"):
            self.assertIn(option, self.run_once("up", "--help").stdout)
        for words in (["up", "--no-such-option"], ["up", "--port", "x"], ["up", "--port", "70000"], ["frobnicate"], []):
            done = self.run_once(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)
        for words, message in ((["--quorum", "3"], "can never be reached"), (["--port", "6378"], "overlap"),
                               (["--replicas", "-1"], "replicas: 0 to")):
            done = self.run_once("up", "--dir", self.root, *words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(message, done.stderr)
        for program in ("down", "status"):
            done = self.run_once(program, "--dir", self.root)
            self.assertEqual(done.returncode, 1)
            self.assertIn("was not made by `holdfast up`", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
