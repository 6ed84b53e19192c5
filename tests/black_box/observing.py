#!/usr/bin/env python3
"""What an operator watches - MONITOR, SLOWLOG, LATENCY, times in INFO - on our server and on the original at once."""
import re
import sys
import unittest

from processes import Client, World, wait_for

SECRETS = [
    ["AUTH", "secret"], ["AUTH", "someone", "secret"], ["HELLO", "2", "AUTH", "default", "secret", "SETNAME", "auth"],
    ["ACL", "SETUSER", "someone", "on", ">secret", "+@all"], ["CONFIG", "SET", "masterauth", "secret"],
    ["CONFIG", "SET", "maxmemory", "0", "MasterUser", "secret", "requirepass", ""],
]


class Both(unittest.TestCase):
    """Runs against both servers; `self.same(f)` is what f(server) answers for both."""

    def setUp(self):
        self.world = World()
        self.world.__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.servers = [self.world.server("ours"), self.world.server("original")]

    def same(self, observe):
        ours, original = (observe(server) for server in self.servers)
        self.assertEqual(ours, original)
        return ours


class Monitor(Both):
    def watch(self, server, commands, sender_protocol=None):
        """The lines a monitor gets for `commands`, without times and ports."""
        with server.client() as monitor, server.client() as sender:
            self.assertEqual(monitor.call("MONITOR"), "OK")
            for words in commands:
                sender.send(*words)
            sender.send("ECHO", "the end")
            lines = []
            while not lines or '"the end"' not in lines[-1]:
                lines.append(monitor._line().decode("latin1"))
            for line in lines:
                self.assertRegex(line, r"^\+\d{10}\.\d{6} \[\d+ (127\.0\.0\.1:\d+|lua)\] ")
            return [re.sub(r"^\+\S+ \[(\d+) (?:127\S+|(lua))\]", r"[\1 \2]", line) for line in lines]

    def test_shows_commands_as_they_run(self):
        lines = self.same(lambda server: self.watch(server, [
            ["SET", "a", "1"], ["set", b"\x00\xff\n\"\\", "2"], ["SELECT", "3"], ["GET", "a"], ["GET"], ["NOSUCH"], ["LPUSH", "a", ""],
            ["MULTI"], ["INCR", "n"], ["NOSUCH"], ["EXEC"], ["MULTI"], ["INCR", "n"], ["GET", "n"], ["EXEC"],
            ["MULTI"], ["SET", "x", "1"], ["DISCARD"], ["WATCH", "n"], ["EXEC"],
            ["CONFIG", "GET", "port"], ["CLIENT", "LIST"], ["DEBUG", "SLEEP", "0"], ["PING"], ["SUBSCRIBE", "x"], ["UNSUBSCRIBE"],
        ]))
        self.assertIn('[0 ] "SET" "a" "1"', lines)
        self.assertFalse([line for line in lines if "CONFIG" in line])

    def test_shows_a_script_before_its_commands(self):
        lines = self.same(lambda server: self.watch(server, [
            ["EVAL", "redis.call('set', KEYS[1], 1) return redis.pcall('incr', KEYS[1])", "1", "k"],
            ["EVALSHA", "0" * 40, "0"],
            ["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return redis.call('ping') end)"],
            ["FCALL", "f", "0"], ["MULTI"], ["EVAL", "return redis.call('get', 'k')", "0"], ["EXEC"]]))
        self.assertIn('[0 lua] "set" "k" "1"', lines)

    def test_hides_what_is_secret(self):
        lines = self.same(lambda server: self.watch(server, [words for words in SECRETS if words[0] in ("AUTH", "HELLO")]))
        self.assertFalse([line for line in lines if "secret" in line])

    def test_a_monitor_reads_no_keys(self):
        def observe(server):
            with server.client() as monitor:
                answers = [monitor.call("MONITOR"), monitor.call("GET", "a"), monitor.call("SET", "a", "1")]
                flags = re.search(r"flags=(\S+)", server.call("CLIENT", "LIST").decode()).group(1)
                monitor.send("RESET")
                while (line := monitor.read()) != "RESET":
                    answers.append(re.sub(r"^.*\] ", "", line))
                server.call("ECHO", "not shown")
                return answers, flags, monitor.call("SET", "a", "1"), monitor.call("MULTI"), monitor.call("MONITOR"), monitor.call("EXEC")
        self.same(observe)

    def test_a_blocked_command_is_shown_once(self):
        def observe(server):
            with server.client() as waiter, server.client() as monitor:
                monitor.call("MONITOR")
                waiter.send("BLPOP", "list", "0")
                wait_for("the client to wait", lambda: server.info("clients")["blocked_clients"] == "1")
                server.call("RPUSH", "list", "x")
                self.assertEqual(waiter.read(), [b"list", b"x"])
                server.call("ECHO", "end")
                lines = []
                while not lines or "end" not in lines[-1]:
                    lines.append(re.sub(r"^.*\] ", "", monitor._line().decode()))
                return [line for line in lines if "INFO" not in line]
        self.same(observe)


