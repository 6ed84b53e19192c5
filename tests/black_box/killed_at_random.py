#!/usr/bin/env python3
"""Either side of a replication link killed at random moments under random writes: afterwards both hold the same, and no
more full synchronizations were needed than between two of the original under the same schedule.

HOLDFAST_KILLS is the number of kills for each pair of servers (4; the long run has 100)."""
import os
import random
import unittest

from processes import World, link_up, value_of, wait_for, wait_synced
from random_commands import Generator

KILLS = int(os.environ.get("HOLDFAST_KILLS", "4"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
# What answers later or speaks about the connection is no write; the original's BITFIELD lengthens a string without telling
# its replicas when all it was to set overflows.
SKIPPED = {"blocking", "connection", "bitmap"}


class Writes:
    def __init__(self, seed):
        self.generator = Generator(seed)
        self.generator.weights = {
            kind: 0 if kind in SKIPPED else weight for kind, weight in self.generator.weights.items()}

    def send(self, client, count):
        for _ in range(count):
            client.call(*self.generator.command())


class Killed(unittest.TestCase):
    def schedule(self):
        r = random.Random(SEED)
        # A primary comes back with its append-only file; a replica with the file it saved last, or none.
        return [(r.choice(["primary", "replica", "link"]), r.randrange(20, 300), r.random() < 0.5) for _ in range(KILLS)]

    def differences(self, primary, replica):
        """Keys whose values differ. 7.0 and 7.2 print fractions differently, in digests too: scores are compared as numbers."""
        def plain(client, key):
            kind, value, expiry = value_of(client, key)
            scores = [float(score) for score in value[1::2]] if kind == "zset" else None
            return (kind, value[::2], scores, expiry) if scores is not None else client.call("DEBUG", "DIGEST-VALUE", key)

        out = []
        for db in range(16):
            with primary.client() as a, replica.client() as b:
                digests = []
                for client in (a, b):
                    client.call("SELECT", db)
                    digests.append({key: (client.call("DEBUG", "DIGEST-VALUE", key), client.call("PEXPIRETIME", key))
                                    for key in client.call("KEYS", "*")})
                for key in sorted({*digests[0], *digests[1]}):
                    if digests[0].get(key) != digests[1].get(key) and plain(a, key) != plain(b, key):
                        out.append((db, key, value_of(a, key), value_of(b, key)))
        return out

    def run_pair(self, primary_kind, replica_kind):
        """How many full synchronizations there were."""
        with World() as world:
            options = ["--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "yes"]
            primary = world.server(primary_kind, *options)
            replica = world.replica(replica_kind, primary)
            wait_for("the link", lambda: link_up(replica))
            writes = Writes(SEED)
            for victim, count, saves in self.schedule():
                with primary.client() as client:
                    writes.send(client, count)
                    if saves:
                        wait_for("the replica's file", lambda: replica.call("SAVE") == "OK")
                    if victim == "link":
                        client.call("CLIENT", "KILL", "TYPE", "replica")
                    writes.send(client, count)
                    # Nothing is waited for: what the replica has of it when it is killed is left to chance.
                if victim == "primary":
                    primary.restart()
                elif victim == "replica":
                    replica.restart()
                with primary.client() as client:
                    writes.send(client, 20)
                wait_for("the link", lambda: link_up(replica), 60)
                wait_synced(primary, replica, 60)
                if primary.call("DEBUG", "DIGEST") != replica.call("DEBUG", "DIGEST"):
                    self.assertEqual(self.differences(primary, replica), [], (victim, count))
            return replica.log_text().count("Full resync from master")

    def test_pairs(self):
        allowed = self.run_pair("original", "original")
        for pair in (("ours", "ours"), ("ours", "original"), ("original", "ours")):
            with self.subTest(pair=pair):
                self.assertLessEqual(self.run_pair(*pair), allowed)


if __name__ == "__main__":
    unittest.main()
