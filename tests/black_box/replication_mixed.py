#!/usr/bin/env python3
"""Replication between our data server and Debian's redis-server, in both directions: full synchronization under
writes, partial resynchronization, promotion, chains, and a stream cut at any byte."""
import itertools
import random
import socket
import unittest

import processes
from processes import World, wait_for, wait_synced, dataset, link_up, free_port, Error
from relay import Relay


def fill(client, keys=300, seed=1):
    r = random.Random(seed)
    for i in range(keys):
        client.call("SET", f"s{i}", "v" * r.choice([1, 30, 70, 5000]))
        client.call("RPUSH", f"l{i % 20}", *[f"e{j}" for j in range(r.randrange(1, 30))])
        client.call("HSET", f"h{i % 20}", f"f{i}", r.randrange(1000))
        client.call("SADD", f"t{i % 20}", r.randrange(1000), f"m{i}")
        if i % 7 == 0:
            client.call("SET", f"ttl{i}", "x", "EX", 10000)
    client.call("SELECT", 3)
    client.call("SET", "elsewhere", "3")
    client.call("SELECT", 0)


class Cutter(Relay):
    """Breaks the connection from the primary after a number of bytes, once per connection."""

    def __init__(self, port, limits):
        self.limits = iter(limits)
        super().__init__(port)

    def back(self, source):
        limit = next(self.limits, None)
        while data := source.recv(65536):
            if limit is not None and len(data) >= limit:
                yield data[:limit]
                return
            if limit is not None:
                limit -= len(data)
            yield data


