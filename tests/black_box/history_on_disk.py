#!/usr/bin/env python3
"""The backlog on disk (ADR 0050): absent replicas and restarts of either side cost no full synchronization, what a crash
leaves is removed, and a file that is gone costs only whom it concerns."""
import pathlib
import unittest

from processes import World, dataset, link_up, wait_for, wait_synced

BACKLOG = 64 * 1024
DISK = 64 * 1024 * 1024
KINDS = ("ours", "original")


def fill(server, megabytes, seed=0):
    """Writes about so many MB to a thousand keys."""
    with server.client(timeout=60) as client:
        for i in range(megabytes * 100):
            client.send("SET", f"k{i % 1000}", b"%010d" % (seed * 1_000_000 + i) * 1000)
        for _ in range(megabytes * 100):
            client.read()


class HistoryOnDisk(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def primary(self, *options):
        return self.world.server("ours", "--repl-backlog-size", BACKLOG, "--repl-backlog-disk-size", DISK, *options)

    def spool_files(self, server):
        return sorted(pathlib.Path(server.cwd).glob("temp-repl-*.spool"))

    def syncs(self, server):
        stats = server.info("stats")
        return int(stats["sync_full"]), int(stats["sync_partial_ok"])

    def check_same(self, primary, replica):
        wait_for("the link", lambda: link_up(replica), 60)
        wait_synced(primary, replica, 60)
        self.assertEqual(replica.call("DEBUG", "DIGEST"), primary.call("DEBUG", "DIGEST"))

    def test_a_replica_that_was_long_away(self):
        for kind in KINDS:
            with self.subTest(replica=kind):
                primary = self.primary()
                replica = self.world.replica(kind, primary, "--save", "3600 1000000")
                wait_for("the link", lambda: link_up(replica))
                fill(primary, 2)
                wait_synced(primary, replica)
                replica.stop()
                fill(primary, 20, seed=1)
                wait_for("a history on disk", lambda: len(self.spool_files(primary)) > 5)
                replica.start()
                replica.wait_ready()
                self.check_same(primary, replica)
                self.assertEqual(self.syncs(primary), (1, 1))

    def test_a_primary_that_restarts_while_a_replica_is_away(self):
        for kind in KINDS:
            for options in (("--save", "3600 1000000"), ("--appendonly", "yes")):
                with self.subTest(replica=kind, options=options):
                    primary = self.primary(*options)
                    replica = self.world.replica(kind, primary, "--save", "3600 1000000")
                    wait_for("the link", lambda: link_up(replica))
                    fill(primary, 2)
                    wait_synced(primary, replica)
                    replica.stop()
                    fill(primary, 10, seed=1)
                    before = dataset(primary)
                    primary.stop()
                    primary.start()
                    primary.wait_ready()
                    self.assertEqual(dataset(primary), before)
                    replica.start()
                    replica.wait_ready()
                    self.check_same(primary, replica)
                    self.assertEqual(self.syncs(primary), (0, 1))
                    fill(primary, 1, seed=2)
                    self.check_same(primary, replica)

    def test_a_crash_leaves_nothing_behind(self):
        primary = self.primary()
        replica = self.world.replica("ours", primary)
        wait_for("the link", lambda: link_up(replica))
        fill(primary, 20)
        wait_for("a history on disk", lambda: len(self.spool_files(primary)) > 5)
        stranger = pathlib.Path(primary.cwd, "temp-repl-1-7.spool")
        stranger.write_bytes(b"of another server")
        replica.kill()
        primary.kill()
        self.assertGreater(len(self.spool_files(primary)), 5)
        primary.start()
        primary.wait_ready()
        wait_for("what was left to go", lambda: self.spool_files(primary) == [stranger])
        self.assertEqual(list(pathlib.Path(primary.cwd).glob("repl-history-*.index")), [])
        self.assertIn("spool files of an earlier process", primary.log_text())

    def test_a_damaged_history_is_not_used(self):
        for damage in ("index", "chunk", "cut"):
            with self.subTest(damage=damage):
                primary = self.primary("--save", "3600 1000000")
                replica = self.world.replica("ours", primary, "--save", "3600 1000000")
                wait_for("the link", lambda: link_up(replica))
                fill(primary, 2)
                wait_synced(primary, replica)
                replica.stop()
                fill(primary, 10, seed=1)
                primary.stop()
                index = next(pathlib.Path(primary.cwd).glob("repl-history-*.index"))
                last = max(self.spool_files(primary), key=lambda path: int(path.stem.rsplit("-", 1)[1]))
                if damage == "index":
                    index.write_bytes(index.read_bytes()[:-3])
                elif damage == "chunk":
                    last.unlink()
                else:
                    last.write_bytes(last.read_bytes()[:-1])
                primary.start()
                primary.wait_ready()
                replica.start()
                replica.wait_ready()
                self.check_same(primary, replica)
                self.assertEqual(self.syncs(primary), (1, 0))

    def test_a_chunk_that_is_gone_concerns_only_who_needs_it(self):
        primary = self.primary()
        away = self.world.replica("ours", primary, "--save", "3600 1000000")
        near = self.world.replica("ours", primary)
        wait_for("the links", lambda: link_up(away) and link_up(near))
        fill(primary, 2)
        wait_synced(primary, away)
        away.stop()
        fill(primary, 20, seed=1)
        wait_for("a history on disk", lambda: len(self.spool_files(primary)) > 5)
        for path in self.spool_files(primary)[:-1]:
            path.unlink()
        away.start()
        away.wait_ready()
        self.check_same(primary, away)
        self.check_same(primary, near)
        self.assertEqual(self.syncs(primary)[0], 3)
        self.assertEqual(near.log_text().count("Full resync from master"), 1)

    def test_a_disk_that_takes_nothing_holds_nobody_up(self):
        primary = self.primary()
        replica = self.world.replica("ours", primary)
        wait_for("the link", lambda: link_up(replica))
        for number in range(1, 400):  # a directory stands where each file would come
            pathlib.Path(primary.cwd, f"temp-repl-{primary.port}-{number}.spool").mkdir()
        fill(primary, 120)
        self.check_same(primary, replica)
        info = primary.info("replication")
        self.assertLess(int(primary.info("memory")["mem_total_replication_buffers"]), 40 * 1024 * 1024)
        self.assertGreaterEqual(int(info["repl_backlog_histlen"]), BACKLOG)
        self.assertIn("Cannot keep on disk", primary.log_text())
        self.assertEqual(self.syncs(primary), (1, 0))

    def test_the_bound_holds(self):
        primary = self.primary("--repl-backlog-ttl", "0")
        primary.call("CONFIG", "SET", "repl-backlog-disk-size", 8 * 1024 * 1024)
        replica = self.world.replica("ours", primary)
        wait_for("the link", lambda: link_up(replica))
        fill(primary, 40)
        self.check_same(primary, replica)
        held = lambda: sum(path.stat().st_size for path in self.spool_files(primary))
        wait_for("the disk to hold what it may", lambda: 4 * 1024 * 1024 < held() <= 11 * 1024 * 1024)
        primary.call("CONFIG", "SET", "repl-backlog-disk-size", 0)
        fill(primary, 4, seed=1)
        wait_for("the disk to be given back", lambda: held() == 0)


if __name__ == "__main__":
    unittest.main()
