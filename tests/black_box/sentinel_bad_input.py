#!/usr/bin/env python3
"""What a Sentinel must survive: servers that answer nonsense, disks that are full, files replaced under it, scripts that hang or
vanish. Where the original has words for it, they are compared with it."""
import os
import pathlib
import re
import socket
import stat
import subprocess
import threading
import unittest

from processes import HOLDFAST, Error, World, address_of, free_port, wait_for, watched

NAME = "mymaster"
MB = 1024 * 1024
RUNID = "0123456789abcdef0123456789abcdef01234567"
GOOD_INFO = (f"# Server\r\nrun_id:{RUNID}\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
             "master_failover_state:no-failover\r\nmaster_replid:" + "a" * 40 + "\r\nmaster_repl_offset:100\r\n")


def bulk(text):
    text = text if isinstance(text, bytes) else text.encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


def resident(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Fake:
    """Listens on a port and answers each command with given bytes."""

    def __init__(self, answers):
        self.answers = {"PING": b"+PONG\r\n", "INFO": bulk(GOOD_INFO), "PUBLISH": b":1\r\n",
                        "SUBSCRIBE": b"*3\r\n$9\r\nsubscribe\r\n$18\r\n__sentinel__:hello\r\n:1\r\n", **answers}
        self.asked, self.open, self.ended = [], [], False
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.ended:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                while True:
                    count = int(lines.readline()[1:])
                    words = [lines.read(int(lines.readline()[1:]) + 2)[:-2].decode() for _ in range(count)]
                    name = words[0].upper()
                    self.asked.append(words)
                    connection.sendall(self.answers.get(name, b"+OK\r\n"))
        except (OSError, ValueError):
            pass

    def end(self):
        self.ended = True
        self.listener.close()
        for connection in self.open:
            connection.close()


ABSURD = ("# Server\r\nrun_id:\r\nrun_id:short\r\nredis_version:\r\n# Replication\r\nrole:king\r\nrole:slave\r\nrole:master\r\n"
          "slave0:ip=,port=,state=\r\nslave1:ip=1.2.3.4,port=99999,state=online\r\nslave2\r\nslave3:,,,,,,\r\n"
          "slave4:ip=1.2.3.4\x01x,port=1,state=online\r\nslave5:ip=not an address,port=1,state=online\r\n"
          "master_link_down_since_seconds:-99999999999999999999\r\nslave_priority:1e400\r\nslave_repl_offset:-5\r\n"
          "master_repl_offset:nan\r\nmaster_replid:\xff\xfe\r\nmaster_host:\r\nmaster_port:-1\r\nmaster_link_status:sideways\r\n"
          "replica_announced:7\r\nloading:maybe\r\ndb0:keys=x\r\n" + "x" * 100000 + ":\r\n\r\n::::\r\n\0\0\0").encode("latin1")

NONSENSE = {
    "pong-array": {"PING": b"*1\r\n$4\r\nPONG\r\n"},
    "pong-bulk": {"PING": bulk("PONG")},
    "pong-number": {"PING": b":1\r\n"},
    "pong-null": {"PING": b"$-1\r\n"},
    "info-number": {"INFO": b":7\r\n"},
    "info-null": {"INFO": b"$-1\r\n"},
    "info-error": {"INFO": b"-NOPERM no\r\n"},
    "info-array": {"INFO": b"*2\r\n" + bulk("role:slave") + b"*0\r\n"},
    "info-empty": {"INFO": bulk("")},
    "info-absurd": {"INFO": bulk(ABSURD)},
    "info-without-role": {"INFO": bulk(f"run_id:{RUNID}\r\nslave0:ip=127.0.0.1,port=1,state=online\r\n")},
    "info-of-ten-thousand": {"INFO": bulk("role:master\r\n" + "".join(
        f"slave{n}:ip=127.9.{n // 250}.{n % 250 + 1},port=1,state=online,offset=1,lag=0\r\n" for n in range(10000)))},
    "never-ending": {"INFO": b"$1000000000\r\nrole:master"},
    "deep": {"PING": b"*1\r\n" * 200000},
    "wide": {"PING": b"*1000000000\r\n" + b"+x\r\n" * 1000},
    "not-the-protocol": {"PING": b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<html>"},
    "too-many-answers": {"PING": b"+PONG\r\n" * 1000},
    "no-answers": {"PING": b"", "INFO": b""},
    "publish-array": {"PUBLISH": b"*1\r\n:1\r\n"},
    "subscribe-error": {"SUBSCRIBE": b"-NOAUTH Authentication required.\r\n"},
    "messages": {"SUBSCRIBE": b"*3\r\n:1\r\n*0\r\n$-1\r\n" + b"*3\r\n" + bulk("message") + bulk("other") + bulk("\0" * 10000) +
                 b"*3\r\n" + bulk("message") + bulk("__sentinel__:hello") + bulk("a,1,b,2,c,d,3,4\nsentinel myid x")},
}


class Answers(unittest.TestCase):
    def test_nonsense_from_servers_changes_nothing(self):
        """One primary of each kind beside a good one: all stay what they were configured to be, for twice ten seconds."""
        with World() as world:
            good = world.server("ours")
            fakes = {name: Fake(answers) for name, answers in NONSENSE.items()}
            try:
                lines = "".join(f"sentinel monitor {name} 127.0.0.1 {fake.port} 1\nsentinel down-after-milliseconds {name} 60000\n"
                                for name, fake in fakes.items())
                sentinel = world.sentinel("ours", good, extra=lines)
                before = resident(sentinel.pid)
                wait_for("everybody to be asked", lambda: all(
                    any(words[0] == "PING" for words in fake.asked) for fake in fakes.values()))
                # INFO comes every ten seconds: until it came twice from a good one.
                wait_for("two rounds", lambda: sum(words[0] == "INFO" for words in fakes["pong-number"].asked) >= 2, 30)
                self.assertTrue(sentinel.running(), sentinel.log_text()[-3000:])
                self.assertLess(resident(sentinel.pid) - before, 64 * MB)
                self.assertEqual(watched(sentinel)["flags"], "master")
                for name, fake in fakes.items():
                    seen = watched(sentinel, name)
                    self.assertEqual((seen["ip"], seen["port"], seen["quorum"], seen["config-epoch"]),
                                     ("127.0.0.1", str(fake.port), "1", "0"), name)
                    self.assertNotIn("down", seen["flags"], name)
                    self.assertLessEqual(int(seen["num-slaves"]), 1024 if name == "info-of-ten-thousand" else 1, name)
                    self.assertEqual(seen["num-other-sentinels"], "0", name)
                # What was saved meanwhile is a file to start from, with nothing in it that nobody wrote.
                conf = next(word for word in sentinel.argv if word.endswith(".conf"))
                self.assertEqual(sentinel.call("SENTINEL", "FLUSHCONFIG"), "OK")
                sentinel.stop()
                for line in pathlib.Path(conf).read_text().splitlines():
                    self.assertRegex(line, r"^(#.*|port .*|dir .*|sentinel .*|user .*|latency-.*|protected-mode .*|)$")
                sentinel.start()
                sentinel.wait_ready()
            finally:
                for fake in fakes.values():
                    fake.end()

    def test_nonsense_instead_of_a_promotion(self):
        for exec_answer in (b"*-1\r\n", b":1\r\n", b"-EXECABORT no\r\n", b"*2\r\n+OK\r\n-READONLY no\r\n", b"$3\r\nabc\r\n",
                            b"*1\r\n" * 5000, b"", b"!!\r\n"):
            with self.subTest(exec_answer[:20]), World() as world:
                primary = Fake({})
                replica = Fake({"EXEC": exec_answer})
                primary.answers["INFO"] = bulk(GOOD_INFO.replace(
                    "connected_slaves:0\r\n", f"connected_slaves:1\r\nslave0:ip=127.0.0.1,port={replica.port},state=online\r\n"))
                replica.answers["INFO"] = bulk(
                    f"# Server\r\nrun_id:{'f' * 40}\r\n# Replication\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{primary.port}"
                    f"\r\nmaster_link_status:up\r\nslave_repl_offset:100\r\nslave_priority:100\r\nmaster_replid:{'a' * 40}\r\n"
                    "master_repl_offset:100\r\n")
                try:
                    sentinel = world.sentinel("ours", primary, failover_timeout=1500, down_after=60000)
                    wait_for("the replica to be seen", lambda: watched(sentinel)["num-slaves"] == "1")
                    wait_for("its INFO", lambda: dict(zip(*[iter(sentinel.call("SENTINEL", "REPLICAS", NAME)[0])] * 2)).get(
                        b"master-link-status") == b"ok")
                    self.assertEqual(sentinel.call("SENTINEL", "FAILOVER", NAME), "OK")
                    wait_for("the failover to be given up", lambda: "-failover-abort-" in sentinel.log_text())
                    self.assertEqual(address_of(sentinel), primary.port)
                    self.assertNotIn("+switch-master", sentinel.log_text())
                    self.assertTrue(sentinel.running())
                finally:
                    primary.end()
                    replica.end()


class Files(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.primary = self.world.server("ours")

    def conf_of(self, sentinel):
        return pathlib.Path(next(word for word in sentinel.argv if str(word).endswith(".conf")))

    def sentinel_in(self, kind, place):
        """A Sentinel whose file is in a directory of its own."""
        place.mkdir(exist_ok=True)
        port = free_port()
        conf = place / "sentinel.conf"
        conf.write_text(f"# the first line\nport {port}\nsentinel monitor {NAME} 127.0.0.1 {self.primary.port} 1\n"
                        f"sentinel down-after-milliseconds {NAME} 60000\n# the last line\n")
        program = [HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
        return self.world.run(f"{kind}-{place.name}", [*program, conf], port).wait_ready()

    def saved_lines(self, text):
        return [line for line in text.splitlines() if "WARNING: Sentinel was not able" in line]

    def test_a_full_disk(self):
        """The command answers the original's error, the file stays as it was, nothing half-written lies about."""
        for kind in ("ours", "original"):
            place = self.world.directory / f"small-{kind}"
            place.mkdir()
            made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, text=True)
            if made.returncode != 0:
                self.skipTest(f"no small disk can be mounted here: {made.stderr.strip()}")
            try:
                with self.subTest(kind):
                    self.over_a_full_disk(kind, place)
            finally:
                for process in self.world.processes:
                    if process.name.startswith(kind + "-small"):
                        process.kill()
                subprocess.run(["umount", place], check=True)

    def over_a_full_disk(self, kind, place):
        sentinel = self.sentinel_in(kind, place)
        conf = place / "sentinel.conf"
        self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 7000), "OK")
        before = conf.read_bytes()
        files = sorted(os.listdir(place))
        with open(place / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 512)
            except OSError:
                pass
        reply = sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 8000)
        self.assertIsInstance(reply, Error)
        self.assertEqual(reply, "ERR Failed to save config file. Check server logs.")
        self.assertEqual(conf.read_bytes(), before)
        self.assertEqual(sorted(set(os.listdir(place)) - {"filler"}), files)
        lines = self.saved_lines(sentinel.log_text())
        self.assertTrue(lines and all(line.endswith("No space left on device") for line in lines), lines)
        if kind == "ours":  # the original votes without keeping it
            vote = sentinel.call("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", self.primary.port, 5, "c" * 40)
            self.assertEqual(vote[1], b"*")
        self.assertTrue(sentinel.running())
        os.unlink(place / "filler")
        self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "parallel-syncs", 3), "OK")
        text = conf.read_text()
        self.assertIn(f"sentinel failover-timeout {NAME} 8000\n", text)
        self.assertIn(f"sentinel parallel-syncs {NAME} 3\n", text)

    def over_a_replaced_file(self, kind, replace):
        """The reply to a command that saves, and what became of the file: without what differs from run to run."""
        sentinel = self.sentinel_in(kind, self.world.place(f"{kind}-{replace.__name__}"))
        conf = self.conf_of(sentinel)
        wait_for("its id to be saved", lambda: "sentinel current-epoch" in conf.read_text())
        self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 7000), "OK")
        replace(conf)
        reply = sentinel.call("SENTINEL", "SET", NAME, "parallel-syncs", 3)
        text = conf.read_text() if conf.is_file() else "no file"
        for what, name in ((sentinel.port, "PORT"), (self.primary.port, "PRIMARY"), (sentinel.call("SENTINEL", "MYID").decode(), "ID")):
            text = text.replace(str(what), name)
        # The original states every setting, also those nobody gave it; and ours go where there is room.
        text = re.sub(r"(?m)^(user default .*|latency-tracking-.*|dir .*|protected-mode .*|)\n", "", text)
        if replace.__name__ in ("removed", "emptied"):
            text = sorted(text.splitlines())
        warned = [line.split("#", 1)[1] for line in self.saved_lines(sentinel.log_text())]
        left = sorted(name for name in os.listdir(conf.parent) if name not in ("log", "sentinel.conf"))
        self.assertEqual(watched(sentinel)["parallel-syncs"], "3")
        sentinel.stop()
        return reply, text, warned, left

    def test_the_file_is_replaced_under_it(self):
        def edited(conf):
            conf.write_text(conf.read_text().replace("# the first line", "# somebody's new words\n# two of them") + "# at the end\n")

        def replaced_by_rename(conf):
            other = conf.parent / "other"
            other.write_text("# somebody else's file\n" + conf.read_text())
            other.rename(conf)

        def removed(conf):
            conf.unlink()

        def emptied(conf):
            conf.write_text("")

        def a_directory(conf):
            conf.unlink()
            conf.mkdir()

        for replace in (edited, replaced_by_rename, removed, emptied, a_directory):
            with self.subTest(replace.__name__):
                self.assertEqual(self.over_a_replaced_file("ours", replace), self.over_a_replaced_file("original", replace))


