#!/usr/bin/env python3
"""Half of the keys deleted at random, then filled up with values of other sizes: resident memory stays near what is used.

Without compaction the holes that the deleted keys leave fit none of the new values: 1.63 of what is used. How much of that is
seen at the end of the churn depends on how far compaction is by then.
"""
import random
import sys

from processes import World, wait_for

KEYS = 1000000
BOUND = 1.25


def resident_and_used(client, idle):
    memory = client.info("memory")
    return int(memory["used_memory_rss"]) - idle, int(memory["used_memory"])


def main():
    order = list(range(KEYS))
    random.Random(1).shuffle(order)
    with World() as world:
        server = world.server("ours")
        with server.client(timeout=60) as client:
            idle = int(client.info("memory")["used_memory_rss"])
            client.call("DEBUG", "POPULATE", KEYS, "key", 40)
            for first in range(0, KEYS // 2, 1000):
                client.call("DEL", *[f"key:{i}" for i in order[first:first + 1000]])
            client.call("DEBUG", "POPULATE", KEYS // 4, "other", 150)
            resident, used = resident_and_used(client, idle)
            print(f"{resident >> 20} MB resident for {used >> 20} MB at the end of the churn: {resident / used:.2f}")
            def dense():
                resident, used = resident_and_used(client, idle)
                return resident <= used * BOUND and (resident, used)
            try:
                resident, used = wait_for("resident memory to come down", dense, 120)
            finally:
                print(client.call("INFO", "memory").decode())
            print(f"{resident >> 20} MB resident for {used >> 20} MB after compaction: {resident / used:.2f}")
            sample = random.Random(2).sample(order[KEYS // 2:], 1000)
            for i in sample:
                value = client.call("GET", f"key:{i}")
                if value is None or len(value) != 40:
                    print(f"FAILED: key:{i} holds {value!r}")
                    return 1
            if client.call("DBSIZE") != KEYS // 2 + KEYS // 4:
                print("FAILED: keys are missing")
                return 1
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
