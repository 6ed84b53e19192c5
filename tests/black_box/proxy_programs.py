#!/usr/bin/env python3
"""What a proxy has from outside itself: programs that check servers, the states the process before left in a file, and a
limit on how fast sessions begin. Debian's haproxy and ours on the same files. Without haproxy only ours runs."""
import csv
import io
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from processes import HOLDFAST, World, free_port, wait_for

PROGRAMS = {"ours": [HOLDFAST, "proxy"]}
if shutil.which("haproxy"):
    PROGRAMS["original"] = ["haproxy"]

SCRIPT = """#!/bin/sh
{ echo "$@"; env | grep -v -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL= | sort; } > $0.seen.tmp
mv $0.seen.tmp $0.seen
read order < $0.order
case $order in sleep) exec sleep 20;; kill) kill -9 $$;; esac
exit $order
"""

HEAD = """global
  stats socket {socket} mode 600 level admin
  {extra}
defaults
  mode tcp
  timeout connect {connect}
  timeout client 5s
  timeout server 5s
"""


def reached(path):
    """A connection to a runtime API. The ports of a proxy are open a moment before it is there."""
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        try:
            s.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            return None
        return s
    return wait_for(f"{path} to answer", connect)


def command(path, text):
    with reached(path) as s:
        s.sendall(text.encode() + b"\n")
        out = b""
        while data := s.recv(65536):
            out += data
    return out.decode()


