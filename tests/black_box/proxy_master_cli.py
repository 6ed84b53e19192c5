#!/usr/bin/env python3
"""The master's own command line (`-W -S`): prefixes, prompts and levels as Debian's haproxy answers them, reloads that
report, sessions handed to a worker whole."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from processes import HOLDFAST, World, free_port, wait_for

PROGRAMS = {"ours": [HOLDFAST, "proxy"]}
if shutil.which("haproxy"):
    PROGRAMS["original"] = ["haproxy"]

# {pid} is the worker's.
ASKED = [
    "show version\n", "show proc\n", "show proc debug\n", "@1 show version\n", "@1\n", "@1;show version\n", "@!1 show version\n",
    "@2 show version\n", "@master show proc\n", "@foo show info\n", "@1x show version\n", "@0 show version\n", "@!\n", "@\n",
    "show version;show proc\n", "show version\nshow cli level\n", "show version", "@1 show version;show cli level", "@!{pid} show version\n",
    "prompt\n", "prompt\n@1\nshow version\n", "prompt;show version;@1;show cli level\n", "@1;prompt\nshow cli level\n@master\nshow cli level\n",
    "prompt\n@2 show version\nshow version\n", "prompt\n@1 show version\nprompt\nshow version\n", "prompt\nquit\n",
    "operator;show cli level\n", "user;@1 show cli level\n", "operator;show cli level;@1 show cli level\n", "user;reload\n",
    "user;operator;show cli level\n", "operator;@1 disable server l/s1\n", "@1 disable server l/s1\n", "@1 enable server l/s1\n",
    "show cli level\n", "@1 show cli level\n", "expert-mode\n", "expert-mode on;show version\n", "prompt\nexpert-mode on\nshow version\n",
    "show cli sockets\n", "quit\n", "quit;show version\n", "  show   version  \n", "\tshow version\n", "@1   show version ; @1 show cli level\n",
]


class Master:
    def __init__(self, world, kind, options=""):
        self.kind, self.port = kind, free_port()
        directory = world.place(f"{kind}-{self.port}")
        self.path, self.config = f"{directory}/master.sock", f"{directory}/haproxy.cfg"
        self.write("")
        self.errors = open(f"{directory}/errors", "wb")
        self.process = subprocess.Popen([*PROGRAMS[kind], "-W", "-S", self.path + options, "-f", self.config], stderr=self.errors)
        wait_for("a worker", lambda: self.processes()["worker"])

    def write(self, more):
        with open(self.config, "w") as file:
            file.write("defaults\n mode tcp\n timeout connect 1s\n timeout client 10s\n timeout server 10s\n"
                       f"listen l\n bind 127.0.0.1:{self.port}\n server s1 127.0.0.1:1\n{more}")

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(20)
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection

    def ask(self, text, close=True):
        with self.connect() as connection:
            connection.sendall(text.encode())
            if close:
                connection.shutdown(socket.SHUT_WR)
            out = b""
            while data := connection.recv(65536):
                out += data
        return out.decode()

    def processes(self):
        """pids by kind of process."""
        found = {"master": [], "worker": [], "old": []}
        try:
            text = self.ask("show proc\n")
        except (FileNotFoundError, ConnectionRefusedError):
            return found
        old = False
        for line in text.splitlines():
            old = old or line.startswith("# old")
            words = line.split()
            if len(words) > 2 and not line.startswith("#") and words[1] in found:
                found["old" if old else words[1]].append(int(words[0]))
        return found

    def worker(self):
        return self.processes()["worker"][0]

    def same_everywhere(self, text):
        """Without what is one process's own. Programs beside the workers exist up to HAProxy 3.2."""
        processes = self.processes()
        for name in ("worker", "master"):
            for pid in processes[name]:
                text = re.sub(rf"\b{pid}\b *", f"<{name}> ", text)
        text = re.sub(r"\d+d\d\dh\d\dm\d\ds", "<up>", text)
        text = re.sub(r"\d+\.\d+\.[-+.\w]+ *", "<version> ", text)
        return text.replace("# programs\n", "")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.errors.close()


