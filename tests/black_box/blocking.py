#!/usr/bin/env python3
"""Clients that wait for keys, on our server and on the original at once: who is served with what must be equal.

One client writes, some wait with random blocking commands. After every write both servers must have answered the same
waiters alike. Replicas (the original of ours, ours of ours) hold the same data at the end: what is propagated is the
command that does not wait.
"""
import argparse
import random
import select
import sys

from processes import World, dataset, wait_for

# Of one type each: 7.2 runs a command again as a whole and meets keys of another type, 7.0 looks at the ready key only.
LISTS = ["la", "lb", "lc"]
# Lists are waited for one at a time: when one write fills several, 7.2 takes from the first named, 7.0 from the first filled.
SETS = ["za", "zb", "zc"]
WAITERS = 6


def blocking_command(rng):
    key = lambda: rng.choice(LISTS)
    end = lambda: rng.choice(["LEFT", "RIGHT"])
    zset = lambda: rng.choice(SETS)
    return rng.choice([
        lambda: [rng.choice(["BLPOP", "BRPOP"]), key(), "0"],
        lambda: ["BLMOVE", key(), key(), end(), end(), "0"], lambda: ["BRPOPLPUSH", key(), key(), "0"],
        lambda: ["BLMPOP", "0", "1", key(), end(), "COUNT", str(rng.randint(1, 3))],
        lambda: [rng.choice(["BZPOPMIN", "BZPOPMAX"]), *rng.sample(SETS, rng.randint(1, 3)), "0"],
        lambda: ["BZMPOP", "0", "2", zset(), zset(), rng.choice(["MIN", "MAX"]), "COUNT", str(rng.randint(1, 3))],
    ])()


def write_command(rng, number):
    keys = rng.choice([LISTS, SETS])
    names = [f"e{number}-{i}" for i in range(rng.randint(1, 3))]
    return rng.choice([
        lambda: [rng.choice(["LPUSH", "RPUSH"]), rng.choice(LISTS), *names],
        lambda: ["ZADD", rng.choice(SETS), *[w for name in names for w in (str(rng.randint(1, 9)), name)]],
        lambda: ["DEL", rng.choice(keys)], lambda: ["RENAME", rng.choice(keys), rng.choice(keys)], lambda: ["DEL", *keys],
    ])()


class Side:
    """One server with its writer and its waiters."""

    def __init__(self, server):
        self.server = server
        self.writer = server.client()
        self.waiters = [server.client() for _ in range(WAITERS)]

    def write(self, words):
        reply = self.writer.call(*words)
        for _ in range(2):  # what was served has left before the second answer
            self.writer.call("PING")
        return reply

    def ask(self, index, words):
        """Sends and waits until the server has read it: it answers, or CLIENT LIST says that it is blocked."""
        name = f"waiter{index}"
        self.waiters[index].call("CLIENT", "SETNAME", name)
        self.waiters[index].send(*words)

        def read():
            lines = self.writer.call("CLIENT", "LIST").decode().splitlines()
            mine = next(line for line in lines if f" name={name} " in line)
            return f" cmd={words[0].lower()} " in mine
        wait_for("the request to arrive", read)
        for _ in range(2):
            self.writer.call("PING")

    def answer_of(self, index):
        """The reply a waiter has got, or None if it still waits."""
        client = self.waiters[index]
        if not client.buffer and not select.select([client.socket], [], [], 0)[0]:
            return None
        return ("reply", client.read())


def play(sides, seed, steps):
    rng = random.Random(seed)
    waiting = [None] * WAITERS
    for number in range(steps):
        free = [i for i in range(WAITERS) if waiting[i] is None]
        if free and rng.random() < 0.5:
            index = rng.choice(free)
            words = waiting[index] = blocking_command(rng)
            for side in sides:
                side.ask(index, words)
        else:
            words = write_command(rng, number)
            replies = [side.write(words) for side in sides]
            if replies[0] != replies[1]:
                print(f"seed {seed} step {number}: {words}: ours {replies[0]!r}, original {replies[1]!r}")
                return False
        for index in range(WAITERS):
            if waiting[index] is None:
                continue
            ours, original = (side.answer_of(index) for side in sides)
            if ours != original:
                print(f"seed {seed} step {number}: after {words} waiter {index} with {waiting[index]}: ours {ours!r}, "
                      f"original {original!r}")
                return False
            if ours is not None:
                waiting[index] = None
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    good = True
    with World() as world:
        ours, oracle = world.server("ours"), world.server("original")
        replicas = [world.replica("original", ours), world.replica("ours", ours)]
        for replica in replicas:
            wait_for("the link", lambda replica=replica: replica.info("replication").get("master_link_status") == "up")
        for seed in range(options.seed, options.seed + options.seeds):
            for server in (ours, oracle):
                server.call("FLUSHALL")
            good &= play([Side(ours), Side(oracle)], seed, options.steps)
        expected = dataset(ours)
        for replica in replicas:
            wait_for(f"{replica.name} to hold the same", lambda replica=replica: dataset(replica) == expected)
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
