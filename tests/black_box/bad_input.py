#!/usr/bin/env python3
"""What arrives broken: requests, files, hellos. A clear error in the original's words; never a crash, a hang or growth."""
import contextlib
import os
import pathlib
import random
import re
import select
import socket
import subprocess
import threading
import time
import unittest

import processes
from processes import Client, Error, HOLDFAST, World, free_port, wait_for, watched

MB = 1 << 20


def resident(pid):
    """Bytes."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def exchange(port, data, seconds=5.0, prologue=b"", quiet=0.3):
    """What comes back for the bytes, and whether the peer closed; an open connection is left after a quiet moment."""
    out = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        try:
            s.sendall(prologue + data)
            s.settimeout(quiet)
            while True:
                piece = s.recv(65536)
                if not piece:
                    return out, True
                out += piece
        except TimeoutError:
            return out, False
        except (ConnectionResetError, BrokenPipeError):
            return out, True


class WellBehaved:
    """A client that keeps writing and reading in a thread; `check` fails if it was ever refused or kept waiting."""

    def __init__(self, port, call=("PING",), answer="PONG"):
        self.port, self.words, self.answer = port, call, answer
        self.calls, self.longest, self.error, self.ending = 0, 0.0, None, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with Client(self.port, timeout=10.0) as client:
                while not self.ending:
                    started = time.monotonic()
                    reply = client.call(*self.words)
                    self.longest = max(self.longest, time.monotonic() - started)
                    if reply != self.answer:
                        raise AssertionError(f"{self.words} answered {reply!r}")
                    self.calls += 1
        except (OSError, EOFError, AssertionError) as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        end = time.monotonic() + 5
        while kind is None and self.calls <= 20 and self.error is None and time.monotonic() < end:
            time.sleep(0.001)
        self.ending = True
        self.thread.join()

    def check(self, test):
        test.assertIsNone(self.error)
        test.assertGreater(self.calls, 20)
        test.assertLess(self.longest, 3.0, "the well-behaved client had to wait")


BROKEN = {
    "multibulk: a word": b"*abc\r\n",
    "multibulk: nothing": b"*\r\n",
    "multibulk: too many": b"*3000000000\r\n",
    "multibulk: beyond 64 bits": b"*99999999999999999999\r\n",
    "multibulk: negative": b"*-5\r\nPING\r\n",
    "multibulk: none": b"*0\r\nPING\r\n",
    "multibulk: with a space": b"*1 \r\n",
    "multibulk: with a plus": b"*+1\r\n$4\r\nPING\r\n",
    "multibulk: with zeros": b"*01\r\n$4\r\nPING\r\n",
    "bulk: another type": b"*1\r\n:1\r\n",
    "bulk: an array inside": b"*1\r\n*1\r\n",
    "bulk: a blank line": b"*1\r\n\r\n",
    "bulk: negative": b"*1\r\n$-1\r\n",
    "bulk: huge": b"*1\r\n$99999999999\r\n",
    "bulk: beyond 64 bits": b"*1\r\n$99999999999999999999999\r\n",
    "bulk: a word": b"*1\r\n$x\r\n",
    "bulk: nothing": b"*1\r\n$\r\n",
    "bulk: one more than allowed": b"*2\r\n$4\r\nECHO\r\n$536870913\r\n",
    "inline: a quote left open": b"set \"a\r\n",
    "inline: a single quote left open": b"set 'a\r\n",
    "inline: letters after a quote": b"set \"a\"b\r\n",
    "inline: 64 kB without an end": b"a" * (65536 + 16),
    "inline: only blanks": b"   \r\nPING\r\n",
    "inline: line feed alone": b"PING\n",
    "count: 64 kB without an end": b"*" + b"1" * (65536 + 16),
    "size: 64 kB without an end": b"*1\r\n$" + b"1" * (65536 + 16),
    "another protocol: HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "another protocol: POST": b"POST / HTTP/1.1\r\n\r\n",
    "a good one before a broken one": b"*1\r\n$4\r\nPING\r\n*1\r\n:1\r\n",
    "no such command": b"*2\r\n$3\r\nabc\r\n$2\r\n\xff\x00\r\n",
    "an empty name": b"*1\r\n$0\r\n\r\n",
}
UNAUTHENTICATED = {
    "many arguments": b"*11\r\n",
    "a large argument": b"*1\r\n$16385\r\n",
    "ten arguments": b"*10\r\n" + b"$1\r\na\r\n" * 10,
    "the largest argument": b"*1\r\n$16384\r\n" + b"a" * 16384 + b"\r\n",
    "a good command": b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
    "a broken one": b"*1\r\n:1\r\n",
}


class Requests(unittest.TestCase):
    def compare(self, cases, start, answer="PONG"):
        with World() as world:
            ours, original = (start(world, kind) for kind in ("ours", "original"))
            with WellBehaved(ours.port, ("PING",), answer) as behaved:
                for name, data in cases.items():
                    with self.subTest(name):
                        expected = exchange(original.port, data)
                        self.assertEqual(exchange(ours.port, data), expected)
                        # The same in pieces: what is broken does not depend on how it arrives.
                        half = 1
                        if expected[1] and len(data) < 1000:
                            with socket.create_connection(("127.0.0.1", ours.port), timeout=5) as s:
                                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                                s.sendall(data[:half])
                                self.assertEqual(select.select([s], [], [], 0.02)[0] and s.recv(1, socket.MSG_PEEK), [])
                                s.sendall(data[half:])
                                got = b""
                                while piece := s.recv(65536):
                                    got += piece
                                self.assertEqual(got, expected[0])
            behaved.check(self)
            self.assertTrue(ours.running())

    def test_broken_requests(self):
        self.compare(BROKEN, lambda world, kind: world.server(kind))

    def test_broken_requests_to_a_sentinel(self):
        with World() as other:
            primary = other.server("ours")
            self.compare(BROKEN, lambda world, kind: world.sentinel(kind, primary))

    def test_unauthenticated(self):
        self.compare(UNAUTHENTICATED, lambda world, kind: world.server(kind, "--requirepass", "secret"),
                     "NOAUTH Authentication required.")

    def test_unauthenticated_to_a_sentinel(self):
        with World() as other:
            primary = other.server("ours")
            self.compare(UNAUTHENTICATED, lambda world, kind: world.sentinel(kind, primary, extra="requirepass secret\n"),
                         "NOAUTH Authentication required.")

    def test_half_requests_and_disconnects(self):
        with World() as world:
            server = world.server("ours")
            whole = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"
            with WellBehaved(server.port) as behaved:
                for cut in range(len(whole)):
                    with socket.create_connection(("127.0.0.1", server.port)) as s:
                        s.sendall(whole[:cut])
                        if cut % 2:  # with a reset instead of a FIN
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            behaved.check(self)
            wait_for("the connections to go", lambda: server.info("clients")["connected_clients"] == "1")
            self.assertEqual(server.call("EXISTS", "key"), 0, "half a request was carried out")

    def test_promised_bytes_cost_nothing_until_they_come(self):
        with World() as world:
            server = world.server("ours", "--requirepass", "secret")
            before = resident(server.pid)
            with contextlib.ExitStack() as stack:
                for _ in range(100):  # 100 x 16 kB promised, and nothing comes
                    s = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                    s.sendall(b"*10\r\n$16384\r\nabc")
                client = stack.enter_context(server.client())
                self.assertEqual(client.call("AUTH", "secret"), "OK")
                many = [stack.enter_context(server.client()) for _ in range(20)]
                for one in many:  # 20 x 512 MB promised
                    self.assertEqual(one.call("AUTH", "secret"), "OK")
                    one.send_raw(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nabc")
                for _ in range(50):
                    self.assertEqual(client.call("PING"), "PONG")
                self.assertLess(resident(server.pid) - before, 64 * MB)
            # Large payloads of those who may not send them.
            for _ in range(30):
                out, closed = exchange(server.port, b"*2\r\n$4\r\nECHO\r\n$100000000\r\n" + b"x" * MB)
                self.assertTrue(closed)
                self.assertIn(out, (b"", b"-ERR Protocol error: unauthenticated bulk length\r\n"))
            self.assertLess(resident(server.pid) - before, 64 * MB)

    def test_a_stranger_costs_less_than_64_kib(self):
        """Clients that have not said who they are and send, or do not read, as much as they can."""
        count = 200
        hostile = {
            "half a request": b"*10\r\n" + b"$16384\r\n%s\r\n" % (b"x" * 16384) * 9 + b"$16384\r\n" + b"x" * 16000,
            "a line without an end": b"PING " + b"x" * 100_000,
            "answers nobody reads": b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 300_000,
            "errors nobody reads": b"HELLO 9\r\n" * 300_000,
        }
        for name, data in hostile.items():
            with World() as world, contextlib.ExitStack() as stack:
                server = world.server("ours", "--requirepass", "secret")
                def open_all():
                    strangers = []
                    for _ in range(count):
                        s = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                        s.setblocking(False)
                        strangers.append([s, data])
                    return strangers
                def send_all(strangers):
                    """Until nobody takes anything more. The most memory the server had meanwhile."""
                    end, progress, most = time.monotonic() + 20, time.monotonic(), 0
                    while time.monotonic() < min(end, progress + 0.5):
                        for one in strangers:
                            try:
                                taken = one[0].send(one[1][:65536]) if one[1] else 0
                            except BlockingIOError:
                                continue
                            except OSError:
                                one[1] = b""
                                continue
                            one[1] = one[1][taken:]
                            if taken:
                                progress = time.monotonic()
                        most = max(most, resident(server.pid))
                    return most
                before = resident(server.pid)
                self.assertLess(send_all(open_all()) - before, count * 64 * 1024, name)
                with server.client() as client:
                    self.assertEqual(client.call("AUTH", "secret"), "OK")
                    self.assertEqual(client.call("PING"), "PONG")

    def test_the_query_buffer_is_bounded(self):
        with World() as world:
            server = world.server("ours", "--client-query-buffer-limit", "2mb")
            before = resident(server.pid)
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as s:
                with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                    s.sendall(b"*2\r\n$4\r\nECHO\r\n$400000000\r\n")
                    for _ in range(200):
                        s.sendall(b"x" * MB)
            self.assertLess(resident(server.pid) - before, 32 * MB)
            self.assertIn("qbuf", server.log_text())

    def test_a_client_that_never_reads(self):
        with World() as world:
            server = world.server("ours", "--client-output-buffer-limit", "normal 8mb 8mb 1")
            with server.client() as client:
                client.call("SET", "big", b"x" * MB)
                before = resident(server.pid)
                with socket.create_connection(("127.0.0.1", server.port), timeout=5) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    try:
                        for _ in range(500):
                            s.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n")
                    except (BrokenPipeError, ConnectionResetError):
                        pass
                    wait_for("it to be closed", lambda: client.info("clients")["connected_clients"] == "1")
                self.assertLess(resident(server.pid) - before, 128 * MB)
                self.assertIn("scheduled to be closed ASAP for overcoming of output buffer limits", server.log_text())


PIECES = [b"*", b"$", b"\r\n", b"3", b"-1", b"1", b"PING", b"SET", b"GET", b"k", b"\0", b"\xff", b"\"", b"'", b" ", b"MULTI", b"EXEC",
          b"SUBSCRIBE", b"SENTINEL", b"show stat", b";", b"set server b/s", b"99999999999", b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
          b"*1\r\n$4\r\nPING\r\n", b"HELLO 3", b"PSYNC ? -1", b"REPLCONF", b"AUTH", b"RESET", b"a" * 300]


def garbage(port_or_path, seed, seconds):
    """Random bytes and random sequences of meaningful ones on many connections. Returns how many connections it made."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        family = socket.AF_INET if isinstance(port_or_path, int) else socket.AF_UNIX
        address = ("127.0.0.1", port_or_path) if isinstance(port_or_path, int) else str(port_or_path)
        with socket.socket(family) as s:
            try:
                s.connect(address)  # waits for room in the backlog
                s.settimeout(5)
                for _ in range(rng.randrange(1, 6)):
                    if rng.random() < 0.3:
                        s.sendall(rng.randbytes(rng.randrange(1, 3000)))
                    else:
                        s.sendall(b"".join(rng.choices(PIECES, k=rng.randrange(1, 40))))
                    if rng.random() < 0.5:
                        s.setblocking(False)
                        try:
                            s.recv(65536)
                        except BlockingIOError:
                            pass
                        s.settimeout(5)
            except (ConnectionError, BrokenPipeError):
                pass
        count += 1
    return count