class MasterCli(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(lambda: self.world.__exit__(None, None, None))

    def master(self, kind, options=""):
        master = Master(self.world, kind, options)
        self.addCleanup(master.close)
        return master

    def test_answers_are_the_originals(self):
        masters = {kind: self.master(kind) for kind in PROGRAMS}
        for asked in ASKED:
            got = {}
            for kind, master in masters.items():
                got[kind] = master.same_everywhere(master.ask(asked.replace("{pid}", str(master.worker()))))
            with self.subTest(asked):
                self.assertEqual(got["ours"], got.get("original", got["ours"]))

    def test_help_names_what_there_is(self):
        master = self.master("ours")
        everything = master.ask("help\n")
        for name in ("@!<pid>", "@<relative pid>", "hard-reload", "reload", "show proc", "show startup-logs"):
            self.assertIn(f"\n  {name} ", everything)
        self.assertIn("better match:\n  show cli level ", master.ask("show nothing\n"))
        self.assertNotIn("reload", master.ask("help show\n"))
        self.assertIn("only:\n", master.ask("\n"))

    def test_a_reload_tells_how_it_went(self):
        master = self.master("ours")
        first = master.worker()
        out = master.ask("reload\n", close=False)
        self.assertTrue(out.startswith("Success=1\n--\n"), out)
        self.assertIn("Loading success.", out)
        second = master.worker()
        self.assertNotEqual(first, second)
        wait_for("the old worker to end", lambda: not master.processes()["old"])
        self.assertIn(" 1 [failed: 0] ", master.ask("show proc\n"))

        master.write(" nosuchword\n")
        out = master.ask("reload;show version\n", close=False)
        self.assertTrue(out.startswith("Success=0\n--\n"), out)
        self.assertIn("unknown keyword 'nosuchword' in 'listen' section", out)
        self.assertEqual(master.worker(), second)
        self.assertIn(" 2 [failed: 1] ", master.ask("show proc\n"))
        self.assertEqual(master.ask("prompt\nquit\n"), 2 * "master[ReloadFailed]> ")
        self.assertIn("unknown keyword 'nosuchword'", master.ask("show startup-logs\n"))

        master.write("")
        self.assertTrue(master.ask("reload\n").startswith("Success=1\n"))
        self.assertEqual(master.ask("prompt\nquit\n"), 2 * "master> ")

    def test_a_hard_reload_ends_sessions(self):
        listener = socket.create_server(("127.0.0.1", 0))
        master = self.master("ours")
        master.write(f" server s2 127.0.0.1:{listener.getsockname()[1]}\n balance first\n option redispatch\n retries 1\n")
        master.ask("reload\n")
        for command, ends in (("reload\n", False), ("hard-reload\n", True)):
            client = socket.create_connection(("127.0.0.1", master.port), timeout=10)
            client.sendall(b"hello")
            server = listener.accept()[0]
            self.assertEqual(server.recv(5), b"hello")
            before = master.worker()
            self.assertTrue(master.ask(command).startswith("Success=1\n"))
            self.assertNotEqual(master.worker(), before)
            if ends:
                self.assertEqual(client.recv(1), b"")
            else:
                self.assertIn(before, master.processes()["old"])
                self.assertIn(f"{before}", master.ask(f"@!{before} show info\n"))
                server.sendall(b"still")
                self.assertEqual(client.recv(5), b"still")
            client.close()
            server.close()
            wait_for("the old worker to end", lambda: not master.processes()["old"])
        listener.close()

    def test_a_whole_session_at_a_worker(self):
        master = self.master("ours")
        worker = master.worker()
        self.assertEqual(master.ask("@@1 show cli level;operator;show cli level\n"), "admin\n\n\noperator\n\n")
        with master.connect() as connection, connection.makefile("rb") as answers:
            connection.sendall(b"prompt\n")
            self.assertEqual(connection.recv(100), b"master> ")
            connection.sendall(b"@@1\n")
            self.assertEqual(answers.readline(), b"\n")
            self.assertEqual(answers.read(2), b"> ")
            connection.sendall(b"show info\n")
            lines = iter(answers.readline, b"\n")
            self.assertIn(f"Pid: {worker}\n".encode(), list(lines))
            connection.sendall(b"quit\n")
            self.assertEqual(answers.read(), b"> ")

    def test_payloads_reach_the_worker(self):
        master = self.master("ours")
        out = master.ask("@1 set ssl cert nowhere.pem <<\nline one\nline two\n\nshow version\n")
        self.assertIn("nowhere.pem", out)
        self.assertIn("holdfast\n\n", out)
        self.assertEqual(master.ask("@1 set ssl cert nowhere.pem <<\nhalf of it\n"), "")

    def test_levels_and_options_of_the_socket(self):
        master = self.master("ours", ",level,user,mode,600")
        self.assertEqual(os.stat(master.path).st_mode & 0o777, 0o600)
        self.assertEqual(master.ask("show cli level;reload\n"), "user\n\nPermission denied\n\n")
        self.assertEqual(master.ask("@1 disable server l/s1\n"), "Permission denied\n\n")

    def test_a_broken_socket_is_fatal(self):
        directory = self.world.place("broken")
        config = f"{directory}/haproxy.cfg"
        with open(config, "w") as file:
            file.write("defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
                       f"listen l\n bind 127.0.0.1:{free_port()}\n")
        for option in ("/nowhere/at/all/master.sock", f"{directory}/m.sock,level,nobody", "no.such.host.test:"):
            done = subprocess.run([*PROGRAMS["ours"], "-W", "-S", option, "-f", config], stderr=subprocess.PIPE, timeout=20)
            self.assertEqual(done.returncode, 1, option)
            self.assertIn(b"[ALERT]", done.stderr, option)

    def test_those_who_do_not_read_or_go_hinder_nobody(self):
        master = self.master("ours")
        rude = []
        for i in range(9):
            connection = master.connect()
            connection.setblocking(False)
            try:
                for _ in range(2000):
                    connection.send(b"prompt;@1 help;prompt;@1 help\n" * 20)
            except BlockingIOError:
                pass
            rude.append(connection)
        self.assertIn("# workers", master.ask("show proc\n"))
        for connection in rude:
            connection.close()
        with master.connect() as connection:
            connection.sendall(b"x" * 40000)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(connection.recv(1), b"")
        wait_for("the sessions to end", lambda: "# workers" in master.ask("show proc\n"))
        with master.connect() as connection:  # gone before the end of what it asked for
            connection.sendall(b"reload\n")
        wait_for("the reload", lambda: " 1 [failed: 0] " in master.ask("show proc\n"))

    def test_the_socket_goes_with_the_master(self):
        master = Master(self.world, "ours")
        master.close()
        self.assertFalse(os.path.exists(master.path))


if __name__ == "__main__":
    unittest.main()
