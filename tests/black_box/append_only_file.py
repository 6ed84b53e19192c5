#!/usr/bin/env python3
"""The append-only file with real processes: killed under writers, exchanged with the original both ways, errors of a
manifest in the original's words; and FAILOVER, whose promise is the same: nothing acknowledged is lost."""
import pathlib
import random
import re
import shutil
import subprocess
import threading
import time
import unittest

from processes import Error, HOLDFAST, World, dataset, wait_for, wait_synced, free_port

AOF = ("--appendonly", "yes", "--save", "")


def fill(client, seed=1):
    r = random.Random(seed)
    for i in range(200):
        client.call("SET", f"s{i}", "v" * r.choice([1, 30, 70, 5000]))
        client.call("RPUSH", f"l{i % 20}", *[f"e{j}" for j in range(r.randrange(1, 80))])
        client.call("HSET", f"h{i % 20}", f"f{i}", r.randrange(1000))
        client.call("SADD", f"t{i % 20}", r.randrange(1000), f"m{i}")
        client.call("ZADD", f"z{i % 20}", r.randrange(1000) / 4, f"m{i}")
        client.call("XADD", f"x{i % 5}", "*", "f", i)
        if i % 7 == 0:
            client.call("SET", f"ttl{i}", "x", "EX", 10000)
    if seed == 1:  # the effect of a read does not say how many entries the group has read: only a base does
        client.call("XGROUP", "CREATE", "x0", "g", "0")
        client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 3, "STREAMS", "x0", ">")
    client.call("SELECT", 3)
    client.call("MULTI")
    client.call("SET", "elsewhere", "3")
    client.call("INCR", "n")
    client.call("EXEC")
    client.call("SELECT", 0)


class Writer(threading.Thread):
    """Counts up one key; remembers the last number it was told."""

    def __init__(self, server, key):
        super().__init__(daemon=True)
        self.client, self.key, self.told = server.client(), key, 0
        self.start()

    def run(self):
        try:
            with self.client:
                self.count()
        except (OSError, EOFError):
            pass

    def count(self):
        while True:
            reply = self.client.call("INCR", self.key)
            if isinstance(reply, Error):
                return  # what it writes to is no primary any longer
            self.told = reply


def rewritten(server):
    info = server.info("persistence")
    return info["aof_rewrite_in_progress"] == "0" and info["aof_rewrite_scheduled"] == "0" and \
        info["aof_last_bgrewrite_status"] == "ok"


class KilledUnderWriters(unittest.TestCase):
    def check(self, fsync):
        r = random.Random(fsync)
        with World() as world:
            server = world.server("ours", *AOF, "--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0")
            told = {}
            for turn in range(6):
                writers = [Writer(server, f"k{i}") for i in range(8)]
                time.sleep(r.uniform(0.02, 0.1))
                if turn % 2:
                    server.call("BGREWRITEAOF")
                    time.sleep(r.uniform(0, 0.03))
                server.kill()
                for writer in writers:
                    writer.join()
                    told[writer.key] = max(told.get(writer.key, 0), writer.told)
                server.start()
                server.wait_ready()
                for key, least in told.items():
                    self.assertGreaterEqual(int(server.call("GET", key) or 0), least, f"{key} in turn {turn}")
            self.assertGreater(min(told.values()), 10)

    def test_always(self):
        self.check("always")

    def test_everysec(self):
        """The end of the process alone loses nothing: what was acknowledged is with the kernel."""
        self.check("everysec")


class Exchange(unittest.TestCase):
    def check(self, first, second, *options):
        with World() as world:
            one = world.server(first, *AOF, *options)
            with one.client() as client:
                fill(client)
                client.call("BGREWRITEAOF")
                wait_for("the rewrite", lambda: rewritten(one))
                fill(client, 2)
            before = dataset(one)
            one.stop()
            two = world.server(second, *AOF, *options)
            place = pathlib.Path(two.cwd)
            two.stop()
            shutil.rmtree(place / "appendonlydir")
            shutil.copytree(pathlib.Path(one.cwd) / "appendonlydir", place / "appendonlydir")
            manifest = place / "appendonlydir" / "appendonly.aof.manifest"
            for checker in (["/usr/bin/redis-check-aof"], [str(HOLDFAST), "check-aof"]):
                done = subprocess.run(checker + [str(manifest)], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
            two.start()
            two.wait_ready()
            after = dataset(two)
            for db in before:
                for key in before[db]:
                    self.assertEqual(after[db].get(key), before[db][key], key)
            self.assertEqual(after.keys(), before.keys())
            two.call("SET", "more", "1")
            two.restart()
            self.assertEqual(two.call("GET", "more"), b"1")

    def test_ours_to_the_original(self):
        self.check("ours", "original")

    def test_the_originals_to_us(self):
        self.check("original", "ours")

    def test_as_commands(self):
        self.check("ours", "original", "--aof-use-rdb-preamble", "no")
        self.check("original", "ours", "--aof-use-rdb-preamble", "no")


class Refusals(unittest.TestCase):
    def last_words(self, program, manifest):
        """What is logged, without times, and the exit code."""
        with World() as world:
            place = pathlib.Path(world.place("broken"))
            (place / "appendonlydir").mkdir()
            (place / "appendonlydir" / "appendonly.aof.manifest").write_bytes(manifest)
            done = subprocess.run(program + ["--port", str(free_port()), "--dir", str(place), "--appendonly", "yes"],
                                  capture_output=True, text=True, timeout=20)
            log = done.stdout[done.stdout.find("Server initialized"):]
            lines = [re.sub(r"^\d+:M \S+ \S+ \S+ \S+ . ", "", line) for line in log.splitlines()[1:]]
            return done.returncode, [line for line in lines if "WARNING" not in line]

    def test_manifests(self):
        ours = [str(HOLDFAST), "server"]
        for text in (b"", b"\n", b"file a seq 1\n", b"file a/b seq 1 type b\n", b"file a seq 1 type x\n",
                     b"file a seq 1 type b\nfile b seq 2 type b\n", b"file a seq 2 type i\nfile b seq 1 type i\n",
                     b"file a seq 1 type b", b"file gone seq 1 type b\n"):
            self.assertEqual(self.last_words(ours, text), self.last_words(["/usr/bin/redis-server"], text), text)


class Handover(unittest.TestCase):
    def check(self, first, second):
        with World() as world:
            primary = world.server(first, "--repl-diskless-sync-delay", "0")
            replica = world.replica(second, primary)
            wait_synced(primary, replica)
            writer = Writer(primary, "n")
            wait_for("writes", lambda: writer.told > 20)
            wait_for("the replica to be online", lambda: primary.call(
                "FAILOVER", "TO", "127.0.0.1", replica.port, "TIMEOUT", 20000) == "OK")
            wait_for("the new primary", lambda: replica.info("replication")["role"] == "master")
            wait_for("the old one to follow", lambda: primary.info("replication").get("master_link_status") == "up")
            self.assertGreaterEqual(int(replica.call("GET", "n")), writer.told)
            self.assertEqual(primary.info("replication")["master_failover_state"], "no-failover")
            self.assertEqual(primary.info("stats")["sync_full"], "1")
            wait_synced(replica, primary)

    def test_between_ours(self):
        self.check("ours", "ours")

    def test_to_the_original(self):
        self.check("ours", "original")

    def test_from_the_original(self):
        self.check("original", "ours")


if __name__ == "__main__":
    unittest.main(verbosity=2)