class SlowLog(Both):
    def entries(self, server, *words):
        with server.client() as client:
            entries = client.call("SLOWLOG", "GET", *words)
        if not isinstance(entries, list):
            return entries
        for entry in entries:
            self.assertRegex(entry[4].decode(), r"^(127\.0\.0\.1:\d+|\?:0)$")
        return [[entry[0], entry[3], entry[5]] for entry in entries]

    def test_entries_and_their_cuts(self):
        def observe(server):
            with server.client() as client:
                client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
                client.call("SLOWLOG", "RESET")
                client.call("CLIENT", "SETNAME", "me")
                for words in ([["PING"], ["SADD", "set", *map(str, range(31))], ["SADD", "set", *map(str, range(40))],
                               ["SET", "k", "x" * 128], ["SET", "k", "x" * 129], ["MULTI"], ["GET", "k"], ["EXEC"], ["GET"], ["NOSUCH"],
                               ["EVAL", "return redis.call('get', 'k')", "0"], ["GETSET", "k", "y"], ["SET", "k", "1", "EX", "100"]]):
                    client.call(*words)
                out = [self.entries(server, "-1"), self.entries(server), self.entries(server, "2"), self.entries(server, "0")]
                out += [self.entries(server, "-2"), self.entries(server, "x"), client.call("SLOWLOG", "LEN")]
                client.call("CONFIG", "SET", "slowlog-max-len", "3")
                out += [client.call("SLOWLOG", "LEN"), self.entries(server, "-1")]
                client.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
                out += [client.call("SLOWLOG", "RESET"), client.call("PING"), client.call("SLOWLOG", "LEN")]
                return out
        self.same(observe)

    def test_hides_what_is_secret(self):
        def observe(server):
            with server.client() as client:
                client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
                client.call("SLOWLOG", "RESET")
                for words in SECRETS:
                    client.call(*words)
                return self.entries(server, "-1")
        self.assertNotIn("secret", str(self.same(observe)))

    def test_how_long_it_took(self):
        for server in self.servers:
            with server.client() as client:
                client.call("DEBUG", "SLEEP", "0.05")
                client.call("SET", "k", "v")
                entry = client.call("SLOWLOG", "GET")[0]
                self.assertEqual(entry[3], [b"DEBUG", b"SLEEP", b"0.05"])
                self.assertGreaterEqual(entry[2], 50_000)
                self.assertLess(entry[2], 5_000_000)

    def test_time_of_a_wait_does_not_count(self):
        for server in self.servers:
            with server.client() as waiter, server.client() as client:
                client.call("CONFIG", "SET", "slowlog-log-slower-than", "300000")
                waiter.send("BLPOP", "list", "0.4")
                self.assertIsNone(waiter.read())
                self.assertEqual(client.call("SLOWLOG", "LEN"), 0)


