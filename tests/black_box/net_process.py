#!/usr/bin/python3
"""The binary as a process: start, log lines, pid files, signals, exits. Waits for conditions, never for fixed times."""
import argparse
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BINARY = None
PATIENCE = 20.0


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def free_port():
    for port in range(23000, 23050):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def ask(port, line, timeout=2.0):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as conn:
            conn.sendall(line.encode() + b"\r\n")
            return conn.recv(65536).decode()
    except OSError:
        return ""


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="holdfast_net_")
        self.dir = self.place.name
        self.children = []
        self.daemons = []
        self.port = free_port()

    def tearDown(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for pid in self.daemons:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.place.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *words, program=None, stdin=None):
        out = open(self.path("out"), "ab")
        command = [program] if program else [BINARY, "server"]
        child = subprocess.Popen(command + list(words), stdout=out, stderr=out, cwd=self.dir,
                                 stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        out.close()
        if stdin is not None:
            child.stdin.write(stdin.encode())
            child.stdin.close()
        self.children.append(child)
        return child

    def wait_answering(self, port=None):
        until(lambda: ask(port or self.port, "PING").startswith("+PONG"), "an answer to PING")

    def link(self, name):
        os.symlink(BINARY, self.path(name))
        return self.path(name)

    def test_first_lines_and_an_orderly_end(self):
        child = self.start("--port", str(self.port), "--save", "", "--always-show-logo", "yes", "--pidfile", "s.pid")
        self.wait_answering()
        self.assertEqual(read(self.path("s.pid")), "%d\n" % child.pid)
        child.terminate()
        self.assertEqual(child.wait(PATIENCE), 0)
        self.assertFalse(os.path.exists(self.path("s.pid")))
        log = read(self.path("out"))
        order = ["oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", "Redis version=7.2.", "Configuration loaded",
                 "monotonic clock: POSIX clock_gettime", " PID: %d" % child.pid, "Server initialized",
                 "Ready to accept connections tcp", "Received SIGTERM scheduling shutdown...",
                 "User requested shutdown...", "ready to exit, bye bye..."]
        places = [log.find(text) for text in order]
        self.assertNotIn(-1, places, log)
        self.assertEqual(places, sorted(places), log)
        self.assertRegex(log, r"(?m)^%d:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} \* Server initialized$" % child.pid)

    def test_both_event_loops_serve(self):
        for backend in ("epoll", "uring"):
            child = self.start("--port", str(self.port), "--save", "", "--io-backend", backend)
            until(lambda: child.poll() is not None or ask(self.port, "PING"), "an answer or an end")
            if child.poll() is not None:
                self.assertEqual(backend, "uring", read(self.path("out")))
                self.assertIn("No event loop", read(self.path("out")))
                continue
            self.assertEqual(ask(self.port, "SET k " + "v" * 20000), "+OK\r\n")
            self.assertEqual(ask(self.port, "STRLEN k"), ":20000\r\n")
            child.terminate()
            self.assertEqual(child.wait(PATIENCE), 0)

    def test_daemon_with_pidfile_log_and_dir(self):
        os.mkdir(self.path("data"))
        with open(self.path("r.conf"), "w", encoding="utf-8") as conf:
            conf.write('port %d\nbind 127.0.0.1\ndaemonize yes\npidfile "%s"\nlogfile server.log\ndir "%s"\n' %
                       (self.port, self.path("d.pid"), self.path("data")))
        program = self.link("redis-server")
        child = self.start("r.conf", program=program)
        self.assertEqual(child.wait(PATIENCE), 0)
        self.wait_answering()
        pid = int(read(self.path("d.pid")))
        self.daemons.append(pid)
        self.assertNotEqual(pid, child.pid)
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual(os.readlink("/proc/%d/cwd" % pid), self.path("data"))
        self.assertEqual(os.readlink("/proc/%d/fd/1" % pid), "/dev/null")
        self.assertIn("Ready to accept connections tcp", read(self.path("data/server.log")))
        self.assertEqual(read(self.path("out")), "")
        self.assertEqual(ask(self.port, "SET kept yes"), "+OK\r\n")
        os.kill(pid, signal.SIGTERM)
        until(lambda: not os.path.exists("/proc/%d" % pid), "the daemon's end")
        self.assertFalse(os.path.exists(self.path("d.pid")))
        again = self.start("r.conf", program=program)  # the data came to disk at the end and comes back
        self.assertEqual(again.wait(PATIENCE), 0)
        until(lambda: ask(self.port, "GET kept").startswith("$3"), "the kept value")
        self.daemons.append(int(read(self.path("d.pid"))))

    def test_configuration_from_stdin_and_options_after_it(self):
        child = self.start("-", "--port", str(self.port), stdin="port 1\nsave ''\nrequirepass secret\n")
        until(lambda: ask(self.port, "PING").startswith("-NOAUTH"), "the password")
        child.terminate()
        self.assertEqual(child.wait(PATIENCE), 0)

    def test_fatal_configuration_errors(self):
        child = self.start("--bogus", "1")
        self.assertEqual(child.wait(PATIENCE), 1)
        self.assertIn("*** FATAL CONFIG FILE ERROR (Redis 7.2", read(self.path("out")))
        child = self.start("/no/such/file.conf")
        self.assertEqual(child.wait(PATIENCE), 1)
        self.assertIn("Fatal error, can't open config file '/no/such/file.conf': No such file or directory",
                      read(self.path("out")))

    def test_busy_port(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            child = self.start("--port", str(self.port), "--bind", "127.0.0.1")
            self.assertEqual(child.wait(PATIENCE), 1)
        log = read(self.path("out"))
        self.assertIn("Failed listening on port %d" % self.port, log)

    def test_crash_report_and_death_by_the_signal(self):
        child = self.start("--port", str(self.port), "--save", "", "--enable-debug-command", "yes")
        self.wait_answering()
        self.assertEqual(ask(self.port, "DEBUG SEGFAULT"), "")
        self.assertEqual(child.wait(PATIENCE), -signal.SIGSEGV)
        log = read(self.path("out"))
        self.assertIn("=== REDIS BUG REPORT START: Cut & paste starting from here ===", log)
        self.assertRegex(log, r"# Redis 7\.2\.\d+ crashed by signal: 11")
        self.assertIn("=== REDIS BUG REPORT END.", log)

    def test_log_rotation(self):
        child = self.start("--port", str(self.port), "--save", "", "--logfile", "r.log")
        self.wait_answering()
        os.rename(self.path("r.log"), self.path("r.log.1"))
        child.terminate()
        self.assertEqual(child.wait(PATIENCE), 0)
        self.assertIn("Ready to accept", read(self.path("r.log.1")))
        self.assertIn("bye bye", read(self.path("r.log")))

    def test_sentinel_as_the_articles_init_script_starts_it(self):
        server = self.start("--port", str(self.port), "--save", "")
        self.wait_answering()
        port = free_port()
        with open(self.path("s.conf"), "w", encoding="utf-8") as conf:
            conf.write('port %d\ndaemonize yes\nlogfile "%s"\nsentinel monitor master01 127.0.0.1 %d 1\n' %
                       (port, self.path("s.log"), self.port))
        child = self.start("s.conf", "--sentinel", "--pidfile", self.path("s.pid"), program=self.link("redis-server"))
        self.assertEqual(child.wait(PATIENCE), 0)
        until(lambda: "master01" in ask(port, "SENTINEL masters"), "the monitored primary")
        pid = int(read(self.path("s.pid")))
        self.daemons.append(pid)
        log = read(self.path("s.log"))
        self.assertRegex(log, r"(?m)^%d:X .* \* Running mode=sentinel, port=%d\.$" % (pid, port))
        self.assertRegex(log, r"(?m)^%d:X .* # \+monitor master master01 127\.0\.0\.1 %d quorum 1$" % (pid, self.port))
        os.kill(pid, signal.SIGTERM)
        until(lambda: not os.path.exists("/proc/%d" % pid), "the Sentinel's end")
        self.assertFalse(os.path.exists(self.path("s.pid")))
        self.assertTrue(re.search(r"Sentinel is now ready to exit, bye bye\.\.\.\n$", read(self.path("s.log"))))
        server.terminate()
        self.assertEqual(server.wait(PATIENCE), 0)

    def test_sentinel_needs_a_file(self):
        child = self.start(program=self.link("redis-sentinel"))
        self.assertEqual(child.wait(PATIENCE), 1)
        self.assertIn("Sentinel needs config file on disk to save state. Exiting...", read(self.path("out")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    options, rest = parser.parse_known_args()
    BINARY = os.path.abspath(options.binary)
    unittest.main(argv=[__file__] + rest)
