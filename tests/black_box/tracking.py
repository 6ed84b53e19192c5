#!/usr/bin/env python3
"""Client-side caching on our server and on the original at once: every byte every client gets must be equal.

Clients of both protocols switch tracking on and off in all modes, read, write, flush, run transactions and scripts, and
come and go. Invalidations by expiry, by eviction and by the bound of the table have tests of their own.
"""
import argparse
import random
import re
import sys

from processes import Client, World, wait_for

CLIENTS = 5
KEYS = ["a", "ab", "abc", "b", "bc", "c"]
FIRST_ID = 400  # ids of clients are told apart from other numbers by their size


def request(words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Peer(Client):
    """A client whose answers are looked at as bytes."""

    def __init__(self, port):
        super().__init__(port)
        self.marks = 0

    def until_mark(self, before=b""):
        """Sends `before` and a PING at once; everything up to the answer of the PING."""
        self.marks += 1
        mark = b"mark-%d\r\n" % self.marks
        self.send_raw(before + request(["PING", mark[:-2]]))
        while mark not in self.buffer:
            self._fill()
        out, self.buffer = self.buffer.split(mark, 1)
        return out

    def run(self, commands):
        return self.until_mark(b"".join(map(request, commands))) + self.until_mark()


class Side:
    def __init__(self, server):
        self.server = server
        for _ in range(FIRST_ID):
            Client(server.port).close()
        self.peers = [Peer(server.port) for _ in range(CLIENTS)]
        self.ids = [peer.call("CLIENT", "ID") for peer in self.peers]
        self.names = {str(id).encode(): b"client-%d" % i for i, id in enumerate(self.ids)}

    def reconnect(self, index):
        gone = self.ids[index]
        self.peers[index].close()
        with self.server.client() as client:
            wait_for("the client to be gone", lambda: client.call("CLIENT", "LIST", "ID", gone) == b"")
        self.peers[index] = Peer(self.server.port)
        self.ids[index] = self.peers[index].call("CLIENT", "ID")
        self.names[str(self.ids[index]).encode()] = b"client-%d-at-%d" % (index, len(self.names))

    def step(self, index, commands):
        filled = [[str(self.ids[word]) if isinstance(word, int) else word for word in words] for words in commands]
        seen = [b""] * CLIENTS
        seen[index] = self.peers[index].run(filled)
        for i, peer in enumerate(self.peers):
            if i != index:
                seen[i] = peer.until_mark()
        rename = lambda match: b":" + self.names.get(match.group(1), match.group(1)) + b"\r\n"
        return [re.sub(rb":(\d+)\r\n", rename, bytes_) for bytes_ in seen]


def tracking(rng):
    words = ["CLIENT", "TRACKING", rng.choice(["ON", "ON", "ON", "OFF"])]
    if rng.random() < 0.4:
        words += ["REDIRECT", rng.choice([rng.randrange(CLIENTS), "0", "99999999", "x"] if rng.random() < 0.2
                                         else [rng.randrange(CLIENTS)])]
    if rng.random() < 0.4:
        words.append("BCAST")
    for option, chance in (("NOLOOP", 0.3), ("OPTIN", 0.2), ("OPTOUT", 0.2)):
        if rng.random() < chance:
            words.append(option)
    if rng.random() < 0.3:
        words += ["PREFIX", rng.choice(KEYS)]
    return words


def data(rng):
    key = lambda: rng.choice(KEYS)
    return rng.choice([
        lambda: ["GET", key()], lambda: ["GET", key()], lambda: ["MGET", key(), key()], lambda: ["EXISTS", key(), key()],
        lambda: ["STRLEN", key()], lambda: ["SET", key(), "1"], lambda: ["SET", key(), "1"], lambda: ["MSET", key(), "1", key(), "2"],
        lambda: ["DEL", key(), key()], lambda: ["APPEND", key(), "2"], lambda: ["RENAME", key(), key()],
        lambda: ["EXPIRE", key(), "-1"], lambda: ["PERSIST", key()], lambda: ["TOUCH", key()], lambda: ["GETDEL", key()],
        # 7.0 remembers all keys of a script that reads, 7.2 those it reads: one key is the same for both.
        lambda: ["EVAL", "return redis.call('get', KEYS[1])", "1", key()], lambda: ["EVAL", "return redis.call('del', KEYS[1])", "1", key()],
        lambda: ["EVAL_RO", "return redis.call('get', KEYS[1])", "1", key()],
        lambda: ["FLUSHALL"] if rng.random() < 0.3 else ["FLUSHDB"] if rng.random() < 0.5 else ["DBSIZE"],
        lambda: ["SELECT", str(rng.randrange(2))], lambda: ["SWAPDB", "0", "1"], lambda: ["NOSUCH", key()], lambda: ["GET"],
    ])()


def step(rng):
    """The commands one client sends at once."""
    return rng.choice([
        lambda: [tracking(rng)], lambda: [tracking(rng)], lambda: [["HELLO", rng.choice("23")]],
        lambda: [["CLIENT", "CACHING", rng.choice(["YES", "NO", "maybe"])], data(rng), data(rng)],
        lambda: [["CLIENT", "GETREDIR"]], lambda: [["CLIENT", "TRACKINGINFO"]],
        lambda: [["SUBSCRIBE", "__redis__:invalidate"]], lambda: [["UNSUBSCRIBE", "__redis__:invalidate"]],
        lambda: [["MULTI"], *[data(rng) for _ in range(rng.randint(1, 4))], ["EXEC"]],
        lambda: [["CLIENT", "CACHING", "YES"], ["MULTI"], data(rng), data(rng), ["EXEC"], data(rng)],
        lambda: [["RESET"]] if rng.random() < 0.2 else [["CLIENT", "TRACKINGINFO"]],
        lambda: [["CLIENT", "REPLY", "OFF"], data(rng), ["CLIENT", "REPLY", "ON"]],
        *[lambda: [data(rng)] for _ in range(10)],
    ])()


def repeats_prefix(commands):
    """The original answers twice when prefixes given later in the list overlap; ours once."""
    return any(words.count("PREFIX") > 2 for words in commands)


def without_hello(texts):
    """Versions and ids in HELLO's answer differ."""
    return [re.sub(rb"\$6\r\nserver\r\n.*?\$7\r\nmodules\r\n[*]0\r\n", b"<hello>", text, flags=re.S) for text in texts]


def random_steps(seed, count):
    rng = random.Random(seed)
    with World() as world:
        ours, original = Side(world.server("ours")), Side(world.server("original"))
        history = []
        for number in range(count):
            index = rng.randrange(CLIENTS)
            if rng.random() < 0.02:
                history.append((index, "reconnects"))
                ours.reconnect(index)
                original.reconnect(index)
                continue
            commands = step(rng)
            history.append((index, commands))
            got, wanted = without_hello(ours.step(index, commands)), without_hello(original.step(index, commands))
            if got != wanted:
                for i in range(CLIENTS):
                    if got[i] != wanted[i]:
                        print(f"client {i}:\n  ours     {got[i]!r}\n  original {wanted[i]!r}")
                raise AssertionError(f"seed {seed}, step {number}: {commands} by client {index}; before: {history[-12:]}")
        for field in ("tracking_total_items", "tracking_total_keys", "tracking_total_prefixes"):
            a, b = (side.server.info("stats")[field] for side in (ours, original))
            assert a == b, f"seed {seed}: {field} is {a}, original {b}"
        a, b = (side.server.info("clients")["tracking_clients"] for side in (ours, original))
        assert a == b, f"seed {seed}: tracking_clients is {a}, original {b}"
    return count


def pushes(client, count):
    return [client.read() for _ in range(count)]


def other_causes():
    """Keys that go by themselves: by time, for want of memory, out of a table that is full."""
    with World() as world:
        for kind in ("ours", "original"):
            server = world.server(kind)
            with server.client() as reader, server.client() as writer:
                reader.call("HELLO", "3")
                reader.call("CLIENT", "TRACKING", "ON")
                writer.call("SET", "soon", "1", "PX", "30")
                assert reader.call("GET", "soon") in (b"1", None)
                assert reader.read() == [b"invalidate", [b"soon"]], kind
                for i in range(200):
                    writer.call("SET", f"k{i}", "x" * 100)
                    assert reader.call("GET", f"k{i}") == b"x" * 100
                reader.call("CONFIG", "SET", "tracking-table-max-keys", "50")
                told = set()
                while len(told) < 150:  # requests make room, some keys at a time
                    writer.call("PING")
                    told.add(reader.read()[1][0])
                assert server.info("stats")["tracking_total_keys"] == "50", kind
                writer.call("CONFIG", "SET", "tracking-table-max-keys", "0")
                writer.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
                writer.call("CONFIG", "SET", "maxmemory", "1")
                writer.call("SET", "more", "1")  # refused or not: room is made first
                told |= {reader.read()[1][0] for _ in range(50)}
                assert told == {b"k%d" % i for i in range(200)}, kind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    other_causes()
    total = sum(random_steps(seed, options.steps) for seed in range(options.first_seed, options.first_seed + options.seeds))
    print(f"{total} steps alike")


if __name__ == "__main__":
    sys.exit(main())