class Scripts(unittest.TestCase):
    """A notification script that hangs is killed and tried again; one that vanished is an error, once."""

    def started(self, world, kind, text):
        script = world.directory / f"{kind}.sh"
        script.write_text(text)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        primary = world.server("ours")
        sentinel = world.sentinel(kind, primary, extra=f"sentinel notification-script {NAME} {script}\n")
        # What the start announced is over.
        wait_for("no script to be left", lambda: sentinel.call("SENTINEL", "PENDING-SCRIPTS") == [])
        return sentinel, script

    def events(self, sentinel, script, name):
        found = re.findall(rf" # {re.escape(name)} {re.escape(str(script))} (.*)$", sentinel.log_text(), re.M)
        return found

    def test_a_script_that_hangs(self):
        for kind in ("ours", "original"):
            with self.subTest(kind), World() as world:
                hangs = world.directory / "hangs"
                sentinel, script = self.started(world, kind, f"#!/bin/sh\nif [ -e {hangs} ]; then exec sleep 3600; fi\n")
                self.assertEqual(sentinel.call("SENTINEL", "DEBUG", "script-max-runtime", 300, "script-retry-delay", 200), "OK")
                hangs.touch()
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 7000), "OK")
                wait_for("it to run", lambda: b"running" in sentinel.call("SENTINEL", "PENDING-SCRIPTS")[0])
                wait_for("two tries to be killed", lambda: len(self.events(sentinel, script, "-script-timeout")) >= 2)
                retries = wait_for("the tries to be counted", lambda: [
                    one for one in sentinel.call("SENTINEL", "PENDING-SCRIPTS") if int(one[one.index(b"retry-num") + 1]) >= 2])
                self.assertTrue(retries)
                self.assertEqual(sentinel.call("PING"), "PONG")
                hangs.unlink()  # and from now on it does not
                wait_for("the last try to succeed", lambda: sentinel.call("SENTINEL", "PENDING-SCRIPTS") == [])
                self.assertEqual(self.events(sentinel, script, "-script-error"), [])

    def test_a_script_that_vanishes(self):
        said = {}
        for kind in ("ours", "original"):
            with self.subTest(kind), World() as world:
                sentinel, script = self.started(world, kind, "#!/bin/sh\n")
                script.unlink()
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 7000), "OK")
                said[kind] = wait_for("it to be told", lambda: self.events(sentinel, script, "-script-error"))
                wait_for("nothing to be left", lambda: sentinel.call("SENTINEL", "PENDING-SCRIPTS") == [])
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "failover-timeout", 8000), "OK")
                self.assertEqual(sentinel.call("PING"), "PONG")
        self.assertEqual(said["ours"], said["original"])


