#!/usr/bin/env python3
"""Sentinels of ours and Debian's redis-sentinel, over servers of both, in one quorum, and from each other's files."""
import pathlib
import re
import stat
import threading
import time
import unittest

from processes import (HOLDFAST, Client, Error, World, address_of, fields, sees, wait_for, wait_synced, watched)

NAME = "mymaster"

# A failover as its leader tells it.
STORY = ["+sdown master", "+odown master", "+try-failover", "+elected-leader", "+failover-state-select-slave",
         "+selected-slave", "+failover-state-send-slaveof-noone", "+failover-state-wait-promotion", "+promoted-slave",
         "+failover-state-reconf-slaves", "+failover-end", "+switch-master"]

# What redis-sentinel's documentation says its user on a data server needs.
LEAST_RIGHTS = ["+client", "+subscribe", "+publish", "+ping", "+info", "+multi", "+slaveof", "+config", "+exec",
                "&__sentinel__:hello"]


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
        down_after = 2500 if "original" in kinds else 1000
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
        text, at = leaders[0].log_text(), 0
        for event in STORY:
            at = text.find(event, at)
            self.assertGreaterEqual(at, 0, f"{leaders[0].name}: {event} is missing or out of order")

    def test_our_sentinel_over_real_servers(self):
        self.over_crash("original", ["original", "original"], ["ours"])

    def test_real_sentinel_over_our_servers(self):
        self.over_crash("ours", ["ours", "ours"], ["original"])

    def test_three_of_ours_and_two_real_ones_over_ours(self):
        self.over_crash("ours", ["ours", "ours"], ["ours", "original", "ours", "original", "ours"])

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

    def test_a_crash_is_replaced_at_once_unless_it_shall_not(self):
        """Without and with the original's timing, by three of ours with a patience of ten seconds."""
        primary, followers = self.servers("original", "ours", "original")
        sentinels = self.watch(primary, ["ours"] * 3, 2)
        for sentinel in sentinels:
            self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "down-after-milliseconds", 10000), "OK")
        wait_for("the others to be known as ours", lambda: all(self.ours_of(s) == 3 for s in sentinels))
        died = time.monotonic()
        primary.kill()
        wait_for("the switch", lambda: address_of(sentinels[0]) != primary.port, 5)
        self.assertLess(time.monotonic() - died, 5)
        new = self.by_port(followers, self.wait_switched(sentinels, primary))
        # The old primary is converted at first contact: long before the original's eight seconds.
        back = time.monotonic()
        primary.start()
        primary.wait_ready()
        wait_for("the old primary to be told", lambda: follows(primary, new), 5)
        self.assertLess(time.monotonic() - back, 5)
        for sentinel in sentinels:
            self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "fast-failover", "no", "down-after-milliseconds",
                                           3000), "OK")
            wait_for("everyone to be up", lambda s=sentinel: sees(s, NAME, replicas=2, sentinels=2), 30)
        died = time.monotonic()
        new.kill()
        wait_for("the switch", lambda: address_of(sentinels[0]) != new.port, 30)
        self.assertGreater(time.monotonic() - died, 2)

    def ours_of(self, sentinel):
        return int(fields(sentinel.call("SENTINEL", "EXT", "SHOW", NAME))["sentinels-of-ours"])

    def test_least_rights_and_renamed_commands_suffice(self):
        words = ["--rename-command", "CONFIG", "KONFIG", "--user", "watcher", "on", ">pw", "resetchannels", *LEAST_RIGHTS]
        primary = self.world.server("original", *words)
        follower = self.world.replica("original", primary, *words)
        wait_synced(primary, follower)
        extra = (f"sentinel auth-user {NAME} watcher\nsentinel auth-pass {NAME} pw\n"
                 f"sentinel rename-command {NAME} CONFIG KONFIG\n")
        (sentinel,) = self.watch(primary, ["ours"], 1, extra=extra)
        primary.kill()
        wait_for("the switch", lambda: address_of(sentinel) == follower.port)
        self.assertEqual(role(follower), "master")
        denied = [entry for entry in follower.call("ACL", "LOG")]
        self.assertEqual(denied, [], "the Sentinel asked for more than it may")

    def test_a_coordinated_failover_loses_no_write(self):
        primary, (follower,) = self.servers("original", "original")
        sentinels = self.watch(primary, ["ours"] * 3, 1)
        wait_for("the replica's link to be seen",
                 lambda: replicas(sentinels[0])[follower.port]["master-link-status"] == "ok", 30)
        writer = Counter([primary, follower])
        writer.start()
        wait_for("writes", lambda: writer.acknowledged > 100)
        self.assertEqual(sentinels[0].call("SENTINEL", "FAILOVER", NAME, "COORDINATED"), "OK")
        for sentinel in sentinels:
            wait_for("the switch", lambda s=sentinel: address_of(s) == follower.port)
        wait_for("the old primary to follow", lambda: follows(primary, follower))
        seen = writer.acknowledged
        wait_for("writes to go on", lambda: writer.acknowledged > seen + 100)
        writer.finish()
        counted = int(follower.call("GET", "counter"))
        # An increment whose connection broke may or may not have been made; an acknowledged one was.
        self.assertLessEqual(writer.acknowledged, counted)
        self.assertLessEqual(counted, writer.acknowledged + writer.unanswered)

    def lost_quorum(self, sentinel):
        reply = sentinel.call("SENTINEL", "CKQUORUM", NAME)
        return isinstance(reply, Error) and reply