class Mixed(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def test_full_sync_under_writes_then_partial(self):
        for primary_kind, replica_kind in (("ours", "original"), ("original", "ours"), ("ours", "ours")):
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary = self.world.server(primary_kind)
                with primary.client() as client:
                    fill(client)
                    replica = self.world.replica(replica_kind, primary)
                    for i in range(2000):  # while the payload travels
                        client.call("INCR", "counter")
                        client.call("LPUSH", "live", i)
                        client.call("EXPIRE", f"s{i % 300}", 5000)
                        if i % 50 == 0:
                            client.call("MULTI")
                            client.call("SPOP", f"t{i % 20}")
                            client.call("INCRBYFLOAT", "float", "0.25")
                            client.call("EXEC")
                    wait_synced(primary, replica)
                    self.assertEqual(dataset(primary), dataset(replica))
                    self.assertTrue(replica.call("SET", "x", "1").startswith("READONLY"))
                    # The link breaks; the backlog covers the gap.
                    before = primary.info("stats")
                    client.call("CLIENT", "KILL", "TYPE", "replica")
                    client.call("SET", "after", "break")
                    wait_synced(primary, replica)
                    after = primary.info("stats")
                    self.assertEqual(after["sync_full"], before["sync_full"])
                    self.assertEqual(int(after["sync_partial_ok"]), int(before["sync_partial_ok"]) + 1)
                    self.assertEqual(dataset(primary), dataset(replica))

    def test_promotion_and_return_both_ways(self):
        for first_kind, second_kind in (("ours", "original"), ("original", "ours")):
            with self.subTest(first=first_kind, second=second_kind):
                first = self.world.server(first_kind)
                second = self.world.replica(second_kind, first)
                with first.client() as client:
                    fill(client, 50)
                wait_synced(first, second)
                self.assertEqual(second.call("REPLICAOF", "NO", "ONE"), "OK")
                self.assertEqual(second.call("ROLE")[0], b"master")
                second.call("SET", "written", "after promotion")
                # The old primary follows the new one: the shared history makes it a partial resynchronization.
                self.assertEqual(first.call("REPLICAOF", "127.0.0.1", second.port), "OK")
                wait_synced(second, first)
                self.assertEqual(first.call("GET", "written"), b"after promotion")
                self.assertEqual(second.info("stats")["sync_partial_ok"], "1")
                self.assertEqual(dataset(first), dataset(second))
                # And back again.
                first.call("REPLICAOF", "NO", "ONE")
                second.call("REPLICAOF", "127.0.0.1", first.port)
                first.call("SET", "back", "home")
                wait_synced(first, second)
                self.assertEqual(dataset(first), dataset(second))

    def test_chain_keeps_one_history(self):
        for kinds in itertools.product(("ours", "original"), repeat=3):
            if len(set(kinds)) == 1 and kinds[0] == "original":
                continue
            with self.subTest(kinds=kinds):
                top = self.world.server(kinds[0])
                middle = self.world.replica(kinds[1], top)
                bottom = self.world.replica(kinds[2], middle)
                wait_for("the whole chain to be up", lambda: link_up(middle) and link_up(bottom))
                with top.client() as client:
                    fill(client, 40)
                wait_synced(top, middle)
                wait_synced(middle, bottom)
                self.assertEqual(dataset(top), dataset(bottom))
                ids = {p.info("replication")["master_replid"] for p in (top, middle, bottom)}
                self.assertEqual(len(ids), 1)

    def test_a_broken_link_goes_on_in_its_database(self):
        """A primary that continues the stream does not repeat its SELECT."""
        for kinds in itertools.product(("ours", "original"), repeat=3):
            if "ours" not in kinds:
                continue
            with self.subTest(kinds=kinds):
                top = self.world.server(kinds[0])
                with top.client() as client:
                    client.call("SELECT", 5)
                    client.call("SET", "before", "1")
                    middle = self.world.replica(kinds[1], top)
                    wait_for("the link", lambda: link_up(middle))
                    client.call("SET", "first", "1")
                    wait_synced(top, middle)
                    bottom = self.world.replica(kinds[2], middle)  # its stream begins in database 5
                    wait_for("the chain", lambda: link_up(bottom))
                    for i in range(3):
                        client.call("CLIENT", "KILL", "TYPE", "replica")
                        middle.call("CLIENT", "KILL", "TYPE", "replica")
                        client.call("INCR", "counter")
                        client.call("SET", f"after{i}", "1")
                        wait_synced(top, middle)
                        wait_synced(middle, bottom)
                self.assertEqual(set(dataset(top)), {5})
                self.assertEqual(dataset(top), dataset(middle))
                self.assertEqual(dataset(top), dataset(bottom))

    def test_a_transaction_cut_in_the_middle_is_asked_for_again(self):
        def request(*words):
            return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

        def words_of(stream):
            count = int(stream.readline()[1:])
            out = []
            for _ in range(count):
                size = int(stream.readline()[1:])
                out.append(stream.read(size + 2)[:-2])
            return out

        def handshake(listener):
            """A primary as far as PSYNC; what that asked for."""
            connection, _ = listener.accept()
            connection.settimeout(20)
            stream = connection.makefile("rb")
            while True:
                words = words_of(stream)
                if words[0] == b"PSYNC":
                    return connection, stream, words[1:]
                connection.sendall(b"+PONG\r\n" if words[0] == b"PING" else b"-NOPERM no\r\n" if words[0] == b"INFO" else b"+OK\r\n")

        def acknowledged(stream, offset):
            while True:
                words = words_of(stream)
                if words[:2] == [b"REPLCONF", b"ACK"] and int(words[2]) >= offset:
                    return int(words[2])

        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)
        self.addCleanup(listener.close)
        history = b"a" * 40
        empty = b"REDIS0010\xff" + bytes(8)
        before = request(b"SELECT", b"4") + request(b"SET", b"x", b"1")
        unit = request(b"MULTI") + request(b"SET", b"a", b"1") + request(b"INCR", b"a") + request(b"EXEC")
        replica = self.world.server("ours", "--replicaof", "127.0.0.1", listener.getsockname()[1])
        connection, stream, asked = handshake(listener)
        self.assertEqual(asked, [b"?", b"-1"])
        connection.sendall(b"+FULLRESYNC %s 0\r\n$%d\r\n" % (history, len(empty)) + empty)
        acknowledged(stream, 0)
        for cut in (len(request(b"MULTI")), len(unit) - len(request(b"EXEC")), len(unit) - 1):
            # The replica has all of it before the link breaks.
            connection.sendall((before if cut == len(request(b"MULTI")) else b"") + unit[:cut])
            wait_for("the unit before", lambda: replica.info("replication")["slave_repl_offset"] == str(len(before)))
            connection.shutdown(socket.SHUT_WR)
            connection.close()
            connection, stream, asked = handshake(listener)
            self.assertEqual(asked, [history, b"%d" % (len(before) + 1)], cut)
            connection.sendall(b"+CONTINUE\r\n")
        connection.sendall(unit)
        acknowledged(stream, len(before) + len(unit))
        self.assertEqual(dataset(replica), {4: {b"x": ("string", b"1", -1), b"a": ("string", b"2", -1)}})
        connection.close()

    def test_snapshots_take_turns(self):
        """A file, a base of the append-only file and replicas' payloads are made one after the other."""
        server = self.world.server("ours", "--appendonly", "yes")
        fill(server.client(), 30)
        self.assertEqual(server.call("CONFIG", "SET", "rdb-key-save-delay", 10000), "OK")
        self.assertTrue(server.call("BGREWRITEAOF").startswith("Background append only file rewriting"))
        wait_for("the rewrite", lambda: server.info("persistence")["aof_rewrite_in_progress"] == "1")
        self.assertTrue(server.call("BGSAVE").startswith("ERR Another child process is active"))
        self.assertEqual(server.call("BGSAVE", "SCHEDULE"), "Background saving scheduled")
        replica = self.world.replica("original", server)
        self.assertEqual(server.call("CONFIG", "SET", "rdb-key-save-delay", 0), "OK")
        wait_synced(server, replica)
        self.assertEqual(dataset(server), dataset(replica))
        wait_for("the file", lambda: server.info("persistence")["rdb_saves"] == "1")
        # A rewrite ends when a full synchronization replaces its data.
        other = self.world.server("ours")
        fill(other.client(), 20, seed=2)
        for appendonly in ("yes", "no"):
            self.assertEqual(server.call("REPLICAOF", "NO", "ONE"), "OK")
            self.assertEqual(server.call("CONFIG", "SET", "appendonly", appendonly), "OK")
            wait_for("no rewrite", lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0")
            self.assertEqual(server.call("CONFIG", "SET", "rdb-key-save-delay", 1000000), "OK")
            self.assertTrue(server.call("BGREWRITEAOF").startswith("Background append only file rewriting"))
            wait_for("the rewrite", lambda: server.info("persistence")["aof_rewrite_in_progress"] == "1")
            other.call("SET", "appendonly", appendonly)
            self.assertEqual(server.call("REPLICAOF", "127.0.0.1", other.port), "OK")
            wait_synced(other, server)
            self.assertEqual(server.call("CONFIG", "SET", "rdb-key-save-delay", 0), "OK")
            self.assertEqual(dataset(server), dataset(other))

    def test_stream_and_payload_cut_at_any_byte(self):
        for primary_kind in ("ours", "original"):
            with self.subTest(primary=primary_kind):
                primary = self.world.server(primary_kind)
                with primary.client() as client:
                    fill(client, 60)
                    r = random.Random(4)
                    limits = [1, 5, 6, 7, 30, 60, 61, 62, 100, 110, 150] + [r.randrange(200, 60000) for _ in range(12)]
                    cutter = Cutter(primary.port, limits)
                    self.addCleanup(cutter.close)
                    replica = self.world.server("ours", "--replicaof", "127.0.0.1", cutter.port)
                    count = 0
                    def all_cuts_done():
                        nonlocal count
                        client.call("SET", f"count{count % 50}", "y" * 500)
                        count += 1
                        return cutter.connections > len(limits) and link_up(replica)
                    wait_for("the last cut", all_cuts_done, 120)
                    wait_synced(primary, replica)
                    self.assertEqual(dataset(primary), dataset(replica))

    def test_replica_keeps_its_data_when_the_payload_is_broken(self):
        replica = self.world.server("ours")
        replica.call("SET", "precious", "1")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(20)
        replica.call("REPLICAOF", "127.0.0.1", listener.getsockname()[1])
        for payload in (b"$20\r\nREDIS0010garbage....", b"$9999999\r\nREDIS0009", b"hello\r\n", b"$-3\r\n"):
            link, _ = listener.accept()
            link.settimeout(20)
            data = b""
            while b"PSYNC" not in data:
                data += link.recv(4096)
                if b"PING" in data and b"PSYNC" not in data:
                    link.sendall(b"+OK\r\n")
            link.sendall(b"+FULLRESYNC " + b"a" * 40 + b" 1\r\n" + payload)
            if payload.startswith(b"$9999999"):
                link.close()
                continue
            try:
                while link.recv(4096):
                    pass
            except ConnectionError:
                pass
            link.close()
        self.assertEqual(replica.call("GET", "precious"), b"1")
        self.assertEqual(replica.info("replication")["master_link_status"], "down")

    def test_wait_counts_acknowledgements(self):
        primary = self.world.server("ours")
        replicas = [self.world.replica(kind, primary) for kind in ("ours", "original")]
        for replica in replicas:
            wait_synced(primary, replica)
        with primary.client() as client:
            client.call("SET", "k", "v")
            self.assertEqual(client.call("WAIT", 2, 5000), 2)
            self.assertEqual(client.call("WAIT", 3, 50), 2)
            self.assertIsInstance(replicas[0].call("WAIT", 1, 10), Error)

    def test_auth_between_servers(self):
        port = free_port()
        primary = self.world.run("secured", [processes.HOLDFAST, "server", "--port", port, "--save", "", "--requirepass",
                                             "secret"], port)
        wait_for("the primary to listen", lambda: primary.call("PING").startswith("NOAUTH"))
        with primary.client() as client:
            self.assertEqual(client.call("AUTH", "secret"), "OK")
            client.call("SET", "k", "v")
        for kind in ("ours", "original"):
            replica = self.world.server(kind, "--replicaof", "127.0.0.1", primary.port, "--masterauth", "secret")
            wait_for("the link", lambda: link_up(replica))
            self.assertEqual(replica.call("GET", "k"), b"v")


if __name__ == "__main__":
    unittest.main(verbosity=2)
