#!/usr/bin/env python3
"""Sentinels of ours and Debian's redis-sentinel, over servers of both, in one quorum, and from each other's files."""
import pathlib
import re
import stat
import unittest

from processes import (HOLDFAST, Error, World, address_of, fields, sees, wait_for, wait_synced, watched)

NAME = "mymaster"


def log_events(sentinel, event, text=""):
    """The log's lines that announce an event, without pid and date."""
    return [line.split(" ", 6)[-1] for line in sentinel.log_text().splitlines()
            if re.search(rf" [*#] {re.escape(event)} ", line) and text in line]


def others(sentinel):
    """SENTINEL SENTINELS as {runid: fields}."""
    return {s["runid"]: s for s in map(fields, sentinel.call("SENTINEL", "SENTINELS", NAME))}


def replicas(sentinel):
    """SENTINEL REPLICAS as {port: fields}."""
    return {int(s["port"]): s for s in map(fields, sentinel.call("SENTINEL", "REPLICAS", NAME))}


def role(server):
    return server.info("replication")["role"]


def follows(server, primary):
    info = server.info("replication")
    return info.get("master_port") == str(primary.port) and info["master_link_status"] == "up"


class SentinelTest(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)

    def end(self):
        result = self._outcome.result
        self.world.__exit__(Exception if result.errors or result.failures else None, None, None)

    def servers(self, primary, *kinds):
        first = self.world.server(primary)
        rest = [self.world.replica(kind, first) for kind in kinds]
        for server in rest:
            wait_synced(first, server)
        return first, rest

    def watch(self, primary, kinds, replica_count, **options):
        # A real Sentinel reconnects to the new primary once a second only, and a Sentinel that heard of the old one's
        # death is still counted: with down-after 1 s it may take the new primary for dead and promote once more.
        down_after = 2500 if len(kinds) > 1 and "original" in kinds else 1000
        sentinels = [self.world.sentinel(kind, primary, quorum=len(kinds) // 2 + 1, down_after=down_after, **options)
                     for kind in kinds]
        for sentinel in sentinels:
            wait_for(f"{sentinel.name} to know everyone",
                     lambda s=sentinel: sees(s, NAME, replicas=replica_count, sentinels=len(kinds) - 1))
        return sentinels

    def wait_switched(self, sentinels, old, seconds=45):
        """Waits until all Sentinels name one new primary and nothing is in progress; returns its port."""
        def agreed():
            ports = {address_of(sentinel) for sentinel in sentinels}
            flags = {watched(sentinel)["flags"] for sentinel in sentinels}
            return len(ports) == 1 and flags == {"master"} and old.port not in ports and ports.pop()
        return wait_for("the Sentinels to agree on a new primary", agreed, seconds)

    def by_port(self, servers, port):
        return next(server for server in servers if server.port == port)


class Quorum(SentinelTest):
    """Discovery, a crash, one switch, and the old primary's return."""

    def check_discovery(self, sentinels):
        ids = {sentinel: sentinel.call("SENTINEL", "MYID").decode() for sentinel in sentinels}
        self.assertEqual(len(set(ids.values())), len(sentinels))
        for sentinel in sentinels:
            expected = {(ids[s], str(s.port)) for s in sentinels if s is not sentinel}
            found = others(sentinel)
            self.assertEqual({(runid, s["port"]) for runid, s in found.items()}, expected)
            wait_for("the others to be seen up",
                     lambda: {s["flags"] for s in others(sentinel).values()} <= {"sentinel"})
            reply = sentinel.call("SENTINEL", "CKQUORUM", NAME)
            self.assertEqual(reply, f"OK {len(sentinels)} usable Sentinels. "
                                    "Quorum and failover authorization can be reached")

    def over_crash(self, primary_kind, replica_kinds, sentinel_kinds):
        primary, followers = self.servers(primary_kind, *replica_kinds)
        sentinels = self.watch(primary, sentinel_kinds, len(followers))
        self.check_discovery(sentinels)
        primary.call("SET", "before", "crash")
        for follower in followers:
            wait_synced(primary, follower)
        primary.kill()
        new = self.by_port(followers, self.wait_switched(sentinels, primary))
        self.assertEqual(role(new), "master")
        self.assertEqual(new.call("GET", "before"), b"crash")
        self.check_one_switch(sentinels, primary, new)
        for follower in followers:
            if follower is not new:
                wait_for(f"{follower.name} to follow {new.name}", lambda f=follower: follows(f, new), 30)
        # The old primary comes back as a primary, without a word about the failover, and is converted.
        primary.start()
        primary.wait_ready()
        wait_for(f"{primary.name} to be converted", lambda: follows(primary, new), 40)
        new.call("SET", "after", "return")
        wait_synced(new, primary)
        self.assertEqual(primary.call("GET", "after"), b"return")
        self.assertTrue(any(log_events(s, "+convert-to-slave", str(primary.port)) for s in sentinels))
        self.check_one_switch(sentinels, primary, new)
        for sentinel in sentinels:
            wait_for("no one to be down", lambda s=sentinel: {r["flags"] for r in replicas(s).values()} == {"slave"})
            self.assertEqual(set(replicas(sentinel)), {s.port for s in [primary, *followers] if s is not new})

    def check_one_switch(self, sentinels, old, new):
        expected = f"+switch-master {NAME} 127.0.0.1 {old.port} 127.0.0.1 {new.port}"
        epochs = set()
        for sentinel in sentinels:
            lines = log_events(sentinel, "+switch-master")
            self.assertEqual(len(lines), 1, f"{sentinel.name}: {lines}")
            self.assertTrue(lines[0].endswith(expected), lines[0])
            epochs.add(watched(sentinel)["config-epoch"])
        self.assertEqual(len(epochs), 1, f"config epochs {epochs}")
        leaders = [sentinel for sentinel in sentinels if log_events(sentinel, "+promoted-slave")]
        self.assertEqual(len(leaders), 1, "exactly one Sentinel promotes")

    def test_our_sentinel_over_real_servers(self):
        self.over_crash("original", ["original", "original"], ["ours"])

    def test_real_sentinel_over_our_servers(self):
        self.over_crash("ours", ["ours", "ours"], ["original"])

    def test_two_of_ours_and_a_real_one_over_ours(self):
        self.over_crash("ours", ["ours", "ours"], ["ours", "ours", "original"])

    def test_one_of_ours_and_two_real_ones_over_both(self):
        self.over_crash("original", ["ours", "original"], ["original", "ours", "original"])

    def test_quorum_needs_both_kinds(self):
        """Of two, one of ours and a real one: each alone is a minority, and says so."""
        primary, (follower,) = self.servers("ours", "original")
        ours, real = self.watch(primary, ["ours", "original"], 1)
        for gone, left in ((real, ours), (ours, real)):
            gone.kill()
            reply = wait_for("the loss to be seen", lambda: self.lost_quorum(left))
            self.assertEqual(reply, "NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the "
                                    "specified quorum for this master. Not enough available Sentinels to reach the "
                                    "majority and authorize a failover")
            gone.start()
            gone.wait_ready()
            wait_for("the quorum to be back", lambda: str(left.call("SENTINEL", "CKQUORUM", NAME)).startswith("OK 2"))
        primary.kill()
        self.assertEqual(self.wait_switched([ours, real], primary), follower.port)

    def lost_quorum(self, sentinel):
        reply = sentinel.call("SENTINEL", "CKQUORUM", NAME)
        return isinstance(reply, Error) and reply


class Files(SentinelTest):
    """Each starts from the file the other wrote, and goes on with what it knew."""

    def take_over(self, old, kind):
        """Stops a Sentinel and starts the other program with its file and port."""
        path = self.file(old)
        self.assertEqual(old.stop(), 0)
        program = [HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
        return self.world.run(f"{kind}-over-{old.name}", [*program, path], old.port, cwd=path.parent).wait_ready(), path

    def knowledge(self, sentinel):
        seen = watched(sentinel)
        return {
            "id": sentinel.call("SENTINEL", "MYID"),
            "address": (seen["ip"], seen["port"]),
            "settings": [seen[name] for name in ("quorum", "down-after-milliseconds", "failover-timeout",
                                                 "parallel-syncs", "config-epoch")],
            "replicas": sorted(replicas(sentinel)),
            "sentinels": sorted(others(sentinel)),
            "epoch": self.epoch(sentinel),
        }

    def file(self, sentinel):
        return next(pathlib.Path(word) for word in sentinel.argv if word.endswith(".conf"))

    def epoch(self, sentinel):
        return re.search(r"^sentinel current-epoch (\d+)$", self.file(sentinel).read_text(), re.M).group(1)

    def test_files_are_exchanged_after_a_failover(self):
        for first in ("ours", "original"):
            with self.subTest(first=first):
                second = "original" if first == "ours" else "ours"
                primary, followers = self.servers("ours", "original", "ours")
                sentinel, other, third = self.watch(primary, [first, "ours", "original"], 2, extra="# kept by both\n")
                primary.kill()
                new = self.by_port(followers, self.wait_switched([sentinel, other, third], primary))
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "parallel-syncs", 2), "OK")
                before = self.knowledge(sentinel)
                self.assertNotEqual(before["epoch"], "0")
                taken, path = self.take_over(sentinel, second)
                self.assertEqual(self.knowledge(taken), before)
                # Changed by the second, read again by the first.
                self.assertEqual(taken.call("SENTINEL", "SET", NAME, "parallel-syncs", 3), "OK")
                before["settings"][3] = "3"
                back, path = self.take_over(taken, first)
                self.assertEqual(self.knowledge(back), before)
                self.assertEqual(path.read_text().count("# kept by both"), 1)
                self.assertNotIn("???", path.read_text())
                # And it still works in the quorum: the next crash is switched by all three.
                primary.start()
                primary.wait_ready()
                wait_for("the old primary to follow", lambda: follows(primary, new), 40)
                for s in (back, other, third):
                    wait_for("everyone to be up", lambda s=s: sees(s, NAME, replicas=2, sentinels=2), 30)
                new.kill()
                newest = self.wait_switched([back, other, third], new, 60)
                self.assertIn(newest, [s.port for s in (primary, *followers) if s is not new])
                self.assertGreater(int(watched(back)["config-epoch"]), int(before["settings"][4]))