class Garbage(unittest.TestCase):
    def noise(self, seed, process, target, behaved):
        before = resident(process.pid)
        with behaved:
            self.assertGreater(garbage(target, seed, 3.0), 100)
        behaved.check(self)
        self.assertTrue(process.running(), process.log_text()[-3000:])
        self.assertLess(resident(process.pid) - before, 64 * MB)

    def test_server(self):
        with World() as world:
            server = world.server("ours")
            self.noise(1, server, server.port, WellBehaved(server.port, ("SET", "mine", "1"), "OK"))

    def test_sentinel(self):
        with World() as world:
            server = world.server("ours")
            sentinel = world.sentinel("ours", server)
            state = wait_for("it to see the primary", lambda: address_of(sentinel))
            self.noise(2, sentinel, sentinel.port, WellBehaved(sentinel.port))
            self.assertEqual(address_of(sentinel), state)

    def test_proxy(self):
        with World() as world:
            server = world.server("ours")
            port, path = free_port(), world.directory / "stats.sock"
            proxy = world.proxy("ours", f"global\n  stats socket {path} level user\n" + processes.proxy_config(port, [server]), port)
            wait_for("the proxy to lead", lambda: leads(port))
            for seed, target in ((3, path), (4, port)):
                self.noise(seed, proxy, target, WellBehaved(port, ("ECHO", "x"), b"x"))
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(path))
                s.sendall(b"show stat\n")
                self.assertTrue(s.recv(65536).startswith(b"# pxname,svname,"))


