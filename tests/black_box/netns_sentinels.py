#!/usr/bin/env python3
"""Lines between hosts are really cut: what three Sentinels make of it, and what has become of it after healing.

Three hosts with a data server and a Sentinel each, quorum 2; the primary is on host a. Clients of the tests stand on the host
they ask, so they see every side of a cut.
"""
import collections
import re
import time
import unittest

from netns import Network
from processes import sees, wait_for, wait_synced, watched

NAME = "mymaster"
DOWN_AFTER = 1000


def role(server):
    return server.info("replication")["role"]


def host_of(sentinel):
    """The address of the primary as a Sentinel tells it to clients."""
    return sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[0].decode()


def follows(server, primary):
    info = server.info("replication")
    return info.get("master_host") == primary.host.ip and info["master_link_status"] == "up"


def current_epoch(sentinel):
    path = next(word for word in sentinel.argv if word.endswith(".conf"))
    with open(path) as file:
        return int(re.search(r"^sentinel current-epoch (\d+)$", file.read(), re.M).group(1))


def events(sentinel, event):
    """The payloads of an event, in order."""
    return re.findall(rf" [*#] {re.escape(event)} (.*)$", sentinel.log_text(), re.M)


class Cuts(unittest.TestCase):
    kinds = ("ours", "ours", "ours")
    servers_kind = "ours"

    def setUp(self):
        self.net = Network("a", "b", "c").__enter__()
        self.addCleanup(self.end)
        hosts = list(self.net.hosts.values())
        self.primary = hosts[0].server(self.servers_kind)
        self.others = [host.server(self.servers_kind, self.primary) for host in hosts[1:]]
        for server in self.others:
            wait_synced(self.primary, server)
        self.sentinels = [host.sentinel(kind, self.primary, 2, down_after=DOWN_AFTER)
                          for kind, host in zip(self.kinds, hosts)]
        self.wait_calm(self.sentinels)

    def end(self):
        result = self._outcome.result
        self.net.__exit__(Exception if result.errors or result.failures else None, None, None)

    def wait_calm(self, sentinels):
        """All see everybody up: two replicas that follow, two other Sentinels."""
        def calm(sentinel):
            if not sees(sentinel, NAME, replicas=2, sentinels=2):
                return False
            seen = sentinel.call("SENTINEL", "REPLICAS", NAME) + sentinel.call("SENTINEL", "SENTINELS", NAME)
            flags = {dict(zip(one[::2], one[1::2]))[b"flags"] for one in seen}
            return flags == {b"slave", b"sentinel"}
        for sentinel in sentinels:
            wait_for(f"{sentinel.name} to see everybody up", lambda s=sentinel: calm(s), 40)

    def by_ip(self, ip):
        return next(server for server in [self.primary, *self.others] if server.host.ip == ip)

    def wait_switched(self, sentinels, old, seconds=20):
        def agreed():
            hosts = {host_of(sentinel) for sentinel in sentinels}
            return len(hosts) == 1 and old.host.ip not in hosts and hosts.pop()
        return self.by_ip(wait_for("the Sentinels on this side to agree on a new primary", agreed, seconds))

    def check_history(self, switches):
        """One vote per Sentinel and epoch, one leader and one address per epoch, so many switches."""
        leaders = collections.defaultdict(set)
        promotions = []
        addresses = collections.defaultdict(set)
        for sentinel in self.sentinels:
            votes = [vote.split() for vote in events(sentinel, "+vote-for-leader")]
            epochs = [epoch for _, epoch in votes]
            self.assertEqual(len(epochs), len(set(epochs)), f"{sentinel.name} voted twice in an epoch: {votes}")
            for leader, epoch in votes:
                leaders[epoch].add(leader)
            promotions += events(sentinel, "+promoted-slave")
            for switch in events(sentinel, "+switch-master"):
                addresses[sentinel.name].add(switch)
            self.assertEqual(len(events(sentinel, "+switch-master")), switches, sentinel.name)
        self.assertEqual(len(promotions), switches, f"one Sentinel promotes once: {promotions}")
        self.assertEqual(len(set(map(frozenset, addresses.values()))), 1 if switches else 0, f"switched differently: {addresses}")
        self.assertEqual(len({watched(s)["config-epoch"] for s in self.sentinels}), 1)
        self.assertEqual(len({current_epoch(s) for s in self.sentinels}), 1)
        # No epoch beyond those in which a failover was won was begun by who was cut off.
        if switches == 1:
            self.assertEqual(watched(self.sentinels[0])["config-epoch"], str(current_epoch(self.sentinels[0])))

    def check_healed(self, new):
        """Everybody follows one primary, the old one's Sentinel as well."""
        for server in [self.primary, *self.others]:
            if server is not new:
                wait_for(f"{server.name} to follow {new.name}", lambda s=server: follows(s, new), 40)
        self.assertEqual(role(new), "master")
        for sentinel in self.sentinels:
            wait_for(f"{sentinel.name} to name {new.name}", lambda s=sentinel: host_of(s) == new.host.ip)
        self.wait_calm(self.sentinels)
        new.call("SET", "after", "healing")
        for server in [self.primary, *self.others]:
            if server is not new:
                wait_synced(new, server)
                self.assertEqual(server.call("GET", "after"), b"healing")

    def over_a_loss_of_the_primary(self, lose):
        epoch = current_epoch(self.sentinels[0])
        near, far = self.sentinels[0], self.sentinels[1:]
        begun = time.monotonic()
        lose()
        new = self.wait_switched(far, self.primary)
        took = time.monotonic() - begun
        # A silent primary has the operator's time: no less, and not much more.
        self.assertGreater(took, DOWN_AFTER / 1000 * 0.9)
        self.assertEqual(role(new), "master")
        self.assertEqual(new.call("SET", "during", "cut"), "OK")
        # It may have heard of the others' new epoch; it made none of its own.
        self.assertIn(current_epoch(near), (epoch, current_epoch(far[0])))
        self.assertEqual(events(near, "+try-failover"), [])
        self.net.heal()
        self.check_healed(new)
        self.assertEqual(self.primary.call("GET", "during"), b"cut")
        self.check_history(1)

    def test_the_primary_is_cut_off(self):
        self.over_a_loss_of_the_primary(lambda: self.net.isolate(self.net.hosts["a"]))

    def test_nobody_hears_the_primary(self):
        hosts = self.net.hosts
        self.over_a_loss_of_the_primary(lambda: [self.net.drop(hosts["a"], hosts[other]) for other in "bc"])

    def test_the_primary_hears_nobody(self):
        hosts = self.net.hosts
        self.over_a_loss_of_the_primary(lambda: [self.net.drop(hosts[other], hosts["a"]) for other in "bc"])

    def test_a_sentinel_that_is_cut_off_starts_nothing(self):
        """For eight times down-after, three ways; the cluster goes on, epochs stay, nothing happens at healing."""
        lonely, hosts = self.sentinels[2], self.net.hosts
        for what, cut in (("alone", lambda: self.net.isolate(hosts["c"])),
                          ("without the primary", lambda: self.net.cut(hosts["a"], hosts["c"])),
                          ("hears nobody", lambda: [self.net.drop(hosts[other], hosts["c"]) for other in "ab"])):
            with self.subTest(what):
                epochs = [current_epoch(s) for s in self.sentinels]
                cut()
                wait_for("it to take the primary for down", lambda: "s_down" in watched(lonely)["flags"])
                end = time.monotonic() + 8 * DOWN_AFTER / 1000
                client = self.enterContext(self.primary.client(timeout=2))
                written = 0
                def silent():
                    nonlocal written
                    written = client.call("INCR", "writes")
                    self.assertIsInstance(written, int)
                    self.assertEqual([current_epoch(s) for s in self.sentinels], epochs)
                    self.assertEqual({host_of(s) for s in self.sentinels}, {self.primary.host.ip})
                    return time.monotonic() > end
                wait_for("eight times down-after", silent, 30)
                self.assertEqual(events(lonely, "+try-failover"), [])
                self.net.heal()
                self.check_healed(self.primary)
                self.assertEqual([current_epoch(s) for s in self.sentinels], epochs)
                self.assertEqual(int(self.primary.call("GET", "writes")), written)
        self.check_history(0)

    def test_a_full_line_is_no_death(self):
        """The primary's line is so busy that answers wait half a down-after in its queue, some for ever."""
        self.net.hosts["a"].slow_down(2000, DOWN_AFTER // 4)
        with self.primary.client() as client:
            for n in range(60):
                client.call("SET", f"big{n}", b"x" * 20000)
        for server in self.others:
            wait_synced(self.primary, server, 60)
        for sentinel in self.sentinels:
            self.assertEqual(events(sentinel, "+odown"), [])
            self.assertEqual(events(sentinel, "+try-failover"), [])
        self.check_healed(self.primary)
        self.check_history(0)


class CutsBetweenOriginals(Cuts):
    """The same over Debian's servers."""
    servers_kind = "original"


if __name__ == "__main__":
    unittest.main(verbosity=2)
