#!/usr/bin/env python3
"""Reloads under load: -sf with -x, and the master of -W. No new connection may fail, and no session may be cut."""
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from processes import HOLDFAST, World, free_port, wait_for

RELOADS = int(os.environ.get("HOLDFAST_RELOADS", "40"))


class Echo(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            connection = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            pass
        connection.close()


class Callers:
    """Connections made and used as fast as they come; `failed` says what went wrong."""

    def __init__(self, port, count=4):
        self.port, self.failed, self.done, self.stopping = port, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.call, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self):
        while not self.stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    s.sendall(b"hello")
                    got = s.recv(100)
                    if got != b"hello":
                        raise OSError(f"got {got!r}")
                self.done += 1
            except OSError as error:
                self.failed.append(repr(error))

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Reload(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(lambda: self.world.__exit__(None, None, None))
        self.echo = Echo()
        self.port = free_port()
        self.socket = self.world.directory / "stats.sock"
        self.config = self.world.directory / "haproxy.cfg"
        self.write()
        self.started = []
        self.addCleanup(self.end)

    def end(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    def write(self, extra=""):
        self.config.write_text(
            f"global\n stats socket {self.socket} level admin expose-fd listeners\n{extra}"
            "defaults\n timeout connect 2s\n timeout client 20m\n timeout server 20m\n"
            f"listen l\n bind 127.0.0.1:{self.port}\n server s 127.0.0.1:{self.echo.port}\n")

    def start(self, program, *more):
        log = open(self.world.directory / "log", "ab")
        process = subprocess.Popen([*map(str, program), "-f", str(self.config), *more], stdout=log, stderr=log)
        self.started.append(process)
        return process

    def wait_serving(self):
        def serves():
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                s.sendall(b"x")
                return s.recv(1) == b"x"
        wait_for("the proxy to serve", serves)

    def replace(self, first, then):
        old = self.start(first, "-db")
        self.wait_serving()
        kept = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        kept.sendall(b"a")
        self.assertEqual(kept.recv(1), b"a")
        callers = Callers(self.port)
        for _ in range(RELOADS):
            before = callers.done
            new = self.start(then, "-db", "-sf", str(old.pid), "-x", str(self.socket))
            if old is not self.started[0]:
                wait_for("the old process to leave", lambda p=old: p.poll() is not None)
            wait_for("calls to go on", lambda b=before: callers.done > b + 50)
            old = new
        kept.sendall(b"b")  # its session goes on in the first process
        self.assertEqual(kept.recv(1), b"b")
        kept.close()
        wait_for("the first process to leave", lambda: self.started[0].poll() is not None)
        callers.finish()
        print(f"{RELOADS} reloads, {callers.done} connections, {len(callers.failed)} failed {callers.failed[:3]}")
        self.assertEqual(callers.failed, [])

    def test_handover(self):
        self.replace([HOLDFAST, "proxy"], [HOLDFAST, "proxy"])

    def test_handover_from_the_original(self):
        if shutil.which("haproxy"):
            self.replace(["haproxy"], [HOLDFAST, "proxy"])

    def test_master(self):
        master = self.start([HOLDFAST, "proxy"], "-W", "-p", str(self.world.directory / "pid"))
        self.wait_serving()
        self.assertEqual(int((self.world.directory / "pid").read_text()), master.pid)
        def workers():
            with open(f"/proc/{master.pid}/task/{master.pid}/children") as file:
                return [int(pid) for pid in file.read().split() if alive(int(pid))]
        callers = Callers(self.port)
        for _ in range(RELOADS):
            before = workers()
            master.send_signal(signal.SIGUSR2)
            wait_for("a new worker alone", lambda b=before: len(w := workers()) == 1 and w != b)
        # A broken file: the worker that serves goes on.
        serving = workers()
        self.write(extra=" bogus\n")
        master.send_signal(signal.SIGUSR2)
        log = self.world.directory / "log"
        wait_for("the reload to fail", lambda: "New worker" in log.read_text() and "exited with code 1" in log.read_text())
        wait_for("the serving worker alone", lambda: workers() == serving)
        self.wait_serving()
        callers.finish()
        print(f"{RELOADS} reloads of the master, {callers.done} connections, {len(callers.failed)} failed {callers.failed[:3]}")
        self.assertEqual(callers.failed, [])
        master.send_signal(signal.SIGINT)
        self.assertEqual(master.wait(10), 130)
        wait_for("no worker left", lambda: not any(alive(pid) for pid in serving))


if __name__ == "__main__":
    unittest.main()