def leads(port):
    with Client(port) as client:
        return client.call("PING") == "PONG"


def address_of(sentinel):
    reply = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
    return [word.decode() for word in reply] if isinstance(reply, list) else None


class Hello(unittest.TestCase):
    def test_wrong_hellos_change_nothing(self):
        """PUBLISH __sentinel__:hello reaches a Sentinel itself as well as the servers it listens on."""
        good = "127.0.0.1,{port},{id},0,mymaster,127.0.0.1,{primary},0"
        with World() as world:
            server = world.server("ours")
            sentinel = world.sentinel("ours", server)
            wait_for("it to see the primary", lambda: watched(sentinel)["flags"] == "master")
            other, address = "b" * 40, address_of(sentinel)
            before = {name: watched(sentinel)[name] for name in ("num-other-sentinels", "config-epoch", "quorum", "runid")}
            values = {"port": free_port(), "id": other, "primary": server.port}
            fields = good.format(**values).split(",")
            wrong = ["", ",", ",,,,,,,", "x", good.format(**values) + ",more", ",".join(fields[:-1]), "\0" * 8, "a" * 70000,
                     ",".join(fields).replace("mymaster", "nosuch"), ",".join(fields).replace("mymaster", "")]
            for index, values in ((0, ["", "not an address", "999.1.1.1"]), (1, ["", "0", "-1", "70000", "x", "9" * 30]),
                                  (2, ["", "short"]), (3, ["x"]), (5, ["", "not an address"]), (6, ["-1", "70000", "x"])):
                for value in values:
                    wrong.append(",".join([*fields[:index], value, *fields[index + 1:]]))
            with server.client() as by_server, sentinel.client() as by_sentinel:
                for text in wrong:
                    by_server.call("PUBLISH", "__sentinel__:hello", text)
                    by_sentinel.call("PUBLISH", "__sentinel__:hello", text)
                for words in (("PUBLISH",), ("PUBLISH", "__sentinel__:hello"), ("PUBLISH", "another", "x")):
                    self.assertIsInstance(by_sentinel.call(*words), Error, words)
                # A good one after them proves that they were read: it makes the other Sentinel known.
                by_sentinel.call("PUBLISH", "__sentinel__:hello", ",".join(fields))
            wait_for("the good hello to be read", lambda: watched(sentinel)["num-other-sentinels"] != before["num-other-sentinels"])
            known = sentinel.call("SENTINEL", "SENTINELS", "mymaster")
            ids = [processes.fields(one)["runid"] for one in known]
            after = watched(sentinel)
            self.assertTrue(sentinel.running())
            self.assertEqual(address_of(sentinel), address)
            for name in ("config-epoch", "quorum", "runid"):
                self.assertEqual(after[name], before[name])
            self.assertEqual(ids, [other], "a wrong hello made a Sentinel known")


