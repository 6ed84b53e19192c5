#!/usr/bin/python3
"""The same random commands to this server and to the original; every reply must be equal.

Usage: differential.py --ours "build/dev/holdfast server" [--original redis-server] [--port 21050] [--seed 1]
                       [--commands 20000]

Commands are deterministic ones on few keys, so that types collide and values grow and shrink through their encodings; a
second pass runs with tiny encoding limits. Replies without a defined order are sorted. A difference prints the last
commands that touched the same key; the seed repeats the run. Commands the server does not have yet are left out and named.
"""

import argparse
import random
import sys
import tempfile

import redis

from rdb_exchange import Server

DIFFERENCES_SHOWN = 10
TINY_LIMITS = ["--hash-max-listpack-entries", "6", "--hash-max-listpack-value", "20", "--list-max-listpack-size", "3",
               "--set-max-intset-entries", "5"]
UNORDERED = {b"HKEYS", b"HVALS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"KEYS"}

# One command a line. k = key, e = element, i = small index, n = count, e+ = one to many, p+ = pairs.
COMMANDS = b"""
LPUSH k e+|RPUSH k e+|LPUSHX k e|RPUSHX k e|LPOP k|RPOP k n|LLEN k|LRANGE k i i|LINDEX k i|LSET k i e
LINSERT k BEFORE e e|LINSERT k AFTER e e|LREM k i e|LTRIM k i i|LPOS k e RANK i COUNT 0|LPOS k e MAXLEN n
LMOVE k k LEFT RIGHT|LMOVE k k RIGHT RIGHT|RPOPLPUSH k k|LMPOP 2 k k LEFT COUNT n
HSET k p+|HGET k e|HDEL k e+|HLEN k|HMGET k e e|HEXISTS k e|HINCRBY k e i|HINCRBYFLOAT k e 1.25|HSETNX k e e
HSTRLEN k e|HKEYS k|HVALS k|HGETALL k
SADD k e+|SREM k e+|SISMEMBER k e|SMISMEMBER k e e|SCARD k|SMEMBERS k|SMOVE k k e|SINTER k k|SUNION k k|SDIFF k k
SINTERSTORE k k k|SUNIONSTORE k k k|SDIFFSTORE k k k|SINTERCARD 2 k k LIMIT n
ZADD k s e s e|ZADD k NX s e|ZADD k GT CH s e|ZINCRBY k s e|ZREM k e+|ZSCORE k e|ZRANK k e|ZREVRANK k e|ZCARD k
ZRANGE k i i WITHSCORES|ZRANGEBYSCORE k s s|ZCOUNT k s s|ZREMRANGEBYRANK k i i|ZPOPMIN k n
SET k e|SET k e NX|SET k e XX|SET k e KEEPTTL|SET k e GET|SET k e EX n|GET k|GETDEL k|GETEX k PERSIST|GETRANGE k i i
SETRANGE k n e|APPEND k e|STRLEN k|INCRBY k i|DECR k|INCRBYFLOAT k 0.5|MSET k e k e|MSETNX k e k e|MGET k k|SETNX k e
GETSET k e|SETBIT k n 1|GETBIT k n|BITCOUNT k
DEL k|UNLINK k|EXISTS k k|TYPE k|RENAME k k|RENAMENX k k|COPY k k|COPY k k REPLACE|PERSIST k|EXPIRE k i|EXPIREAT k x NX
EXPIREAT k x XX|EXPIREAT k x GT|EXPIREAT k x LT|EXPIRETIME k|DBSIZE|KEYS k1*|TOUCH k k
"""


class Generator:
    """Turns a line of COMMANDS into words; `keys` and `members` bound the universe."""

    def __init__(self, seed, keys, members):
        self.rng = random.Random(seed)
        self.keys = keys
        self.members = members
        self.templates = [line.split() for line in COMMANDS.strip().replace(b"\n", b"|").split(b"|")]

    def element(self):
        rng = self.rng
        return rng.choice([
            lambda: b"%d" % rng.randrange(-5, self.members), lambda: b"m%d" % rng.randrange(self.members),
            lambda: b"x" * rng.randrange(70), lambda: b"%d" % rng.randrange(-2**40, 2**40), lambda: b"",
            lambda: rng.randbytes(3), lambda: b"1.5"])()

    def words(self, word):
        rng = self.rng
        if word == b"k":
            return [b"k%d" % rng.randrange(self.keys)]
        if word == b"e":
            return [self.element()]
        if word == b"e+":
            return [self.element() for _ in range(rng.randrange(1, 20))]
        if word == b"p+":
            return [self.element() for _ in range(2 * rng.randrange(1, 5))]
        if word == b"i":
            return [b"%d" % rng.randrange(-12, 13)]
        if word == b"n":
            return [b"%d" % rng.randrange(0, 60)]
        if word == b"s":
            return [rng.choice([b"%d" % rng.randrange(-20, 20), b"1.5", b"-inf", b"+inf", b"3e10"])]
        if word == b"x":
            return [b"%d" % (4 * 10**9 + rng.randrange(5))]
        return [word]

    def command(self):
        return [word for part in self.rng.choice(self.templates) for word in self.words(part)]


def ask(client, command):
    try:
        return client.execute_command(*command)
    except redis.exceptions.ResponseError as error:
        return str(error)


def ordered(command, reply):
    if not isinstance(reply, list):
        return reply
    if command[0] == b"HGETALL":
        return sorted(zip(reply[::2], reply[1::2]))
    return sorted(reply) if command[0] in UNORDERED else reply


def run(options, settings, keys, members):
    generator = Generator(options.seed, keys, members)
    missing = set()
    history = []
    differences = 0
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
            Server(options.original, one, options.port, settings) as original, \
            Server(options.ours, two, options.port, settings) as ours:
        clients = [original.client(), ours.client()]
        for client in clients:
            client.response_callbacks.clear()
        for number in range(options.commands):
            command = generator.command()
            if command[0] in missing:
                continue
            expected, found = (ordered(command, ask(client, command)) for client in clients)
            if isinstance(found, str) and "unknown command" in found:
                missing.add(command[0])
                for client in clients:
                    client.execute_command("FLUSHALL")
                continue
            history = history[-300:] + [command]
            if expected == found:
                continue
            differences += 1
            print(f"FAILED: command {number}: {command}\n  original {str(expected)[:300]}\n  ours     {str(found)[:300]}")
            for earlier in [c for c in history if len(command) > 1 and command[1] in c[1:]][-8:-1]:
                print("    after", earlier)
            if differences == DIFFERENCES_SHOWN:
                break
    print(f"{'ok' if differences == 0 else 'FAILED'}: seed {options.seed}: {options.commands} commands, "
          f"{differences} differences; not there yet: {b' '.join(sorted(missing)).decode() or 'none'}")
    return differences == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--original", default="redis-server")
    parser.add_argument("--port", type=int, default=21050)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", type=int, default=20000)
    options = parser.parse_args()
    good = run(options, [], 25, 40)
    good &= run(options, TINY_LIMITS, 8, 400)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
