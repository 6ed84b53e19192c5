#!/usr/bin/env python3
"""One test for each root of the holes Redis had: what opened them there gets a plain answer here, and the server lives.

Named after the CVE numbers. A test fails as well if the server ended, was restarted or wrote a crash report meanwhile.
"""
import contextlib
import os
import socket
import ssl
import stat
import subprocess
import time
import unittest

from processes import Client, Error, World, free_port, wait_for

MIN64, MAX64 = "-9223372036854775808", "9223372036854775807"


def crc_table():
    """CRC-64 as in RDB files: polynomial 0xad93d23594c935a9, reflected."""
    polynomial = int(f"{0xad93d23594c935a9:064b}"[::-1], 2)
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


CRC = crc_table()


def signed(payload):
    """The payload with the checksum it should have."""
    crc = 0
    for byte in payload[:-8]:
        crc = CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return payload[:-8] + crc.to_bytes(8, "little")


class Holes(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.world = World()
        self.world.__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.server = self.world.server("ours", *self.OPTIONS)
        self.client = self.server.client(timeout=60)
        self.addCleanup(self.client.close)
        self.call = self.client.call

    def tearDown(self):
        self.assertEqual(self.server.call("PING"), "PONG")
        self.assertTrue(self.server.running())
        self.assertNotIn("BUG REPORT", self.server.log_text())

    def eval(self, text, *words):
        return self.call("EVAL", text, 0, *words)

    def refused(self, reply, part=""):
        self.assertIsInstance(reply, Error)
        self.assertIn(part, reply)


class Interpreter(Holes):
    def test_cve_2025_49844_the_parser_keeps_what_it_reads(self):
        for size in (10, 1000, 20000):
            names = " ".join(f"local n{i} = 'text{i}'" for i in range(150))
            text = f"-- {'c' * size}\n{names} collectgarbage('collect') return #string.rep('x', {size})"
            self.assertEqual(self.eval(text), size)
        for i in range(300):
            self.eval(f"return loadstring('return \"{'k' * 50}{i}\"')()")

    def test_cve_2024_46981_nothing_runs_when_garbage_is_collected(self):
        self.refused(self.eval("return newproxy(true)"), "newproxy")
        self.assertEqual(self.eval("local t = setmetatable({}, {__gc = function() redis.call('set', 'gc', 1) end}) t = nil collectgarbage() "
                                   "return redis.call('exists', 'gc')"), 0)
        for _ in range(100):
            self.eval("local t = {} for i = 1, 1000 do t[i] = {} end return 1")
            self.call("SCRIPT", "FLUSH", "ASYNC")

    def test_cve_2022_24834_cjson_of_large_strings(self):
        self.assertEqual(self.eval("return #cjson.encode(string.rep('\\0', 20000000))"), 120000002)

    def test_cve_2024_31449_bit_tohex_of_the_smallest_integer(self):
        self.assertEqual(self.eval("return bit.tohex(65535, -2147483648)"), b"0000FFFF")
        self.assertEqual(self.eval("return bit.tohex(255, 2147483647)"), b"000000ff")

    def test_cve_2021_32626_nesting(self):
        for build in ("cjson.decode(string.rep('[', 100000))", "cmsgpack.unpack(string.rep('\\145', 100000))",
                      "(function() local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t) end)()",
                      "(function() local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t) end)()",
                      "(function() local function f(n) return f(n + 1) + 1 end return f(1) end)()",
                      "string.rep('(', 100000)", "loadstring('return ' .. string.rep('(', 100000))", "string.find(string.rep('a', 100000), string.rep('(', 40))",
                      "struct.pack(string.rep('i', 200000), 1)"):
            self.eval(f"return {build}")
            self.assertEqual(self.call("PING"), "PONG", build)
        self.eval("return {" * 5000 + "}" * 5000)
        with self.server.client() as deep:
            deep.send("EVAL", "local t = {} for i = 1, 100000 do t = {t} end return t", 0)
            self.assertTrue(deep.socket.recv(1))

    def test_cve_2025_46817_unpack_of_huge_ranges(self):
        for bounds in ("0, 2147483647", "-2147483648, 2147483647", "1, 1e9", "0, 1e308", "-1e308, 1e308", "2147483647, -2147483648"):
            self.eval(f"return {{unpack({{}}, {bounds})}}")
        self.assertEqual(self.eval("return {unpack({1, 2, 3}, 2, 3)}"), [2, 3])

    def test_cve_2025_46819_unfinished_long_brackets(self):
        for text in ("[" + "=" * 100000, "return [" + "=" * 70000 + "[x", "--[" + "=" * 100000, "return [=[x]" + "=" * 100000, "[=", "--[=", "return [[x", "'\\", '"\\x', "return 'a\\999'"):
            self.eval(text)
            self.assertEqual(self.call("PING"), "PONG")

    def test_cve_2022_24735_2025_46818_nobody_changes_what_others_run_with(self):
        for text in ("string.lower = nil", "redis.call = print", "_G.x = 1", "y = 1", "rawset(_G, 'z', 1)", "table.insert(string, 1)",
                     "getmetatable('').__index = function() return 'owned' end", "getmetatable(1)",
                     "setmetatable(_G, {})", "setmetatable(string, {})", "getmetatable(_G).__newindex = nil", "KEYS.x = 1 return getfenv(0).a.b",
                     "setfenv(0, {})", "debug.sethook()", "cjson.encode = nil", "rawset(redis, 'call', 1)", "rawset(getmetatable(_G) or {}, '__index', 1)"):
            self.eval(text)
        self.assertEqual(self.eval("return {('A'):lower(), type(redis.call), type(cjson.encode), tostring(rawget(_G, 'z')), ('x'):rep(2)}"),
                         [b"a", b"function", b"function", b"nil", b"xx"])

    def test_cve_2022_24736_odd_scripts_end_with_an_error(self):
        for text in ("", "return", "#!lua", "#!lua name=", "#!js\nreturn 1", "#!lua flags=nosuch\nreturn 1", "\0", "return \0", "\x1bLua", "goto x"):
            self.eval(text)
            self.call("FUNCTION", "LOAD", text)

    def test_cve_2022_0543_no_way_to_the_system(self):
        for name in ("package", "io", "require", "dofile", "loadfile", "module", "debug", "os.execute", "os.getenv", "os.exit", "os.remove", "print"):
            reply = self.eval(f"return type({name})")
            self.assertTrue(reply == b"nil" or isinstance(reply, Error), name)
        self.assertNotIsInstance(self.eval("return type(loadstring(string.dump(function() end)))"), int)
        self.assertEqual(self.eval("return loadstring('\\27Lua')"), None)

    def test_cve_2021_32672_there_is_no_debugger(self):
        self.refused(self.call("SCRIPT", "DEBUG", "YES"))
        self.refused(self.call("SCRIPT", "DEBUG", "SYNC"))

    def test_cve_2025_67733_an_error_is_one_line(self):
        for text in ("return redis.error_reply('E x\\r\\n+injected')", "return {err = 'E x\\r\\n$1\\r\\nx'}", "error('x\\r\\n:1')",
                     "return redis.status_reply('x\\r\\n+injected')", "return {ok = 'x\\n+injected'}", "error({err = 'x\\r\\n:1'})",
                     "return redis.call('nosuch\\r\\n+injected')"):
            reply = self.eval(text)
            self.assertIsInstance(reply, str)
            self.assertEqual(self.call("ECHO", "in step"), b"in step", text)


class Lengths(Holes):
    def test_cve_2021_21309_32761_2022_35977_offsets_beyond_everything(self):
        for value in (MIN64, MAX64, "4294967296", "-4294967297", "2147483648", "18446744073709551615", "536870912"):
            for words in (["SETRANGE", "k", value, "x"], ["GETRANGE", "k", value, value], ["SETBIT", "k", value, "1"],
                          ["BITFIELD", "k", "SET", "u8", value, "1"], ["BITFIELD", "k", "SET", "u8", "#" + value, "1"],
                          ["BITCOUNT", "k", value, value], ["BITPOS", "k", "1", value, value], ["SORT", "l", "LIMIT", value, value],
                          ["LRANGE", "l", value, value], ["LINSERT", "l", "BEFORE", value, "x"], ["LPOP", "l", value], ["SPOP", "s", value],
                          ["ZRANGE", "z", value, value], ["ZRANGE", "z", "0", "1", "BYSCORE", "LIMIT", value, value],
                          ["ZRANGEBYLEX", "z", "-", "+", "LIMIT", value, value], ["ZPOPMIN", "z", value], ["LMPOP", "1", "l", "LEFT", "COUNT", value],
                          ["LMPOP", value, "l", "LEFT"], ["ZUNION", value, "z"], ["SINTERCARD", value, "s"], ["EVAL", "return 1", value, "k"],
                          ["XRANGE", "x", "-", "+", "COUNT", value], ["XTRIM", "x", "MAXLEN", value], ["SCAN", value, "COUNT", value],
                          ["CLIENT", "PAUSE", "0", value], ["SELECT", value], ["EXPIRE", "k", value], ["RESTORE", "r", value, "x"],
                          ["LPOS", "l", "x", "RANK", value], ["GEOSEARCH", "z", "FROMLONLAT", "0", "0", "BYRADIUS", "1", "m", "COUNT", value]):
                self.call("DEL", "k")
                self.call("RPUSH", "l", "x")
                self.call("SADD", "s", "x")
                self.call("ZADD", "z", "1", "x")
                self.call("XADD", "x", "1-*", "a", "b")
                self.call(*words)
                self.assertLess(self.call("STRLEN", "k"), 600_000_000)
        self.call("CONFIG", "SET", "proto-max-bulk-len", MAX64)
        self.refused(self.call("SETRANGE", "k", MAX64, "x"))
        with self.server.client() as raw:
            raw.send_raw(b"*2\r\n$4\r\nECHO\r\n$9223372036854775807\r\nx")
            self.assertEqual(self.call("PING"), "PONG")

    def test_cve_2021_29477_32625_lcs(self):
        self.call("SET", "a", "x" * 60000)
        self.call("SET", "b", "y" * 60000)
        for words in (["LCS", "a", "b"], ["LCS", "a", "b", "LEN"], ["LCS", "a", "b", "IDX"]):
            with contextlib.suppress(TimeoutError):
                self.call(*words)

    def test_cve_2021_29478_32687_sets_of_integers_beyond_their_bound(self):
        self.call("CONFIG", "SET", "set-max-intset-entries", "2147483647")
        for i in range(0, 100000, 1000):
            self.call("SADD", "s", *range(i, i + 1000))
        self.assertEqual(self.call("SCARD", "s"), 100000)
        self.assertEqual(self.call("OBJECT", "ENCODING", "s"), b"intset")
        self.assertEqual(self.call("DEBUG", "RELOAD"), "OK")
        self.assertEqual(self.call("SCARD", "s"), 100000)

    def test_cve_2021_32627_32628_41099_large_elements_of_compact_forms(self):
        for name, value in (("hash-max-listpack-value", "2147483647"), ("zset-max-listpack-value", "2147483647"),
                            ("set-max-listpack-value", "2147483647"), ("list-max-listpack-size", "2147483647"), ("stream-node-max-bytes", "9223372036854775807")):
            self.assertEqual(self.call("CONFIG", "SET", name, value), "OK")
        large = "x" * 20_000_000
        self.call("HSET", "h", "f", large)
        self.call("ZADD", "z", "1", large)
        self.call("SADD", "s", large)
        self.call("RPUSH", "l", large, "1")
        self.call("XADD", "x", "1-1", "f", large)
        digest = self.call("DEBUG", "DIGEST")
        self.assertEqual(self.call("DEBUG", "RELOAD"), "OK")
        self.assertEqual(self.call("DEBUG", "DIGEST"), digest)

    def test_cve_2023_22458_2023_25155_counts_of_random_members(self):
        self.call("HSET", "h", "a", "1")
        self.call("ZADD", "z", "1", "a")
        self.call("SADD", "s", "a")
        for name, key in (("HRANDFIELD", "h"), ("ZRANDMEMBER", "z"), ("SRANDMEMBER", "s")):
            for count in (MIN64, "9223372036854775808"):
                self.refused(self.call(name, key, count))
            # With two words for each it is the double that has to be counted.
            for count in (MIN64, "-9223372036854775807", "-4611686018427387905", "-4611686018427387904", "9223372036854775808"):
                for extra in ("WITHVALUES", "WITHSCORES"):
                    self.refused(self.call(name, key, count, extra))
            self.assertEqual(self.call(name, key, "4611686018427387903"), [b"a"])

    def test_cve_2021_32762_a_reply_with_too_many_elements(self):
        """Of a primary: the one who reads replies here is the replication link."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.call("REPLICAOF", "127.0.0.1", listener.getsockname()[1])
            for answer in (b"*4294967297\r\n", b"*1073741825\r\n$1\r\n", b"$9223372036854775807\r\n", b"$-9223372036854775808\r\n"):
                peer, _ = listener.accept()
                with peer:
                    with contextlib.suppress(OSError):
                        peer.recv(1000)
                        peer.sendall(answer)
                        peer.settimeout(0.5)
                        peer.recv(1000)
            self.call("REPLICAOF", "NO", "ONE")


class Payloads(Holes):
    def test_cve_2026_25243_damaged_payloads_of_restore(self):
        self.call("RPUSH", "list", *range(200))
        self.call("HSET", "hash", *range(20))
        self.call("ZADD", "zset", "1", "a", "2", "b")
        self.call("SADD", "set", "1", "2", "x")
        for i in range(10):
            self.call("XADD", "stream", f"{i + 1}-1", "a", str(i))
        self.call("XGROUP", "CREATE", "stream", "g", "0")
        self.call("XREADGROUP", "GROUP", "g", "c", "COUNT", "5", "STREAMS", "stream", ">")
        for key in ("list", "hash", "zset", "set", "stream"):
            payload = self.call("DUMP", key)
            for at in range(0, len(payload) - 10, max(1, len(payload) // 400)):
                for bad in (0, 0xFF, payload[at] ^ 0x40, payload[at] ^ 1):
                    damaged = signed(payload[:at] + bytes([bad]) + payload[at + 1:])
                    if self.call("RESTORE", "damaged", "0", damaged, "REPLACE") == "OK":
                        self.call("DEBUG", "DIGEST-VALUE", "damaged")
                        self.call("COPY", "damaged", "copied", "REPLACE")
                        self.call("XAUTOCLAIM", "damaged", "g", "d", "0", "0")
        self.assertEqual(self.call("DEBUG", "RELOAD"), "OK")

    def stream_payload(self):
        self.call("DEL", "x")
        for i in range(3):
            self.call("XADD", "x", f"{i + 1}-1", "a", "b")
        self.call("XGROUP", "CREATE", "x", "g", "0")
        self.call("XREADGROUP", "GROUP", "g", "one", "COUNT", "1", "STREAMS", "x", ">")
        self.call("XREADGROUP", "GROUP", "g", "two", "COUNT", "1", "STREAMS", "x", ">")
        return self.call("DUMP", "x")

    def test_cve_2026_63639_an_entry_pending_for_two_consumers(self):
        payload = self.stream_payload()
        ids = [(i).to_bytes(8, "big") + (1).to_bytes(8, "big") for i in (1, 2)]
        # The second consumer's own list, the last place of its id, names what the first one has.
        at = payload.rindex(ids[1])
        shared = signed(payload[:at] + ids[0] + payload[at + 16:])
        reply = self.call("RESTORE", "shared", "0", shared, "REPLACE")
        self.refused(reply, "Bad data format")

    def test_cve_2022_31144_2022_35951_xautoclaim(self):
        self.stream_payload()
        self.call("XDEL", "x", "1-1", "2-1")
        for count in ("0", "-1", "1", MAX64, "576460752303423488", MIN64, "4611686018427387903"):
            self.call("XAUTOCLAIM", "x", "g", "three", "0", "0", "COUNT", count)
        self.call("XAUTOCLAIM", "x", "g", "three", "0", "0", "COUNT", "100")
        self.assertEqual(self.call("XPENDING", "x", "g")[0], 0)

    def test_cve_2025_62507_many_ids(self):
        self.stream_payload()
        self.refused(self.call("XACKDEL", "x", "g", "IDS", "100", *["1-1"] * 100), "unknown command")
        self.assertEqual(self.call("XACK", "x", "g", *["1-1"] * 5000), 1)
        self.assertEqual(self.call("XDEL", "x", *["1-1"] * 5000), 1)

    def test_cve_2025_32023_runs_beyond_the_registers(self):
        head = b"HYLL\x01\0\0\0" + b"\0" * 7 + b"\x80"
        for runs in (b"\x7f\xff" * 2, b"\x7f\xff\x83" * 3, b"\x7f\xff" + b"\xff" * 200, b"\xff" * 20000, b"\x7f", b"\x80", b"\x40"):
            self.call("SET", "hll", head + runs)
            for words in (["PFCOUNT", "hll"], ["PFADD", "hll", "a", "b"], ["PFMERGE", "to", "hll"], ["PFDEBUG", "GETREG", "hll"], ["PFDEBUG", "TODENSE", "hll"]):
                self.call(*words)


class Lifetimes(Holes):
    OPTIONS = ("--maxmemory-clients", "1mb", "--busy-reply-threshold", "50")

    def test_cve_2026_23479_evicted_while_it_is_unblocked(self):
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(self.server.client()) for _ in range(20)]
            for round in range(20):
                for one in waiting:
                    with contextlib.suppress(OSError, EOFError):
                        one.send("BLPOP", "list", "0")
                        one.send_raw(b"*2\r\n$4\r\nECHO\r\n$400000\r\n" + b"x" * 100_000)
                self.call("RPUSH", "list", *["x" * 1000] * 30)
                waiting = [stack.enter_context(self.server.client()) for _ in range(20)]
        self.assertGreater(int(self.client.info("stats")["evicted_clients"]), 0)

    def test_cve_2026_23631_a_copy_begins_while_a_script_runs(self):
        other = self.world.server("ours")
        other.call("SET", "k", "other")
        with self.server.client(timeout=60) as script:
            script.send("EVAL", "local n = redis.call('incr', 'n') while redis.call('time') do end", 0)
            wait_for("a busy server", lambda: str(self.call("GET", "n")).startswith("BUSY"))
            replica = self.world.replica("ours", self.server, port=free_port())
            self.refused(self.call("REPLICAOF", "127.0.0.1", other.port), "BUSY")
            with self.server.client() as asking:
                asking.send("PSYNC", "?", "-1")
                self.call("SCRIPT", "KILL")
                with self.server.client() as stopper:
                    stopper.send("SHUTDOWN", "NOSAVE")
                    self.server.popen.wait(20)
        self.assertNotIn("BUG REPORT", self.server.log_text())
        replica.stop()
        self.server.start()
        self.server.wait_ready()


class Tls(Holes):
    def setUp(self):
        self.world = World()
        self.world.__enter__()
        self.addCleanup(self.world.__exit__, None)
        directory = self.world.place("certificates")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                        directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True)
        self.tls_port = free_port()
        self.server = self.world.server("ours", "--tls-port", self.tls_port, "--tls-cert-file", directory / "cert.pem", "--tls-key-file",
                                        directory / "key.pem", "--tls-ca-cert-file", directory / "cert.pem", "--tls-auth-clients", "no")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def test_cve_2026_56684_killed_amid_pending_bytes(self):
        for round in range(30):
            with Client(self.tls_port, tls=self.context) as victim, self.server.client() as killer:
                number = victim.call("CLIENT", "ID")
                victim.send_raw(b"".join(b"*2\r\n$4\r\nECHO\r\n$16000\r\n" + b"x" * 16000 + b"\r\n" for _ in range(20)))
                killer.call("CLIENT", "KILL", "ID", number)
                victim2 = Client(self.tls_port, tls=self.context)
                victim2.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
                with contextlib.suppress(EOFError, OSError):
                    victim2.read()
                victim2.close()


class Exhaustion(Holes):
    OPTIONS = ("--requirepass", "secret", "--maxclients", "50")

    def setUp(self):
        super().setUp()
        self.assertEqual(self.call("AUTH", "secret"), "OK")

    def tearDown(self):
        self.assertEqual(self.call("PING"), "PONG")
        self.assertNotIn("BUG REPORT", self.server.log_text())

    def test_cve_2025_21605_answers_to_strangers_are_bounded(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as stranger:
            stranger.settimeout(5)
            with self.assertRaises(OSError):
                while True:
                    stranger.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 1000)
        self.assertIn("overcoming of output buffer limits", self.server.log_text())

    def test_cve_2021_32675_arguments_of_strangers_are_bounded(self):
        for data, part in ((b"*11\r\n", b"unauthenticated multibulk length"), (b"*1\r\n$16385\r\n", b"unauthenticated bulk length")):
            with socket.create_connection(("127.0.0.1", self.server.port)) as stranger:
                stranger.settimeout(5)
                stranger.sendall(data)
                self.assertIn(part, stranger.recv(1000))

    def test_cve_2025_48367_one_bad_connection_stops_nobody(self):
        for _ in range(300):
            s = socket.create_connection(("127.0.0.1", self.server.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        with contextlib.ExitStack() as stack:
            for _ in range(100):  # twice maxclients
                stack.enter_context(socket.create_connection(("127.0.0.1", self.server.port)))
            self.assertEqual(self.call("PING"), "PONG")
        def accepted():
            with self.server.client() as client:
                return client.call("AUTH", "secret") == "OK"
        wait_for("connections to be taken again", accepted)

    def test_cve_2022_36021_2024_31228_patterns_take_no_time(self):
        key = "a" * 100
        self.call("SET", key, "1")
        patterns = ["*a" * 50 + "b", "*" * 100_000 + "b", "a*" * 200 + "b", "\\" * 50000, "[" * 50000, "[a-" * 10000, "?" * 100_000, "*?" * 5000]
        for pattern in patterns:
            started = time.monotonic()
            for words in (["KEYS", pattern], ["SCAN", "0", "MATCH", pattern, "COUNT", "1000"], ["PUBSUB", "CHANNELS", pattern], ["CONFIG", "GET", pattern],
                          ["ACL", "SETUSER", "u", f"~{pattern}"], ["PSUBSCRIBE", pattern], ["PUNSUBSCRIBE", pattern], ["FUNCTION", "LIST", "LIBRARYNAME", pattern]):
                self.call(*words)
            self.assertLess(time.monotonic() - started, 10, pattern[:20])

    def test_cve_2023_41056_replies_of_every_size(self):
        for size in list(range(16300, 16500)) + [1 << 15, 1 << 16, (1 << 20) - 1]:
            self.client.send("ECHO", "x" * size)
            self.client.send("PING")
            self.assertEqual(len(self.client.read()), size)
            self.assertEqual(self.client.read(), "PONG")

    def test_cve_2023_45145_a_socket_nobody_else_may_open(self):
        path = self.world.place("socket") / "redis.sock"
        old = os.umask(0)
        try:
            port = free_port()
            watcher = subprocess.Popen(["sh", "-c", f"while ! test -S {path}; do :; done; stat -c %a {path}"], stdout=subprocess.PIPE)
            self.world.server("ours", "--unixsocket", path, "--unixsocketperm", "700", port=port)
            first = watcher.communicate(timeout=20)[0].decode().strip()
        finally:
            os.umask(old)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        self.assertEqual(int(first, 8) & 0o077, 0, "others could open it for a moment")


class Permissions(Holes):
    def as_user(self, *rules):
        self.assertEqual(self.call("ACL", "SETUSER", "u", "reset", "on", "nopass", *rules), "OK")
        client = self.server.client()
        self.addCleanup(client.close)
        self.assertEqual(client.call("AUTH", "u", "x"), "OK")
        return client.call

    def test_cve_2023_36824_keys_of_every_command_are_found(self):
        call = self.as_user("+@all", "~allowed")
        for words in (["BITOP", "AND", "allowed", "secret"], ["ZUNIONSTORE", "allowed", "2", "allowed", "secret"], ["SORT", "allowed", "STORE", "secret"],
                      ["GEORADIUS", "allowed", "0", "0", "1", "m", "STORE", "secret"], ["XREAD", "STREAMS", "allowed", "secret", "0", "0"], ["BLMPOP", "1", "2", "allowed", "secret", "LEFT"],
                      ["EVAL", "return redis.call('get', 'secret')", "1", "allowed"], ["EVAL", "return 1", "2", "allowed", "secret"], ["MIGRATE", "h", "1", "", "0", "1", "KEYS", "secret"],
                      ["COPY", "allowed", "secret"], ["LMOVE", "allowed", "secret", "LEFT", "LEFT"], ["SINTERCARD", "2", "allowed", "secret"], ["PFMERGE", "allowed", "secret"],
                      ["COMMAND", "GETKEYS", "EVAL", "return 1", MAX64, "a"], ["COMMAND", "GETKEYS", "MGET"], ["COMMAND", "GETKEYS", "ZUNION", "-1", "a"]):
            self.refused(call(*words))

    def test_cve_2023_41053_sort_ro_reads_one_key_only(self):
        self.call("RPUSH", "allowed", "1", "2")
        self.call("SET", "secret1", "stolen")
        call = self.as_user("+@all", "~allowed")
        for name in ("SORT", "SORT_RO"):
            self.refused(call(name, "allowed", "BY", "secret*"))
            self.refused(call(name, "allowed", "GET", "secret*"))
            self.refused(call(name, "secret"))
            self.assertEqual(call(name, "allowed"), [b"1", b"2"])

    def test_cve_2024_31227_selectors_that_make_no_sense(self):
        for rules in (["(", "x"], ["()"], ["(%)"], ["(%R~)"], ["(%RW~k"], ["(&"], ["(~a) ~b)"], ["%"], ["%~x"], ["(+@all ~x) (-@all"], ["clearselectors", "(((("], ["(%R"]):
            self.call("ACL", "SETUSER", "odd", *rules)
            self.call("ACL", "GETUSER", "odd")
            self.call("ACL", "LIST")


class Values(Holes):
    def test_cve_2023_28425_msetnx_of_one_key_twice(self):
        self.assertEqual(self.call("MSETNX", "a", "1", "a", "2"), 1)
        self.assertEqual(self.call("GET", "a"), b"2")

    def test_cve_2023_28856_no_field_becomes_a_non_number(self):
        self.call("HSET", "h", "f", "1", "i", "inf")
        for value in ("nan", "-nan", "inf", "-inf", "+inf"):
            self.refused(self.call("HINCRBYFLOAT", "h", "f", value))
            self.call("HINCRBYFLOAT", "h", "i", value)
            self.call("INCRBYFLOAT", "k", value)
            self.call("ZINCRBY", "z", value, "m")
        self.assertEqual(self.call("HGET", "h", "f"), b"1")
        self.assertEqual(self.call("DEBUG", "RELOAD"), "OK")


if __name__ == "__main__":
    unittest.main(verbosity=1)