class Files(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.place = self.world.place("data")
        self.file = self.place / "dump.rdb"
        self.port = free_port()

    def make_file(self, kind, keys):
        server = self.world.server(kind, "--dir", self.place)
        with server.client() as client:
            for n in range(keys):
                client.call("SET", f"string:{n}", "value" * (n % 7), "PX", 10 ** 9) if n % 3 else client.call("SET", f"s{n}", n)
                client.call("RPUSH", f"list:{n % 5}", n, "x" * n)
                client.call("HSET", f"hash:{n % 5}", n, "v")
                client.call("SADD", f"set:{n % 5}", n)
            client.call("SAVE")
        server.kill()
        return self.file.read_bytes()

    def start(self, content, kind="ours", *options):
        """Starts over this file: (loaded, exit code or None, log)."""
        self.file.write_bytes(content)
        program = [str(HOLDFAST), "server"] if kind == "ours" else ["redis-server"]
        process = subprocess.Popen([*program, "--port", str(self.port), "--dir", str(self.place), "--save", "3600 1", *options],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        log = b""
        end = time.monotonic() + 20
        try:
            while time.monotonic() < end:
                if not select.select([process.stdout], [], [], 20)[0]:
                    break
                piece = os.read(process.stdout.fileno(), 65536)
                log += piece
                if not piece:
                    return False, process.wait(10), log.decode(errors="replace")
                if b"Ready to accept connections" in log:
                    return True, None, log.decode(errors="replace")
            raise AssertionError(f"neither ready nor ended: {log!r}")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def refused(self, content, what):
        loaded, code, log = self.start(content)
        self.assertEqual((loaded, code), (False, 1), f"{what}: {log[-2000:]}")
        self.assertIn("Fatal error loading the DB, check server logs. Exiting.", log, what)
        self.assertNotIn("REDIS BUG REPORT", log, what)
        self.assertEqual(self.file.read_bytes(), content, f"{what}: the file was touched")
        return log

    def test_every_byte_flipped(self):
        good = self.make_file("ours", 2)
        self.assertTrue(self.start(good)[0])
        for at in range(len(good)):
            self.refused(good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1:], f"byte {at} flipped")

    def test_cut_anywhere(self):
        good = self.make_file("original", 2)
        self.assertTrue(self.start(good)[0])
        for size in range(len(good)):
            log = self.refused(good[:size], f"cut at {size}")
            self.assertIn("Short read or OOM loading DB. Unrecoverable error, aborting now.", log)

    def test_samples_of_a_bigger_file(self):
        good = self.make_file("ours", 400)
        rng = random.Random(5)
        for _ in range(40):
            at, bit = rng.randrange(len(good)), rng.randrange(8)
            self.refused(good[:at] + bytes([good[at] ^ (1 << bit)]) + good[at + 1:], f"bit {bit} of byte {at} flipped")
            size = rng.randrange(len(good))
            self.refused(good[:size], f"cut at {size}")

    def test_without_a_checksum_nothing_crashes(self):
        """A harmless flip is loaded, as by the original, which cannot see it either; any other is refused."""
        good = self.make_file("original", 3)
        loaded = 0
        for at in range(9, len(good) - 8, 1):
            content = good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1:]
            ready, code, log = self.start(content, "ours", "--rdbchecksum", "no")
            self.assertTrue(ready or code == 1, f"byte {at}: {code} {log[-2000:]}")
            self.assertNotIn("REDIS BUG REPORT", log, at)
            loaded += ready
        self.assertGreater(loaded, 0)

    def test_the_originals_words(self):
        good = self.make_file("original", 2)
        for what, content, words in (
                ("signature", b"RIDES" + good[5:], "Wrong signature trying to load DB from file"),
                ("version", good[:5] + b"9999" + good[9:], "Can't handle RDB format version 9999"),
                ("version 0", good[:5] + b"0000" + good[9:], "Can't handle RDB format version 0"),
                ("checksum", good[:-1] + bytes([good[-1] ^ 1]), "Wrong RDB checksum expected: ("),
                ("empty", b"", "Short read or OOM loading DB. Unrecoverable error, aborting now."),
                ("not one at all", b"Hello, this is a letter.\n" * 10, "Wrong signature trying to load DB from file")):
            log = self.refused(content, what)
            loaded, code, original = self.start(content, "original")
            self.assertEqual((loaded, code), (False, 1), what)
            line = next(line for line in original.splitlines() if words in line)
            self.assertIn(line.split(" # ", 1)[1], log)
        self.file.unlink()
        self.file.mkdir()
        server = subprocess.run([HOLDFAST, "server", "--port", str(self.port), "--dir", self.place], capture_output=True, text=True,
                                timeout=20)
        self.assertEqual(server.returncode, 1)
        self.assertIn("Fatal error: can't open the RDB file dump.rdb for reading: Is a directory", server.stdout)


