#!/usr/bin/python3
"""A full synchronization while the primary is written to: afterwards both hold the same, key for key.

Usage: sync_under_writes.py [--ours "BINARY server"] [--original redis-server] [--seed 1]

Three pairs: ours feeding the original, the original feeding ours, ours feeding ours. The writer touches keys of every
type, old and new, from before the replica connects until after its link is up, so that the image of the cut and the
stream behind it must fit exactly: INCR, APPEND, RPUSH applied twice or not at all would show.
"""

import argparse
import random
import sys
import tempfile
import threading
import time

import redis

from processes import HOLDFAST
from rdb_exchange import Server, compare, content, fill

BASE_KEYS = 25_000
TOUCHED_KEYS = 35_000  # more than BASE_KEYS: some are new
WRITES_AFTER_LINK = 50_000
LINK_WAIT_SECONDS = 60


class Writer(threading.Thread):
    """Pipelines of random writes until told to stop; `written` counts them."""

    def __init__(self, server, seed):
        super().__init__()
        self.client = server.client()
        self.rng = random.Random(seed)
        self.written = 0
        self.stopping = threading.Event()

    def one(self, pipe):
        rng = self.rng
        name = b"base%d" % rng.randrange(TOUCHED_KEYS)
        kind = rng.randrange(9)
        if kind == 0:
            pipe.delete(name)
        elif kind == 1:
            pipe.append(name, b"z")
        elif kind == 2:
            pipe.set(name, b"n", px=rng.randrange(10**6, 10**7))
        elif kind == 3:
            pipe.hset(b"hash%d" % rng.randrange(50), b"field%d" % rng.randrange(300), b"q" * rng.randrange(90))
        elif kind == 4:
            pipe.rpush(b"list%d" % rng.randrange(50), b"element")
        elif kind == 5:
            pipe.incr(b"count%d" % rng.randrange(100))
        elif kind == 6:
            pipe.sadd(b"set%d" % rng.randrange(20), rng.randrange(3000))
        elif kind == 7:
            pipe.zincrby(b"zset%d" % rng.randrange(20), 1, b"member%d" % rng.randrange(500))
        else:
            pipe.set(name, b"w" * rng.randrange(500))

    def run(self):
        while not self.stopping.is_set():
            pipe = self.client.pipeline(transaction=False)
            for _ in range(50):
                self.one(pipe)
            pipe.execute(raise_on_error=True)
            self.written += 50


def wait_for(what, condition):
    deadline = time.monotonic() + LINK_WAIT_SECONDS
    while True:
        try:
            if condition():
                return
        except redis.exceptions.RedisError:
            pass  # loading
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def synchronize(primary_command, replica_command, seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
            Server(primary_command, one) as primary:
        pipe = primary.client().pipeline(transaction=False)
        for number in range(BASE_KEYS):
            pipe.set(b"base%d" % number, b"v" * rng.randrange(60))
        pipe.execute()
        fill(primary, rng, ["string", "list", "set", "hash", "zset"], 300)
        writer = Writer(primary, seed + 1)
        writer.start()
        try:
            with Server(replica_command, two, ["--replicaof", "127.0.0.1", str(primary.port)]) as replica:
                def link():
                    return replica.client().info("replication")
                wait_for("link", lambda: link().get("master_link_status") == "up")
                goal = writer.written + WRITES_AFTER_LINK
                wait_for("writes", lambda: writer.written >= goal)
                writer.stopping.set()
                writer.join()
                wait_for("offset", lambda: link()["slave_repl_offset"] ==
                         primary.client().info("replication")["master_repl_offset"])
                what = f"{primary_command} -> {replica_command}, {writer.written} writes meanwhile"
                return compare(what, content(primary), content(replica))
        finally:
            writer.stopping.set()
            writer.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default=f"{HOLDFAST} server")
    parser.add_argument("--original", default="redis-server")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    good = True
    for primary, replica in [(options.ours, options.original), (options.original, options.ours),
                             (options.ours, options.ours)]:
        good &= synchronize(primary, replica, options.seed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
