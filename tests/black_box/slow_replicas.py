#!/usr/bin/env python3
"""Several replicas on one image and one stream: late joiners, a slow one that is spilled to disk, a disk that is full."""
import pathlib
import random
import socket
import threading
import unittest

from processes import World, dataset, link_up, wait_for, wait_synced
from relay import Relay

MB = 1 << 20


class Throttle(Relay):
    """The way back passes so many bytes a second until `free` is set."""

    def __init__(self, port, bytes_per_second):
        self.rate, self.free = bytes_per_second, threading.Event()
        super().__init__(port)

    def server_socket(self):
        server = super().server_socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return server

    def back(self, source):
        while data := source.recv(16384):
            yield data
            if not self.free.is_set():
                self.free.wait(len(data) / self.rate)


def fill(client, megabytes, seed=1, prefix="k"):
    r = random.Random(seed)
    for i in range(megabytes * 16):
        client.call("SET", f"{prefix}{i}", r.randbytes(65536))


class SlowReplicas(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def memory(self, server):
        return int(server.info("memory")["mem_total_replication_buffers"])

    def spilled(self, server):
        return int(server.info("replication").get("repl_spilled_bytes", 0))

    def spool_files(self, server):
        return list(pathlib.Path(server.cwd).glob("temp-repl-*"))

    def test_three_replicas_one_of_them_slow(self):
        primary = self.world.server("ours", "--repl-timeout", "600")
        throttle = Throttle(primary.port, 1 * MB)
        self.addCleanup(throttle.close)
        with primary.client() as client:
            fill(client, 48)
            slow = self.world.server("original", "--replicaof", "127.0.0.1", throttle.port, "--repl-timeout", "600")
            fast = [self.world.replica("ours", primary), self.world.replica("original", primary)]
            wait_for("the fast ones", lambda: all(link_up(r) for r in fast), 60)
            self.assertFalse(link_up(slow))
            # More than memory may hold, while the slow one still has its image to read.
            peak = 0
            for i in range(12):
                fill(client, 5, seed=i, prefix="k" if i % 2 else "n")
                peak = max(peak, self.memory(primary))
            for replica in fast:
                wait_synced(primary, replica, 60)
            self.assertFalse(link_up(slow))
            self.assertLess(peak, 100 * MB)
            wait_for("what is left to be on disk", lambda: self.spilled(primary) > 20 * MB)
            self.assertTrue(self.spool_files(primary))
            throttle.free.set()
            wait_synced(primary, slow, 120)
            digest = client.call("DEBUG", "DIGEST")
            for replica in (slow, *fast):
                self.assertEqual(replica.call("DEBUG", "DIGEST"), digest)
            stats = primary.info("stats")
            self.assertEqual(stats["sync_full"], "3")
            self.assertEqual(stats["sync_partial_ok"], "0")
            wait_for("the disk to be given back", lambda: self.spilled(primary) == 0 and not self.spool_files(primary))

    def test_who_comes_in_time_joins(self):
        primary = self.world.server("ours")
        with primary.client() as client:
            for i in range(100):
                client.call("SET", f"k{i}", "v")
            client.call("CONFIG", "SET", "rdb-key-save-delay", 20000)
            first = self.world.replica("ours", primary)
            wait_for("the image to be begun", lambda: "state=send_bulk" in str(primary.info("replication")))
            client.call("SET", "between", "1")
            second = self.world.replica("original", primary)
            third = self.world.replica("ours", primary)
            for replica in (first, second, third):
                wait_synced(primary, replica, 60)
                self.assertEqual(dataset(replica), dataset(primary))
        self.assertEqual(primary.log_text().count("Starting BGSAVE for SYNC"), 1)

    def test_a_full_disk_slows_writers_and_drops_nobody(self):
        primary = self.world.server("ours", "--repl-timeout", "600", "--repl-spill-size", "0")
        throttle = Throttle(primary.port, 8 * MB)
        self.addCleanup(throttle.close)
        replica = self.world.server("ours", "--replicaof", "127.0.0.1", throttle.port)
        wait_for("the link", lambda: link_up(replica), 60)
        throttle.rate = 64 * 1024
        with primary.client(timeout=120) as client:
            peak = 0
            for i in range(15):
                fill(client, 4, seed=i)
                peak = max(peak, self.memory(primary))
            self.assertGreater(peak, 32 * MB)
            self.assertEqual(self.spilled(primary), 0)
            throttle.free.set()
            wait_synced(primary, replica, 120)
            self.assertEqual(replica.call("DEBUG", "DIGEST"), client.call("DEBUG", "DIGEST"))
        self.assertEqual(primary.info("stats")["sync_full"], "1")


if __name__ == "__main__":
    unittest.main()
