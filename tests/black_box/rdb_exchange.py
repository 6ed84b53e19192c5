#!/usr/bin/python3
"""Dump files between this server and the original: each loads what the other saved, value for value.

Usage: rdb_exchange.py [--ours "BINARY server"] [--original redis-server]

Every pass writes random values of all types the server under test knows, saves, starts the other server over the same
file and compares everything. The original writes in several configurations, so that each of its encodings is read.
"""

import argparse
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time

import redis

from processes import HOLDFAST, free_port

LOAD_WAIT_SECONDS = 30
WRITER_CONFIGS = [
    [],
    ["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "0",
     "--rdbcompression", "no"],
    ["--hash-max-listpack-entries", "5000", "--hash-max-listpack-value", "9000", "--zset-max-listpack-entries", "5000",
     "--zset-max-listpack-value", "9000", "--set-max-intset-entries", "5000", "--list-max-listpack-size", "-5"],
    ["--list-max-listpack-size", "2", "--list-compress-depth", "1", "--rdbchecksum", "no"],
]


class Server:
    """One server process over one directory, each on a free port; waits until it answers and has loaded."""

    def __init__(self, command, directory, options=()):
        self.port = port = free_port()
        arguments = shlex.split(command) + [
            "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--logfile",
            os.path.join(directory, "log"), "--enable-debug-command", "yes", *options]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + LOAD_WAIT_SECONDS
        while True:
            try:
                self.client().ping()
                return
            except redis.exceptions.RedisError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.02)

    def client(self, db=0):
        return redis.Redis(port=self.port, db=db)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def knows(client, command):
    """Whether the command has a handler: without arguments it complains about their number."""
    try:
        client.execute_command(command)
    except redis.exceptions.ResponseError as error:
        return "unknown command" not in str(error)
    return True


