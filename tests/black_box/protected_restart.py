#!/usr/bin/env python3
"""Protected restart: a primary that comes back without its data, or with older data, wipes nobody - until somebody says
so. Ours and Debian's servers on either side; the original's behaviour with `replica-protect-data no`."""
import itertools
import pathlib
import unittest

from processes import World, dataset, link_up, wait_for, wait_synced

KEYS = 200
PAIRS = [pair for pair in itertools.product(("ours", "original"), repeat=2) if "ours" in pair]


def fill(server, first, last):
    with server.client() as client:
        for i in range(first, last):
            client.call("SET", f"k{i}", f"value {i}")


class ProtectedRestart(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def linked(self, primary_kind, replica_kind):
        primary = self.world.server(primary_kind)
        replica = self.world.replica(replica_kind, primary)
        wait_for("the link", lambda: link_up(replica))
        return primary, replica

    def refused(self, primary, replica):
        """The refusal can be seen on a server of ours."""
        if replica.argv[0] != "redis-server":
            return replica.info("replication").get("master_sync_refused")
        return primary.info("replication").get("replicas_refused")

    def check_kept(self, primary, replica, reason, before):
        wait_for("the refusal", lambda: reason in (self.refused(primary, replica) or ""))
        self.assertEqual(dataset(replica), before)
        self.assertFalse(link_up(replica))
        self.assertEqual(primary.info("stats")["sync_full"], "0")
        self.assertIn("Refusing to", replica.log_text() + primary.log_text())

    def check_obeyed(self, primary, replica):
        """An order makes the replica take what there is."""
        if replica.argv[0] != "redis-server":
            self.assertEqual(replica.call("REPLICAOF", "127.0.0.1", primary.port), "OK")
        else:
            self.assertEqual(primary.call("REPLICAOF", "NO", "ONE"), "OK")
        wait_for("the replica to follow", lambda: link_up(replica))
        wait_synced(primary, replica)
        self.assertEqual(dataset(replica), dataset(primary))
        info = {**primary.info("replication"), **replica.info("replication")}
        self.assertNotIn("master_sync_refused", info)
        self.assertNotIn("replicas_refused", info)

    def test_a_primary_without_its_data(self):
        for primary_kind, replica_kind in PAIRS:
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary, replica = self.linked(primary_kind, replica_kind)
                fill(primary, 0, KEYS)
                wait_synced(primary, replica)
                before = dataset(replica)
                if primary_kind == "ours":
                    wait_for("the mark", pathlib.Path(primary.cwd, "dump.rdb.replicated").exists)
                primary.restart()
                self.check_kept(primary, replica, "without its data", before)
                # What it is given meanwhile changes nothing: our data would be lost all the same.
                fill(primary, 0, 3)
                if replica_kind == "ours" and primary_kind == "ours":
                    self.assertFalse(link_up(replica))
                self.check_obeyed(primary, replica)

    def test_a_primary_with_older_data(self):
        for primary_kind, replica_kind in PAIRS:
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary, replica = self.linked(primary_kind, replica_kind)
                fill(primary, 0, KEYS)
                wait_for("the file", lambda: primary.call("SAVE") == "OK")  # the payload's child may still run
                fill(primary, KEYS, 2 * KEYS)
                wait_synced(primary, replica)
                before = dataset(replica)
                self.assertEqual(len(before[0]), 2 * KEYS)
                primary.restart()
                self.check_kept(primary, replica, "older", before)
                self.check_obeyed(primary, replica)
                self.assertEqual(len(dataset(replica)[0]), KEYS)

    def test_protection_switched_off(self):
        primary = self.world.server("ours", "--replica-protect-data", "no")
        replicas = [self.world.replica("ours", primary, "--replica-protect-data", "no"), self.world.replica("original", primary)]
        wait_for("the links", lambda: all(link_up(r) for r in replicas))
        fill(primary, 0, KEYS)
        for replica in replicas:
            wait_synced(primary, replica)
        primary.restart()
        for replica in replicas:
            wait_for("the replica to be emptied", lambda: link_up(replica) and not dataset(replica))

    def test_it_can_be_switched_off_while_it_refuses(self):
        primary, replica = self.linked("original", "ours")
        fill(primary, 0, KEYS)
        wait_synced(primary, replica)
        primary.restart()
        wait_for("the refusal", lambda: self.refused(primary, replica))
        self.assertEqual(replica.call("CONFIG", "SET", "replica-protect-data", "no"), "OK")
        wait_for("the replica to be emptied", lambda: link_up(replica) and not dataset(replica))

    def test_a_clean_restart_needs_no_full_synchronization(self):
        for primary_kind, replica_kind in PAIRS:
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary, replica = self.linked(primary_kind, replica_kind)
                with primary.client() as client:
                    client.call("SELECT", 7)
                    for i in range(KEYS):
                        client.call("RPUSH", "list", i)
                wait_synced(primary, replica)
                for server in (primary, replica):
                    self.assertEqual(server.call("CONFIG", "SET", "save", "3600 1"), "OK")
                    server.stop()
                    server.start()
                    server.wait_ready()
                    wait_synced(primary, replica)
                    with primary.client() as client:
                        client.call("SELECT", 7)
                        client.call("RPUSH", "list", "more")
                    wait_synced(primary, replica)
                    self.assertEqual(primary.info("stats")["sync_full"], "0")
                    self.assertEqual(dataset(replica), dataset(primary))
                self.assertNotEqual(primary.info("stats")["sync_partial_ok"], "0")

    def test_a_primary_that_was_emptied_on_purpose_is_followed(self):
        primary = self.world.server("ours", "--repl-backlog-size", "16384")
        replica = self.world.replica("ours", primary)
        wait_for("the link", lambda: link_up(replica))
        fill(primary, 0, KEYS)
        wait_synced(primary, replica)
        full = int(primary.info("stats")["sync_full"])
        self.assertEqual(replica.call("CONFIG", "SET", "replica-protect-data", "yes"), "OK")
        replica.popen.send_signal(19)  # stopped: it misses more than the backlog holds
        primary.call("CLIENT", "KILL", "TYPE", "replica")
        with primary.client() as client:
            client.call("FLUSHALL")
            for _ in range(40):
                client.call("SET", "big", "x" * 1000)
            client.call("DEL", "big")
        replica.popen.send_signal(18)
        wait_synced(primary, replica)
        self.assertEqual(dataset(replica), {})
        self.assertEqual(int(primary.info("stats")["sync_full"]), full + 1)

    def test_where_nothing_was_nothing_is_protected(self):
        for replica_kind in ("ours", "original"):
            with self.subTest(replica=replica_kind):
                primary = self.world.server("ours")
                replica = self.world.replica(replica_kind, primary)
                wait_for("the link", lambda: link_up(replica))
                fill(primary, 0, KEYS)
                wait_synced(primary, replica)
                mark = pathlib.Path(primary.cwd, "dump.rdb.replicated")
                wait_for("the mark", lambda: len(mark.read_text()) == 41)
                primary.call("FLUSHALL")
                wait_synced(primary, replica)
                wait_for("no mark", lambda: mark.read_text() == "\n")
                primary.restart()
                wait_for("the link", lambda: link_up(replica))
                fill(primary, 0, 3)
                wait_synced(primary, replica)
                self.assertEqual(dataset(replica), dataset(primary))

    def test_a_sentinel_decides(self):
        primary = self.world.server("ours")
        replicas = [self.world.replica("ours", primary) for _ in range(2)]
        wait_for("the links", lambda: all(link_up(r) for r in replicas))
        fill(primary, 0, KEYS)
        for replica in replicas:
            wait_synced(primary, replica)
        before = dataset(primary)
        sentinel = self.world.sentinel("ours", primary, quorum=1)
        wait_for("the Sentinel to know the replicas",
                 lambda: len(sentinel.call("SENTINEL", "REPLICAS", "mymaster")) == 2)
        primary.restart()
        leader = lambda: int(sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])
        wait_for("a failover", lambda: leader() != primary.port, 40)
        new = next(r for r in replicas if r.port == leader())
        others = [server for server in (primary, *replicas) if server is not new]
        for other in others:
            wait_for(f"{other.name} to follow the new primary", lambda: link_up(other) and dataset(other) == before, 60)
        self.assertEqual(dataset(new), before)


if __name__ == "__main__":
    unittest.main()