class Configuration(unittest.TestCase):
    """All errors of a file in one run, each with its line; exit code 1; nothing was started."""

    def setUp(self):
        self.world = self.enterContext(World())
        self.conf = self.world.directory / "a.conf"

    def run_with(self, *words, content):
        self.conf.write_bytes(content if isinstance(content, bytes) else content.encode())
        return subprocess.run([HOLDFAST, *words, self.conf], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)

    def errors(self, done):
        text = done.stderr.decode(errors="replace")
        return [int(line) for line in re.findall(rf"\({re.escape(str(self.conf))}:(\d+)\)", text)], text

    def test_server(self):
        done = self.run_with("server", content="port 1\nnosuch 1\nmaxmemory x\n# fine\nsave 1\nport 99999\nappendonly maybe\n"
                             "maxmemory-policy never\n\"unbalanced\nslaveof a\n")
        self.assertEqual(done.returncode, 1)
        lines, text = self.errors(done)
        self.assertEqual(lines, [2, 3, 5, 6, 7, 8, 9, 10], text)
        self.assertIn("Unbalanced quotes in configuration line", text)

    def test_sentinel(self):
        done = self.run_with("sentinel", content="port x\nsentinel monitor a 127.0.0.1 1 0\nsentinel nosuch\n"
                             "sentinel monitor b nosuch.invalid 1 1\nnosuch 1\nsentinel quorum\n"
                             "sentinel down-after-milliseconds z 1\nsentinel monitor c 127.0.0.1 1 1\n"
                             "sentinel down-after-milliseconds c 0\nsentinel myid short\n")
        self.assertEqual(done.returncode, 1)
        lines, text = self.errors(done)
        self.assertEqual(sorted(lines), [1, 2, 3, 4, 5, 6, 7, 9, 10], text)

    def test_proxy(self):
        done = self.run_with("proxy", "-c", "-f", content="global\n  nosuch\ndefaults\n  mode ftp\nfrontend f\n  bind :x\n"
                             "  timeout client never\nbackend b\n  server s 1.2.3.4:5 check inter x\n  tcp-check expect\n"
                             "  balance nosuch\n")
        self.assertEqual(done.returncode, 1)
        found = re.findall(rf"config : (?:parsing )?\[{re.escape(str(self.conf))}:(\d+)\]", done.stderr.decode())
        self.assertEqual([int(line) for line in found], [2, 4, 6, 7, 9, 10, 11], done.stderr.decode())

    def test_bytes_that_are_no_text(self):
        rng = random.Random(6)
        contents = [b"\xff\xfe" * 100, rng.randbytes(10000), b"a" * MB, b"port \"" + b"x" * 100000,
                    b"sentinel " * 10000, b"\"\\x", b"server s " * 5000]
        for words in (("server",), ("sentinel",), ("proxy", "-c", "-f")):
            for content in contents:
                done = self.run_with(*words, content=content)
                self.assertIn(done.returncode, (1, 2), (words, content[:20], done.stderr[-500:]))
                self.assertTrue(done.stderr)
                self.assertLess(len(done.stderr), 16 * MB)


if __name__ == "__main__":
    unittest.main(verbosity=2)