class Commands(SentinelTest):
    """What operators and tools send to a running Sentinel: the same words and replies from both."""

    def replies(self, kind):
        """One conversation; replies with ports of this run replaced."""
        primary, (follower,) = self.servers("ours", "original")
        second, _ = self.servers("original")
        (sentinel,) = self.watch(primary, [kind], 1)
        names = {str(primary.port): "PRIMARY", str(follower.port): "REPLICA", str(second.port): "SECOND",
                 str(sentinel.port): "SENTINEL"}
        out = []
        with sentinel.client() as events:
            events.call("SUBSCRIBE", "+set", "+monitor", "-monitor", "+reset-master")
            events.read(), events.read(), events.read()
            for words in (
                    ("MONITOR", "second", "127.0.0.1", second.port, 1),
                    ("MONITOR", "second", "127.0.0.1", second.port, 1),
                    ("MONITOR", "third", "127.0.0.1", "port", 1),
                    ("MONITOR", "third", "127.0.0.1", second.port, 0),
                    ("SET", "second", "down-after-milliseconds", 1500, "quorum", 3),
                    ("SET", "second", "nonsense", 1),
                    ("SET", "second", "quorum", "x"),
                    ("SET", "nobody", "quorum", 1),
                    ("CKQUORUM", "second"),
                    ("SET", "second", "quorum", 1),
                    ("CKQUORUM", "second"),
                    ("GET-MASTER-ADDR-BY-NAME", "second"),
                    ("GET-MASTER-ADDR-BY-NAME", "nobody"),
                    ("FAILOVER", "second"),
                    ("FAILOVER", "nobody"),
                    ("RESET", "sec*"),
                    ("RESET", "nobody*"),
                    ("REMOVE", "second"),
                    ("REMOVE", "second"),
                    ("MASTER", "second"),
                    ("SET", NAME, "notification-script", "/bin/true"),
                    ("NONSENSE",),
                    ("SET", NAME)):
                out.append((words[0], sentinel.call("SENTINEL", *words)))
            while not out[-1][0] == "event -monitor":
                _, channel, payload = events.read()
                out.append((f"event {channel.decode()}", payload))
        text = "\n".join(map(repr, out))
        text = re.sub(r"\d{4,5}", lambda m: names.get(m.group(), m.group()), text)
        return text.splitlines(), (sentinel, primary, follower)

    def test_same_replies_and_events(self):
        ours, started = self.replies("ours")
        real, _ = self.replies("original")
        self.maxDiff = None
        self.assertEqual(ours, real)
        self.check_forced_failover(*started)

    def check_forced_failover(self, sentinel, primary, follower):
        """SENTINEL FAILOVER with everyone alive: roles change places, nothing is lost, twice."""
        for old, new in ((primary, follower), (follower, primary)):
            old.call("SET", "kept", new.port)
            wait_synced(old, new)
            wait_for("everyone to be up", lambda: sees(sentinel, NAME, replicas=1, sentinels=0), 30)
            wait_for("the replica's link to be seen",
                     lambda: replicas(sentinel)[new.port]["master-link-status"] == "ok", 30)
            self.assertEqual(sentinel.call("SENTINEL", "FAILOVER", NAME), "OK")
            wait_for("the switch", lambda: address_of(sentinel) == new.port, 20)
            wait_for("the old primary to follow", lambda: follows(old, new), 30)
            self.assertEqual(new.call("GET", "kept"), str(new.port).encode())
            self.assertEqual(role(new), "master")

    def test_reset_forgets_and_finds_again(self):
        primary, (first, gone) = self.servers("original", "ours", "ours")
        ours, real = self.watch(primary, ["ours", "original"], 2)
        gone.kill()
        real.kill()
        wait_for("the dead to be seen down", lambda: "s_down" in replicas(ours)[gone.port]["flags"] and
                 "s_down" in next(iter(others(ours).values()))["flags"])
        self.assertEqual(ours.call("SENTINEL", "RESET", "my*"), 1)
        self.assertEqual(watched(ours)["num-other-sentinels"], "0")
        # The replica that lives is found through INFO, the dead one and the dead Sentinel are forgotten.
        wait_for("the living replica to be found", lambda: list(replicas(ours)) == [first.port])
        real.start()
        real.wait_ready()
        wait_for("the Sentinel to be found again", lambda: sees(ours, NAME, replicas=1, sentinels=1))


