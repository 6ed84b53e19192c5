#!/usr/bin/env python3
"""What clients do on a replica stays out of the primary's history: its offset, its stream, its next synchronization."""
import unittest

from processes import World, wait_for, wait_synced


class ReplicaEffects(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def test_messages_and_writes_on_a_replica_leave_its_offset_alone(self):
        for primary_kind, replica_kind in (("ours", "ours"), ("original", "ours"), ("ours", "original")):
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary = self.world.server(primary_kind)
                replica = self.world.replica(replica_kind, primary, "--replica-read-only", "no")
                below = self.world.replica("ours", replica)
                wait_synced(primary, replica)
                wait_synced(replica, below)
                with replica.client() as client:
                    for i in range(20):
                        client.call("PUBLISH", "__sentinel__:hello", "x" * 100)
                        client.call("SET", f"local{i}", i)
                primary.call("SET", "from", "above")
                wait_synced(primary, replica)
                wait_synced(replica, below)
                self.assertEqual(below.call("GET", "from"), b"above")
                self.assertIsNone(below.call("GET", "local1"))
                # The link breaks: a wrong offset would be refused, or would skip a part of the stream.
                full = primary.info("stats")["sync_full"]
                primary.call("CLIENT", "KILL", "TYPE", "replica")
                primary.call("SET", "after", "break")
                wait_for("the write after the break", lambda: replica.call("GET", "after") == b"break")
                wait_synced(primary, replica)
                self.assertEqual(primary.info("stats")["sync_full"], full)


if __name__ == "__main__":
    unittest.main(verbosity=2)