class Outside(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(lambda: self.world.__exit__(None, None, None))
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.addCleanup(self.server.close)

    def row(self, path):
        table = csv.DictReader(io.StringIO(command(path, "show stat").removeprefix("# ")))
        return next(row for row in table if row["svname"] == "s")

    def test_external_checks(self):
        seen = {}
        for kind in PROGRAMS:
            port, path, script = free_port(), self.world.directory / f"{kind}.sock", self.world.directory / f"{kind}.sh"
            script.write_text(SCRIPT)
            script.chmod(0o755)
            order = self.world.directory / f"{kind}.sh.order"
            order.write_text("0\n")
            text = HEAD.format(socket=path, extra="external-check\n  insecure-fork-wanted", connect="10s") + (
                f"listen l\n  bind 127.0.0.1:{port}\n  option external-check\n  external-check path /usr/bin:/bin\n"
                f"  external-check command {script}\n"
                f"  server s 127.0.0.1:{self.server.getsockname()[1]} check inter 1500ms maxconn 7 fall 1 rise 1\n")
            self.world.proxy(kind, text, port)
            heard = []
            for said, status in (("0", "PROCOK"), ("3", "PROCERR"), ("0", "PROCOK"), ("kill", "PROCERR"), ("0", "PROCOK"),
                                 ("sleep", "PROCTOUT")):
                order.write_text(said + "\n")
                wait_for(f"{kind} to see {status}", lambda: self.row(path)["check_status"] == status, 30)
                row = self.row(path)
                heard.append((said, row["status"], row["check_status"], row["check_code"], row["last_chk"]))
            seen[kind] = (heard, (self.world.directory / f"{kind}.sh.seen").read_text().replace(str(port), "PORT"))
        if len(seen) == 2:
            self.assertEqual(seen["ours"], seen["original"])
        heard, variables = seen["ours"]
        self.assertEqual([entry[1:4] for entry in heard[:2]], [("UP", "PROCOK", "0"), ("DOWN", "PROCERR", "3")])
        self.assertIn("HAPROXY_SERVER_MAXCONN=7", variables)

    def lines(self, kind, path):
        """`show servers state` without the times."""
        rows = [line.split() for line in command(path, "show servers state").splitlines()[2:] if line]
        return [row[:9] + row[10:] for row in rows]

    def start_with_states(self, kind, name, states):
        port, path = free_port(), self.world.directory / f"{name}.sock"
        text = HEAD.format(socket=path, extra=f"server-state-file {states}", connect="1s") + (
            f"frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\nbackend b\n"
            "  load-server-state-from-file global\n")
        text += "".join(f"  server s{i} 127.0.0.1:{free_port()} weight 100 check inter 60s port {self.server.getsockname()[1]}\n"
                        for i in range(1, 8))
        text += "  server plain 127.0.0.1:1\nbackend c\n  server elsewhere 127.0.0.1:2\n"
        process = self.world.proxy(kind, text, port)
        return path, process

    def test_states_of_the_process_before(self):
        empty = self.world.directory / "empty"
        empty.write_text("1\n")
        left, kept = {}, {}
        for kind in PROGRAMS:
            path, _ = self.start_with_states(kind, f"{kind}-first", empty)
            for text in ("set server b/s2 state maint", "set server b/s3 state drain", "set server b/s4 weight 50",
                         "set server b/s5 health down", "set server b/s6 health stopping", "disable health b/s7",
                         "set server b/plain state maint"):
                self.assertEqual(command(path, text).strip(), "", text)
            left[kind] = command(path, "show servers state").rstrip("\n") + "\n"
        if len(left) == 2:
            strip = lambda text: [line.split()[:9] + line.split()[10:18] for line in text.splitlines()[2:]]
            self.assertEqual(strip(left["ours"]), strip(left["original"]))
        for before in PROGRAMS:
            saved = self.world.directory / f"{before}.states"
            saved.write_text(left[before])
            for kind in PROGRAMS:
                path, process = self.start_with_states(kind, f"{kind}-after-{before}", saved)
                rows = self.lines(kind, path)
                kept[kind, before] = ([row[:18] + row[19:22] for row in rows],
                                      sorted(re.sub(r"\(\d+\)", "", line) for line in process.log_text().splitlines()
                                             if "server-state" in line or "Server b/" in line))
            states = {row[3]: row[5:8] for row in self.lines("ours", self.world.directory / f"ours-after-{before}.sock")}
            self.assertEqual(states["s2"], ["0", "1", "100"])
            self.assertEqual(states["s3"][1], "8")
            self.assertEqual(states["s4"][2], "50")
            self.assertEqual(states["s5"][0], "0")
            self.assertEqual(states["s6"][0], "3")
            self.assertEqual(kept["ours", before][0], kept[list(PROGRAMS)[-1], before][0])

    def test_sessions_per_second(self):
        port, path = free_port(), self.world.directory / "ours.sock"
        text = HEAD.format(socket=path, extra="", connect="1s") + (
            f"listen l\n  bind 127.0.0.1:{port}\n  rate-limit sessions 20\n  server s 127.0.0.1:{self.server.getsockname()[1]}\n")
        self.world.proxy("ours", text, port)
        begun = time.time()
        clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(60)]
        self.server.settimeout(30)
        accepted = [self.server.accept()[0] for _ in range(60)]
        self.assertGreater(time.time() - begun, 1.5)  # 60 at 20 a second: what came in the first one is free
        for s in clients + accepted:
            s.close()

    def test_ends_by_signals(self):
        said = {}
        for kind in PROGRAMS:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                port, path = free_port(), self.world.directory / f"{kind}-{number}.sock"
                text = HEAD.format(socket=path, extra="", connect="1s") + f"listen l\n  bind 127.0.0.1:{port}\n  server s 127.0.0.1:1\n"
                process = self.world.proxy(kind, text, port)
                process.popen.send_signal(number)
                said.setdefault(kind, []).append(process.popen.wait(30))
        self.assertEqual(said["ours"], [-signal.SIGINT, -signal.SIGTERM, 0])
        self.assertEqual(said["ours"], said[list(PROGRAMS)[-1]])

    def test_broken_state_files_are_warnings(self):
        good = "3 b 1 s 127.0.0.1 2 0 1 1 5 6 3 4 6 0 0 0 - 24001 - 0 0 - - 0\n"
        files = {"none": None, "empty": "", "version": "2\n", "short": "1\n3 b 1 s 127\n", "cut": "1\n" + good[:-1],
                 "value": "1\n" + good.replace(" 2 0 1 1 ", " 9 0 1 1 "), "admin": "1\n" + good.replace(" 2 0 1 1 ", " 2 3 1 1 "),
                 "fine": "1\n" + good, "gone": "1\n" + good.replace(" s ", " t "),
                 "id": "1\n" + good.replace("3 b ", "9 b "), "port": "1\n" + good.replace(" 0 0 - - 0\n", " 0 77 - - 0\n")}
        for name, content in files.items():
            for scope in ("global", "local"):
                path = self.world.directory / f"{name}.state"
                if content is not None:
                    path.write_text(content)
                use = f"  server-state-file {path}\n" if scope == "global" else ""
                local = f"  server-state-file-name {path}\n" if scope == "local" else ""
                config = self.world.directory / "c.cfg"
                config.write_text(f"global\n  stats socket {self.world.directory}/c.sock\n" + use + "defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
                                  "frontend f\n  bind 127.0.0.1:24000\n  default_backend b\nbackend b\n"
                                  f"  load-server-state-from-file {scope}\n{local}  server s 127.0.0.1:24001\n")
                said = {}
                for kind, program in PROGRAMS.items():
                    result = subprocess.run([*program, "-c", "-f", str(config)], capture_output=True, text=True, timeout=30)
                    warnings = [re.sub(r"\(\d+\)", "", line) for line in result.stderr.splitlines() if "WARNING" in line]
                    said[kind] = (result.returncode, warnings)
                with self.subTest(name=name, scope=scope):
                    self.assertEqual(said["ours"][0], 0)
                    self.assertEqual(said["ours"], said[list(PROGRAMS)[-1]])


if __name__ == "__main__":
    unittest.main()
