#!/usr/bin/env python3
"""What clients do on a replica stays out of the primary's history: its offset, its stream, its next synchronization."""
import unittest

import random_commands
from processes import World, dataset, wait_for, wait_synced


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

    def test_streams_are_the_same_on_replicas(self):
        """Approximate trims, generated ids and deliveries leave as what they came to."""
        for primary_kind, replica_kind in (("ours", "ours"), ("ours", "original"), ("original", "ours")):
            with self.subTest(primary=primary_kind, replica=replica_kind):
                primary = self.world.server(primary_kind, "--stream-node-max-entries", "5")
                replica = self.world.replica(replica_kind, primary, "--stream-node-max-entries", "50")
                wait_synced(primary, replica)
                generator = random_commands.Generator(7)
                generator.weights = {name: int(name == "stream") for name in random_commands.WEIGHTS}
                with primary.client() as client:
                    for i in range(4000):
                        words = generator.command()
                        if "BLOCK" not in words:
                            client.call(*words)
                        if i % 50 == 0:
                            client.call("XADD", "clocked", "MAXLEN", "~", "20", "*", "n", i)
                wait_synced(primary, replica)
                self.assertEqual(told(dataset(primary, 1)), told(dataset(replica, 1)))
                self.assertGreater(len(dataset(primary, 1)[0]), 2)


def told(data):
    """What replicas are told. COMPAT: not how often an entry was read again, nor how many a group has read."""
    out = {}
    for key, (kind, value, _) in data[0].items():
        if kind == "stream":
            entries, about, groups = value
            value = (entries, [pair for pair in about if not pair[0].startswith(b"radix")],
                     [(dict(group)[b"name"], dict(group)[b"last-delivered-id"], [(id, owner) for id, owner, _ in held])
                      for group, held in groups])
        out[key] = (kind, value)
    return out


if __name__ == "__main__":
    unittest.main(verbosity=2)
