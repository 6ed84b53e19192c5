#!/usr/bin/env python3
"""MIGRATE between our server and the original, both ways: what arrives, what leaves, what is answered, what replicas see."""
import sys
import unittest

from processes import Client, World, dataset, free_port, wait_for, wait_synced


def fill(client):
    client.call("SET", "string", b"\x00\xffvalue")
    client.call("SET", "timed", "1", "PX", "100000")
    client.call("RPUSH", "list", *range(500))
    client.call("HSET", "hash", "f", "v", "g", "w" * 100)
    client.call("SADD", "set", "1", "2", "three")
    client.call("ZADD", "zset", "1", "a", "2.5", "b")
    client.call("XADD", "stream", "1-1", "f", "v")


def contents(server):
    """The dataset without times of expiry: the lifetime travels, and the way takes a moment."""
    return {db: {key: (*value[:2], value[2] > 0) for key, value in keys.items()} for db, keys in dataset(server).items()}


ALL = ["string", "timed", "list", "hash", "set", "zset", "stream"]


class Migrate(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.world.__enter__()
        self.addCleanup(self.world.__exit__, None)

    def pairs(self):
        for kinds in (("ours", "original"), ("original", "ours"), ("ours", "ours")):
            yield kinds, self.world.server(kinds[0]), self.world.server(kinds[1])

    def test_moves_and_copies(self):
        for kinds, source, target in self.pairs():
            with self.subTest(kinds), source.client() as client:
                fill(client)
                before = contents(source)
                migrate = lambda *words: client.call("MIGRATE", "127.0.0.1", target.port, *words)
                self.assertEqual(migrate("", 3, 5000, "COPY", "KEYS", *ALL, "missing"), "OK")
                self.assertEqual(contents(source), before)
                self.assertEqual(contents(target), {3: before[0]})
                self.assertEqual(migrate("string", 3, 5000), "ERR Target instance replied with error: BUSYKEY Target key name already exists.")
                self.assertEqual(migrate("string", 3, 5000, "replace"), "OK")
                self.assertEqual(migrate("", 3, 5000, "REPLACE", "KEYS", *ALL), "OK")
                self.assertEqual(contents(source), {})
                self.assertEqual(contents(target), {3: before[0]})
                with target.client() as reader:
                    reader.call("SELECT", 3)
                    self.assertTrue(90_000 < reader.call("PTTL", "timed") <= 100_000)

    def test_takes_what_was_accepted(self):
        """One key of several is refused: the others have moved."""
        for kinds, source, target in self.pairs():
            with self.subTest(kinds), source.client() as client:
                for key in "abc":
                    client.call("SET", key, key)
                target.call("SET", "b", "there")
                self.assertEqual(client.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", "a", "b", "c"),
                                 "ERR Target instance replied with error: BUSYKEY Target key name already exists.")
                self.assertEqual(client.call("KEYS", "*"), [b"b"])
                self.assertEqual(sorted(target.call("KEYS", "*")), [b"a", b"b", b"c"])

    def test_same_errors(self):
        dead = free_port()
        def answers(kind):
            source, target = self.world.server(kind), self.world.server("original", "--requirepass", "secret")
            out = []
            with source.client() as client:
                client.call("SET", "k", "v")
                for words in (
                    [dead, "k", 0, 300], ["x", "k", 0, 300], [target.port, "k", 0, 300], [target.port, "missing", 0, 300],
                    [target.port, "k", "x", 300], [target.port, "k", 0, "x"], [target.port, "k", 0, 300, "nosuch"],
                    [target.port, "k", 0, 300, "AUTH"], [target.port, "k", 0, 300, "AUTH", "wrong"],
                    [target.port, "k", 0, 300, "AUTH2", "default"], [target.port, "k", 0, 300, "AUTH2", "default", "wrong"],
                    [target.port, "k", 0, 300, "KEYS", "k"], [target.port, "", 0, 300, "KEYS"],
                    [target.port, "k", 99, 300, "AUTH", "secret"], [target.port, "k", -1, 300, "AUTH", "secret"],
                    [target.port, "k", 0], [target.port, "k", 0, 300, "COPY", "AUTH", "secret"],
                    [target.port, "k", 0, 0, "REPLACE", "AUTH2", "default", "secret"], [target.port, "k", 0, 300],
                ):
                    out.append((words[1:], client.call("MIGRATE", "127.0.0.1", *words)))
                out.append(client.call("MIGRATE", "nosuch.invalid", 1, "k", 0, 300))
            return out
        for ours, original in zip(answers("ours"), answers("original")):
            self.assertEqual(ours, original)

    def test_nobody_changes_a_key_on_its_way(self):
        """A target that does not answer: reads go on, writes wait, and after the timeout the key is still there."""
        source, target = self.world.server("ours"), self.world.server("original")
        with source.client() as mover, source.client() as writer, source.client() as reader, target.client() as sleeper:
            mover.call("SET", "k", "v")
            sleeper.send("DEBUG", "SLEEP", "3")
            wait_for("the target to sleep", lambda: not answers_ping(target))
            mover.send("MIGRATE", "127.0.0.1", target.port, "k", 0, 600)
            wait_for("the migration to wait", lambda: b"flags=b" in reader.call("CLIENT", "LIST"))
            writer.send("APPEND", "k", "more")
            self.assertEqual(reader.call("GET", "k"), b"v")
            self.assertEqual(mover.read(), "IOERR error or timeout reading to target instance")
            self.assertEqual(writer.read(), 5)
            self.assertEqual(reader.call("GET", "k"), b"vmore")
            self.assertEqual(mover.call("MULTI"), "OK")
            mover.call("MIGRATE", "127.0.0.1", target.port, "k", 0, 600)
            self.assertIn("ERR MIGRATE has to wait", mover.call("EXEC")[0])

    def test_replicas_see_a_deletion(self):
        source, target = self.world.server("ours"), self.world.server("ours")
        replica = self.world.replica("original", source)
        wait_synced(source, replica)
        with source.client() as client:
            fill(client)
            self.assertEqual(client.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *ALL[:5]), "OK")
            wait_synced(source, replica)
            self.assertEqual(dataset(replica), dataset(source))
            self.assertEqual(sorted(dataset(source)[0]), [b"stream", b"zset"])


def answers_ping(server):
    try:
        with Client(server.port, timeout=0.2) as client:
            return client.call("PING") == "PONG"
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(unittest.main())