class Words(unittest.TestCase):
    """Names and values with control characters could write lines into the file: refused, and nothing is written."""

    def test_control_characters(self):
        with World() as world:
            sentinel = world.sentinel("ours", world.server("ours"))
            conf = pathlib.Path(next(word for word in sentinel.argv if str(word).endswith(".conf")))
            self.assertEqual(sentinel.call("SENTINEL", "FLUSHCONFIG"), "OK")
            before = conf.read_bytes()
            for evil in (b"x\nsentinel monitor evil 127.0.0.1 1 1", b"x\r\nrequirepass evil", b"x\0y", b"x\x1by", b"x\ty\x7f"):
                for words in (("MONITOR", evil, "127.0.0.1", 7000, 1), ("MONITOR", "other", evil, 7000, 1),
                              ("SET", NAME, "auth-pass", evil), ("SET", NAME, "auth-user", evil),
                              ("SET", NAME, "rename-command", "PING", evil), ("SET", NAME, "rename-command", evil, "PING"),
                              ("CONFIG", "SET", "sentinel-user", evil), ("CONFIG", "SET", "sentinel-pass", evil),
                              ("CONFIG", "SET", "announce-ip", evil)):
                    self.assertIsInstance(sentinel.call("SENTINEL", *words), Error, (words, evil))
                vote = sentinel.call("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", watched(sentinel)["port"], 9, evil)
                self.assertEqual(vote[1:], [b"*", 0])
            self.assertEqual(sentinel.call("SENTINEL", "FLUSHCONFIG"), "OK")
            self.assertEqual(conf.read_bytes(), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
