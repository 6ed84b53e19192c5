#!/usr/bin/env python3
"""Random commands to our data server and to Debian's redis-server: replies, then datasets, then reloaded datasets.

The same seed gives the same commands. Commands whose answers differ by version (7.0 against 7.2) or by chance are
compared in a normal form; `normal()` says how. Runs as a test with a fixed number of commands; `--commands`, `--seed`
and `--binary` serve longer hunts (./x diff).
"""
import argparse
import os
import random
import sys

import processes
from processes import Error, World, dataset

KEYS = [f"k{i}" for i in range(12)] + ["", "key with spaces", "k\x00bin"]
FIELDS = [f"f{i}" for i in range(8)] + ["10", "-5", ""]
NUMBERS = ["0", "1", "-1", "2", "5", "-3", "100", "9223372036854775807", "-9223372036854775808", "abc", "1.5", "", " 1", "01"]
FLOATS = ["0.1", "1", "-2.5", "1e3", "3.0e-5", "inf", "nan", "abc", "1e400", "0x10"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ms = None

    def key(self):
        return self.random.choice(KEYS)

    def field(self):
        return self.random.choice(FIELDS)

    def value(self):
        r = self.random
        kind = r.randrange(6)
        if kind == 0:
            return str(r.randrange(-1000, 1000))
        if kind == 1:
            return r.choice(NUMBERS + FLOATS)
        if kind == 2:
            return bytes(r.randrange(256) for _ in range(r.randrange(12)))
        if kind == 3:
            return "x" * r.choice([0, 1, 44, 45, 63, 64, 65, 200, 1000])
        return f"v{r.randrange(20)}"

    def number(self):
        return self.random.choice(NUMBERS) if self.random.random() < 0.3 else str(self.random.randrange(-12, 12))

    def some(self, make, low=1, high=4):
        return [make() for _ in range(self.random.randint(low, high))]

    def pairs(self, a, b, low=1, high=4):
        return [x for _ in range(self.random.randint(low, high)) for x in (a(), b())]

    def options(self, *choices):
        out = []
        for choice in choices:
            if self.random.random() < 0.3:
                out += [w() if callable(w) else w for w in choice]
        return out

    def command(self):
        r, k, f, v, n = self.random, self.key, self.field, self.value, self.number
        far = lambda: str(r.choice([5000, 100000, 10**9, 0, -1, 2**62]))
        table = {
            "string": [
                lambda: ["SET", k(), v(), *self.options(["NX"], ["XX"], ["GET"], ["KEEPTTL"], ["EX", far], ["PX", far])],
                lambda: ["GET", k()], lambda: ["GETSET", k(), v()], lambda: ["GETDEL", k()],
                lambda: ["GETEX", k(), *self.options(["PERSIST"], ["EX", far], ["PX", far])],
                lambda: ["SETNX", k(), v()], lambda: ["SETEX", k(), far(), v()], lambda: ["PSETEX", k(), far(), v()],
                lambda: ["APPEND", k(), v()], lambda: ["STRLEN", k()], lambda: ["INCR", k()], lambda: ["DECR", k()],
                lambda: ["INCRBY", k(), n()], lambda: ["DECRBY", k(), n()],
                lambda: ["INCRBYFLOAT", k(), r.choice(FLOATS)],
                lambda: ["GETRANGE", k(), n(), n()], lambda: ["SUBSTR", k(), n(), n()],
                lambda: ["SETRANGE", k(), str(r.choice([0, 1, 5, 50, -1])), v()],
                lambda: ["MSET", *self.pairs(k, v)], lambda: ["MSETNX", *self.pairs(k, v)], lambda: ["MGET", *self.some(k)],
            ],
            "keys": [
                lambda: ["DEL", *self.some(k)], lambda: ["UNLINK", *self.some(k)], lambda: ["EXISTS", *self.some(k)],
                lambda: ["TYPE", k()], lambda: ["TTL", k()], lambda: ["PTTL", k()], lambda: ["PERSIST", k()],
                lambda: ["EXPIRE", k(), far(), *self.options(["NX"], ["XX"], ["GT"], ["LT"])],
                lambda: ["PEXPIRE", k(), far(), *self.options(["NX"], ["XX"], ["GT"], ["LT"], ["BAD"])],
                lambda: ["EXPIREAT", k(), str(r.choice([1, 4102444800, 10**12]))],
                lambda: ["PEXPIREAT", k(), str(r.choice([1, 4102444800000]))],
                lambda: ["EXPIRETIME", k()], lambda: ["PEXPIRETIME", k()],
                lambda: ["RENAME", k(), k()], lambda: ["RENAMENX", k(), k()],
                lambda: ["COPY", k(), k(), *self.options(["REPLACE"], ["DB", n])], lambda: ["MOVE", k(), n()],
                lambda: ["TOUCH", *self.some(k)], lambda: ["KEYS", r.choice(["*", "k?", "k[1-3]*", "*\x00*", "k[^1]"])],
                lambda: ["DBSIZE"], lambda: ["SELECT", r.choice(["0", "1", "15", "16", "-1", "x"])],
                lambda: ["OBJECT", "ENCODING", k()], lambda: ["SCAN", "0", "COUNT", "1000", *self.options(["MATCH", "k*"])],
                lambda: ["SWAPDB", n(), n()], lambda: ["OBJECT", "REFCOUNT", "none"],
            ],
            "list": [
                lambda: [r.choice(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"]), k(), *self.some(v)],
                lambda: [r.choice(["LPOP", "RPOP"]), k(), *self.options([n])], lambda: ["LLEN", k()],
                lambda: ["LRANGE", k(), n(), n()], lambda: ["LINDEX", k(), n()], lambda: ["LSET", k(), n(), v()],
                lambda: ["LINSERT", k(), r.choice(["BEFORE", "AFTER", "X"]), v(), v()], lambda: ["LREM", k(), n(), v()],
                lambda: ["LTRIM", k(), n(), n()],
                lambda: ["LPOS", k(), v(), *self.options(["RANK", n], ["COUNT", n], ["MAXLEN", n])],
                lambda: ["LMOVE", k(), k(), r.choice(["LEFT", "RIGHT"]), r.choice(["LEFT", "RIGHT", "UP"])],
                lambda: ["RPOPLPUSH", k(), k()],
                lambda: ["LMPOP", r.choice(["1", "2", "0", "x"]), k(), k(), r.choice(["LEFT", "RIGHT"]),
                         *self.options(["COUNT", n])],
            ],
            "hash": [
                lambda: [r.choice(["HSET", "HMSET"]), k(), *self.pairs(f, v)], lambda: ["HSETNX", k(), f(), v()],
                lambda: ["HGET", k(), f()], lambda: ["HMGET", k(), *self.some(f)], lambda: ["HGETALL", k()],
                lambda: ["HKEYS", k()], lambda: ["HVALS", k()], lambda: ["HDEL", k(), *self.some(f)], lambda: ["HLEN", k()],
                lambda: ["HEXISTS", k(), f()], lambda: ["HSTRLEN", k(), f()], lambda: ["HINCRBY", k(), f(), n()],
                lambda: ["HINCRBYFLOAT", k(), f(), r.choice(FLOATS)],
                lambda: ["HSCAN", k(), "0", "COUNT", "1000"], lambda: ["HRANDFIELD", k(), "100"],
                lambda: ["HSET", k(), *self.some(f, 1, 3)],
            ],
            "set": [
                lambda: ["SADD", k(), *self.some(lambda: r.choice([f(), n(), v()]), 1, 6)],
                lambda: ["SREM", k(), *self.some(f)], lambda: ["SISMEMBER", k(), f()], lambda: ["SMISMEMBER", k(), *self.some(f)],
                lambda: ["SCARD", k()], lambda: ["SMEMBERS", k()], lambda: ["SMOVE", k(), k(), f()],
                lambda: [r.choice(["SINTER", "SUNION", "SDIFF"]), *self.some(k)],
                lambda: [r.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), *self.some(k, 2, 4)],
                lambda: ["SINTERCARD", r.choice(["1", "2", "0", "5"]), k(), k(), *self.options(["LIMIT", n])],
                lambda: ["SRANDMEMBER", k(), "100"], lambda: ["SPOP", k(), "100"], lambda: ["SSCAN", k(), "0", "COUNT", "1000"],
            ],
            "connection": [
                lambda: ["PING", *self.options([v])], lambda: ["ECHO", v()], lambda: ["MULTI"], lambda: ["EXEC"],
                lambda: ["EXEC"], lambda: ["DISCARD"], lambda: ["WATCH", k()], lambda: ["UNWATCH"],
                lambda: ["CLIENT", r.choice(["SETNAME", "GETNAME", "ID", "NOSUCH"]), *self.options([f])],
                lambda: ["NOSUCHCOMMAND", *self.some(v, 0, 3)], lambda: ["GET"], lambda: ["SET", k()],
                lambda: ["PUBLISH", k(), v()], lambda: ["PUBSUB", r.choice(["NUMSUB", "CHANNELS", "NUMPAT"])],
                lambda: ["CONFIG", "SET", "nosuch", "1"], lambda: ["CONFIG", "GET", "maxmemory-policy"],
                lambda: ["CONFIG", "SET", "maxmemory", r.choice(["0", "100gb", "x"])], lambda: ["OBJECT", "NOSUCH", k()],
                lambda: ["AUTH", "a"], lambda: ["AUTH", "default", "x"], lambda: ["HELLO", "5"], lambda: ["HELLO", "x"],
                lambda: ["WAIT", n(), "1"], lambda: ["REPLICAOF", "NO", "ONE"], lambda: ["ROLE"][:1],
                lambda: ["FLUSHDB"] if r.random() < 0.02 else ["PING"], lambda: ["FLUSHALL", "BAD"],
                lambda: ["DEBUG", "RELOAD"] if r.random() < 0.1 else ["PING"],
            ],
        }
        family = r.choices(list(table), weights=[5, 4, 4, 4, 4, 2])[0]
        return r.choice(table[family])()


UNORDERED = {"KEYS", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SCAN", "HSCAN", "SSCAN", "HRANDFIELD",
             "SRANDMEMBER", "SPOP"}
TIMED = {"PTTL", "TTL", "EXPIRETIME", "PEXPIRETIME"}


def flat(value):
    if isinstance(value, list):
        return [item for part in value for item in flat(part)]
    return [value]


def normal(words, reply, queue=()):
    """The part of a reply that both servers must agree on; `queue` holds the commands EXEC ran."""
    name = str(words[0]).upper()
    if name == "EXEC" and isinstance(reply, list) and len(queue) == len(reply):
        return [normal(*pair) for pair in zip(queue, reply)]
    if name in UNORDERED and isinstance(reply, list):
        return sorted(map(repr, flat(reply)))
    if name == "OBJECT" and reply in (b"quicklist", b"listpack", b"hashtable"):
        return "collection"  # 7.2 added compact lists and sets; their thresholds have conversations of their own
    if name in TIMED and isinstance(reply, int) and reply > 0:
        return "positive"
    if name == "CLIENT" and len(words) > 1 and str(words[1]).upper() == "ID":
        return type(reply)
    if name == "LPOS" and "-9223372036854775808" in words and isinstance(reply, Error):
        return "error"  # 7.2 refuses this rank before it looks at the key
    if isinstance(reply, Error) and reply.startswith("ERR unknown subcommand"):
        return reply.split(". Try")[0]
    return reply


def compare(seed, commands, ours, oracle, out):
    generator = Generator(seed)
    differences = 0
    queue = []
    a, b = ours.client(), oracle.client()
    for index in range(commands):
        words = generator.command()
        x, y = a.call(*words), b.call(*words)
        if x == "QUEUED":
            queue.append(words)
        elif str(words[0]).upper() == "MULTI" and x == "OK":
            queue = []
        if isinstance(x, list) and isinstance(y, list) and words[0] == "EXEC" and len(x) == len(y) == len(queue):
            for queued, p, q in zip(queue, x, y):
                if repr(normal(queued, p)) != repr(normal(queued, q)):
                    print(f"in EXEC: {queued!r}\n  ours   {p!r}\n  oracle {q!r}", file=out)
        if repr(normal(words, x, queue)) != repr(normal(words, y, queue)):
            differences += 1
            print(f"seed {seed} command {index}: {words!r}\n  ours   {x!r}\n  oracle {y!r}", file=out)
            if differences >= 10:
                break
    for client in (a, b):
        client.call("DISCARD")
    a.close(), b.close()
    return differences


def same_data(ours, oracle, when, out):
    x, y = dataset(ours), dataset(oracle)
    if strip(x) == strip(y):
        return 0
    for db in sorted(set(x) | set(y)):
        for key in sorted(set(x.get(db, {})) | set(y.get(db, {}))):
            p, q = x.get(db, {}).get(key), y.get(db, {}).get(key)
            if strip_value(p) != strip_value(q):
                print(f"{when}: db {db} key {key!r}\n  ours   {p!r}\n  oracle {q!r}", file=out)
    return 1


def strip_value(value):
    return None if value is None else (value[0], value[1], value[2] > 0)


def strip(data):
    return {db: {key: strip_value(value) for key, value in keys.items()} for db, keys in data.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", help="the multi-call binary to test")
    parser.add_argument("--commands", type=int, default=4000, help="per seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.binary:
        processes.HOLDFAST = os.path.abspath(options.binary)
    failures = 0
    with World() as world:
        ours, oracle = world.server("ours"), world.server("original")
        for seed in range(options.seed, options.seed + options.seeds):
            for server in (ours, oracle):
                server.call("FLUSHALL")
            failures += compare(seed, options.commands, ours, oracle, sys.stdout)
            failures += same_data(ours, oracle, f"seed {seed}", sys.stdout)
            ours.call("DEBUG", "RELOAD")
            failures += same_data(ours, oracle, f"seed {seed} after a reload of ours", sys.stdout)
            print(f"seed {seed}: {options.commands} commands compared", flush=True)
    print(f"{'FAILED' if failures else 'ok'}: {failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