def text(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return str(rng.randrange(-2**63, 2**63)).encode()
    if kind == 1:
        return str(rng.randrange(-300, 70000)).encode()
    if kind == 2:
        return rng.choice([b"a", b"bc", b"xyz"]) * rng.randrange(1, 3000)
    if kind == 3:
        return rng.randbytes(rng.randrange(200))
    return b"text%d" % rng.randrange(1000)


def fill(server, rng, types, keys=400):
    for number in range(keys):
        client = server.client(rng.randrange(3)) if number % 50 == 0 else client
        name = b"key%d:" % number + text(rng)[:40]
        count = rng.randrange(1, 700 if rng.randrange(15) == 0 else 30)
        values = [text(rng) for _ in range(count)]
        kind = rng.choice(types)
        if kind == "string":
            client.set(name, values[0])
        elif kind == "list":
            client.rpush(name, *values)
        elif kind == "set":
            client.sadd(name, *(values if rng.randrange(2) else range(count)))
        elif kind == "hash":
            client.hset(name, mapping={value: text(rng) for value in values})
        elif kind == "stream":
            fill_stream(client, name, rng, values)
        else:
            client.zadd(name, {value: rng.choice([rng.randrange(100), rng.random() * 1e9, float("-inf")])
                               for value in values})
        if rng.randrange(4) == 0:
            client.pexpireat(name, 4_000_000_000_000 + rng.randrange(10**6))


def fill_stream(client, name, rng, values):
    for ms, value in enumerate(values, 1):
        fields = {b"field": value, b"other": b"%d" % ms} if rng.randrange(4) else {value: text(rng)}
        client.xadd(name, fields, id=f"{ms * 1000}-{rng.randrange(9)}" if ms % 2 else f"{ms * 1000}-*")
    ids = [id for id, _ in client.xrange(name)]
    for number in range(rng.randrange(3)):
        group = b"group%d" % number + text(rng)[:30]
        client.xgroup_create(name, group, id=rng.choice(["0", "$", ids[len(ids) // 2]]))
        for consumer in (b"first", text(rng)[:40]):
            client.xreadgroup(group, consumer, {name: ">"}, count=rng.randrange(1, 20), noack=rng.randrange(5) == 0)
        client.xack(name, group, *rng.choices(ids, k=3))
    client.xdel(name, *rng.choices(ids, k=rng.randrange(1, 8)))
    if rng.randrange(3) == 0:
        client.xtrim(name, maxlen=rng.randrange(len(ids)), approximate=False)


def without(reply, name):
    """The nested reply without the pair of this name."""
    if not isinstance(reply, list):
        return reply
    at = reply.index(name) if name in reply else len(reply)
    return [without(item, name) for item in reply[:at] + reply[at + 2:]]


def stream_content(client, name):
    """All that both versions keep: version 7.0 has no active times."""
    client.set_response_callback("XINFO STREAM", lambda reply, **_: reply)
    full = client.execute_command("XINFO STREAM", name, "FULL", "COUNT", 0)
    return without(full, b"active-time"), client.execute_command("XINFO STREAM", name)


def content(server):
    result = {}
    for db in range(16):
        client = server.client(db)
        for name in client.keys("*"):
            kind = client.type(name).decode()
            value = {
                "string": lambda: client.get(name),
                "list": lambda: client.lrange(name, 0, -1),
                "set": lambda: client.smembers(name),
                "hash": lambda: client.hgetall(name),
                "zset": lambda: client.zrange(name, 0, -1, withscores=True),
                "stream": lambda: stream_content(client, name),
            }[kind]()
            # Both clocks may differ by a moment; the expiry itself may not.
            result[db, name] = (kind, value, client.execute_command("PEXPIRETIME", name))
    return result


def compare(what, expected, found):
    if expected == found:
        print(f"ok: {what}: {len(found)} keys")
        return True
    print(f"FAILED: {what}: {len(expected)} keys expected, {len(found)} found")
    for key in sorted(set(expected) | set(found)):
        if expected.get(key) != found.get(key):
            print("  ", key, str(expected.get(key))[:120], "!=", str(found.get(key))[:120])
            break
    return False


def exchange_file(writer, reader, options, rng, types, check):
    with tempfile.TemporaryDirectory() as directory:
        with Server(writer, directory, options) as server:
            fill(server, rng, types)
            expected = content(server)
            server.client().save()
        path = os.path.join(directory, "dump.rdb")
        good = True
        if check:
            result = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True, check=False)
            if result.returncode != 0:
                print("FAILED: redis-check-rdb:", result.stdout[-400:])
                good = False
        with Server(reader, directory) as server:
            good &= compare(f"{writer} {' '.join(options)} -> {reader}", expected, content(server))
            server.client().execute_command("DEBUG", "RELOAD")
            good &= compare(f"{reader} reloaded", expected, content(server))
        return good


def exchange_payloads(writer, reader, rng, types):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        with Server(writer, one) as source, Server(reader, two) as target:
            if not (knows(source.client(), "DUMP") and knows(target.client(), "RESTORE")):
                print(f"skipped: DUMP of {writer} to RESTORE of {reader}: not there yet")
                return True
            fill(source, rng, types)
            for db in range(3):
                for name in source.client(db).keys("*"):
                    expiry = max(source.client(db).execute_command("PEXPIRETIME", name), 0)
                    target.client(db).restore(name, expiry, source.client(db).dump(name), absttl=True)
            return compare(f"DUMP {writer} -> RESTORE {reader}", content(source), content(target))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default=f"{HOLDFAST} server")
    parser.add_argument("--original", default="redis-server")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as directory, Server(options.ours, directory) as server:
        types = ["string", "list", "set", "hash"] + [kind for kind, command in (("zset", "ZADD"), ("stream", "XADD"))
                                                     if knows(server.client(), command)]
    good = True
    for config in WRITER_CONFIGS:
        good &= exchange_file(options.original, options.ours, config, rng, types, False)
    good &= exchange_file(options.ours, options.original, [], rng, types, True)
    good &= exchange_payloads(options.original, options.ours, rng, types)
    good &= exchange_payloads(options.ours, options.original, rng, types)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