class Scripts(SentinelTest):
    """notification-script and client-reconfig-script are run with the original's arguments."""

    def script(self, name):
        """A script that writes its arguments to a file, one line for each run."""
        path = self.world.directory / name
        out = self.world.directory / f"{name}.out"
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$(printf "[%s]" "$@")" >> {out}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path, out

    def runs(self, kind):
        notify, notified = self.script(f"notify-{kind}")
        reconfig, reconfigured = self.script(f"reconfig-{kind}")
        primary, (follower,) = self.servers("original", "ours")
        # The runid of each is printed in some events; two Sentinels of one kind so that there is an observer.
        sentinels = self.watch(primary, [kind, kind], 1, extra=f"sentinel notification-script {NAME} {notify}\n"
                                                               f"sentinel client-reconfig-script {NAME} {reconfig}\n")
        primary.kill()
        self.wait_switched(sentinels, primary)
        change = f"[127.0.0.1][{primary.port}][127.0.0.1][{follower.port}]"
        # The leader tells it at the promotion and the observer when it hears of it.
        lines = wait_for("both scripts to have run", lambda: reconfigured.exists() and
                         len(reconfigured.read_text().splitlines()) >= 2 and reconfigured.read_text().splitlines())
        self.assertEqual(sorted(lines), [f"[{NAME}][leader][start]{change}", f"[{NAME}][observer][start]{change}"])
        about = f"master {NAME} 127.0.0.1 {primary.port}"
        expected = {f"[+sdown][{about}]", f"[+odown][{about} #quorum 2/2]", f"[+try-failover][{about}]",
                    f"[+elected-leader][{about}]", f"[+failover-end][{about}]",
                    f"[+switch-master][{NAME} 127.0.0.1 {primary.port} 127.0.0.1 {follower.port}]",
                    f"[+promoted-slave][slave 127.0.0.1:{follower.port} 127.0.0.1 {follower.port} @ {NAME} 127.0.0.1 "
                    f"{primary.port}]"}
        wait_for("the notifications", lambda: expected <= set(notified.read_text().splitlines()))
        names = {re.match(r"\[([^]]*)\]", line).group(1) for line in notified.read_text().splitlines()}
        for sentinel in sentinels:
            self.assertEqual(sentinel.call("SENTINEL", "PENDING-SCRIPTS"), [])
        return names

    def test_scripts_are_run(self):
        ours, real = self.runs("ours"), self.runs("original")
        # The kinds of events that call the script; who votes first differs from run to run.
        varying = {"+new-epoch", "+vote-for-leader", "-odown", "+config-update-from", "+monitor", "-sdown"}
        self.assertEqual(ours - varying, real - varying)


if __name__ == "__main__":
    unittest.main(verbosity=2)