class Times(Both):
    def test_commandstats_and_latencystats(self):
        def observe(server):
            with server.client() as client:
                client.call("CONFIG", "RESETSTAT")
                client.call("DEBUG", "SLEEP", "0.02")
                for _ in range(5):
                    client.call("SET", "k", "v")
                client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "0 12.5 100")
                stats = client.info("commandstats")
                usec = int(re.search(r"usec=(\d+)", stats["cmdstat_debug"]).group(1))
                self.assertTrue(20_000 <= usec < 5_000_000, usec)
                lines = client.info("latencystats")
                slowest = float(re.search(r"p100=([\d.]+)", lines["latency_percentiles_usec_debug"]).group(1))
                self.assertTrue(20_000 <= slowest < 5_000_000, slowest)
                shape = {name: re.sub(r"=[\d.]+", "=N", value) for name, value in (stats | lines).items()
                         if re.search("set|debug", name)}
                answers = [client.call("CONFIG", "SET", "latency-tracking-info-percentiles", words) for words in ("101", "x", "-1", "")]
                answers.append(client.info("latencystats").get("latency_percentiles_usec_set"))
                client.call("CONFIG", "SET", "latency-tracking", "no")
                return shape, answers, client.info("latencystats")
        self.same(observe)

    def test_histogram(self):
        def observe(server):
            with server.client() as client:
                client.call("HELLO", "3")
                client.call("CONFIG", "RESETSTAT")
                for _ in range(7):
                    client.call("SET", "k", "v")
                client.call("CLIENT", "ID")
                client.call("CLIENT", "GETNAME")
                one = client.call("LATENCY", "HISTOGRAM", "set", "nosuch", "get")
                self.assertEqual(one[b"set"][b"calls"], 7)
                levels = one[b"set"][b"histogram_usec"]
                self.assertTrue(set(levels) <= {1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633,
                                                135266, 270532, 541065}, levels)
                self.assertEqual(max(levels.values()), 7)
                names = lambda *words: sorted(client.call("LATENCY", "HISTOGRAM", *words))
                return names("client"), names("client|id"), names("set"), [n for n in names() if n not in (b"hello",)]
        self.same(observe)

    def test_spikes(self):
        def observe(server):
            with server.client() as client:
                answers = [client.call("LATENCY", "LATEST"), client.call("LATENCY", "HISTORY", "command")]
                client.call("DEBUG", "SLEEP", "0.03")
                answers.append(client.call("LATENCY", "LATEST"))
                client.call("CONFIG", "SET", "latency-monitor-threshold", "20")
                client.call("DEBUG", "SLEEP", "0.03")
                (name, at, last, worst), = client.call("LATENCY", "LATEST")
                now = int(client.call("TIME")[0])
                self.assertTrue(now - 60 <= at <= now and 30 <= last == worst < 5000, (at, last, worst))
                self.assertEqual(client.call("LATENCY", "HISTORY", "command"), [[at, last]])
                graph = client.call("LATENCY", "GRAPH", "command").decode().splitlines()
                self.assertRegex(graph[0], r"^command - high \d+ ms, low \d+ ms \(all time high \d+ ms\)$")
                self.assertIn(b"1. command: 1 latency spikes", client.call("LATENCY", "DOCTOR"))
                answers += [name, graph[1:6], client.call("LATENCY", "GRAPH", "none"), client.call("LATENCY", "HISTORY", "none")]
                answers += [client.call("LATENCY", "RESET", "none"), client.call("LATENCY", "RESET", "COMMAND", "command")]
                answers += [client.call("LATENCY", "RESET"), client.call("LATENCY", "LATEST"), client.call("LATENCY", "NOSUCH")]
                return answers
        self.same(observe)


if __name__ == "__main__":
    sys.exit(unittest.main())