class Counter(threading.Thread):
    """Increments a counter at whichever of two servers takes it."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers, self.acknowledged, self.unanswered, self.ended = servers, 0, 0, threading.Event()

    def run(self):
        at, client = 0, None
        while not self.ended.is_set():
            sent = False
            try:
                client = client or Client(self.servers[at].port, timeout=2)
                sent = True
                if isinstance(client.call("INCR", "counter"), int):
                    self.acknowledged += 1
                    continue
            except (OSError, EOFError):
                self.unanswered += 1 if sent else 0
            if client:
                client.close()
            at, client = 1 - at, None
        if client:
            client.close()

    def finish(self):
        self.ended.set()
        self.join()


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

    def exchange(self, sentinel, first):
        """The other make goes on from the file, and then the first one again; both know what was known."""
        before = self.knowledge(sentinel)
        taken, path = self.take_over(sentinel, "original" if first == "ours" else "ours")
        self.assertEqual(self.knowledge(taken), before)
        back, path = self.take_over(taken, first)
        self.assertEqual(self.knowledge(back), before)
        self.assertEqual(path.read_text().count("# kept by both"), 1)
        self.assertNotIn("???", path.read_text())
        return back

    def test_files_are_exchanged_after_every_change(self):
        for first in ("ours", "original"):
            with self.subTest(first=first):
                primary, followers = self.servers("ours", "original", "ours")
                sentinel, other, third = self.watch(primary, [first, "ours", "original"], 2, extra="# kept by both\n")
                sentinel = self.exchange(sentinel, first)  # of what was discovered
                words = ["parallel-syncs", 2, "auth-pass", "s3cret", "rename-command", "CONFIG", "KONFIG"]
                if first == "ours":
                    words += ["fast-failover", "no", "crash-confirm-milliseconds", 50]
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, *words), "OK")
                self.assertEqual(sentinel.call("SENTINEL", "MONITOR", "more", "127.0.0.1", followers[0].port, 1), "OK")
                sentinel = self.exchange(sentinel, first)  # of settings
                if first == "ours":
                    shown = fields(sentinel.call("SENTINEL", "EXT", "SHOW", NAME))
                    self.assertEqual((shown["fast-failover"], shown["crash-confirm-milliseconds"]), ("no", "50"))
                self.assertEqual(sentinel.call("SENTINEL", "SET", NAME, "auth-pass", "", "rename-command", "CONFIG",
                                               "CONFIG"), "OK")
                self.assertEqual(sentinel.call("SENTINEL", "REMOVE", "more"), "OK")
                for s in (sentinel, other, third):
                    wait_for("everyone to be up", lambda s=s: sees(s, NAME, replicas=2, sentinels=2), 30)
                primary.kill()
                new = self.by_port(followers, self.wait_switched([sentinel, other, third], primary))
                self.assertNotEqual(self.epoch(sentinel), "0")
                sentinel = self.exchange(sentinel, first)  # of a failover
                # And it still works in the quorum: the next crash is switched by all three.
                primary.start()
                primary.wait_ready()
                wait_for("the old primary to follow", lambda: follows(primary, new), 40)
                for s in (sentinel, other, third):
                    wait_for("everyone to be up", lambda s=s: sees(s, NAME, replicas=2, sentinels=2), 30)
                epoch = int(watched(sentinel)["config-epoch"])
                new.kill()
                newest = self.wait_switched([sentinel, other, third], new, 60)
                self.assertIn(newest, [s.port for s in (primary, *followers) if s is not new])
                self.assertGreater(int(watched(sentinel)["config-epoch"]), epoch)


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
