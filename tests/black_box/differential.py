#!/usr/bin/env python3
"""Random commands to our data server and to Debian's redis-server: replies, then datasets, then reloaded datasets.

The same seed gives the same commands (random_commands.py). Commands whose answers differ by version (7.0 against 7.2) or
by chance are compared in a normal form; `normal()` says how. Even seeds speak RESP3. A second pair of servers runs with
tiny encoding limits, so that every value goes through its large form. A difference prints the last commands that named the
same key. Runs as a test with a fixed number of commands; `--commands`, `--seed` and `--binary` serve longer hunts.
`--each-family N` goes on until every family has had N commands of its own, `--jobs` families side by side.
"""
import argparse
import collections
import concurrent.futures
import io
import os
import re
import sys
import time

import processes
from processes import Error, World, dataset
from random_commands import WEIGHTS, Generator

DIFFERENCES_SHOWN = 10
BATCH = 16  # commands on their way at once
TINY_LIMITS = ["--hash-max-listpack-entries", "3", "--hash-max-listpack-value", "20", "--list-max-listpack-size", "3",
               "--set-max-intset-entries", "3", "--zset-max-listpack-entries", "3", "--zset-max-listpack-value", "5"]
# 7.0 prints doubles with 17 digits, 7.2 with as few as read back: long texts are compared as numbers.
LONG_NUMBER = re.compile(rb"-?(\d+\.\d+|\d{17,}|\d+(\.\d+)?e[+-]?\d+)(e[+-]?\d+)?$")


UNORDERED = {"KEYS", "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SCAN", "HSCAN", "SSCAN", "HRANDFIELD",
             "SRANDMEMBER", "SPOP", "ZRANDMEMBER", "ZSCAN"}
TIMED = {"PTTL", "TTL", "EXPIRETIME", "PEXPIRETIME"}


def flat(value):
    if isinstance(value, dict):
        value = [item for pair in value.items() for item in pair]
    if isinstance(value, list):
        return [item for part in value for item in flat(part)]
    return [value]


def numbers(value):
    """Long decimal texts as the numbers they stand for."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if value == b"-0":
        return b"0"  # 7.2 forgets the sign of a zero in a small sorted set
    if isinstance(value, float):
        return value + 0.0
    return float(value) if isinstance(value, bytes) and LONG_NUMBER.match(value) else value


def stream_reply(words, reply):
    """Without times, and without what 7.2 has and 7.0 has not: XCLAIM makes its consumer even if it claims nothing."""
    if isinstance(reply, Error):
        return next((word for word in ("nbalanced", "max_deleted", "smaller than", "NOGROUP") if word in reply), reply)
    name, what = words[0].upper(), words[1]
    if what == "CREATECONSUMER" and isinstance(reply, int):
        return "consumer"
    if not isinstance(reply, (list, dict)):
        return reply
    if name == "XPENDING" and len(words) > 3:
        return [[*item[:2], *item[3:]] for item in reply]
    if name == "XINFO" and what == "GROUPS":
        return [dict_of(item, "consumers") for item in reply]
    if name == "XINFO" and what == "CONSUMERS":
        return [item for item in (dict_of(one, "idle", "inactive") for one in reply) if item[b"pending"]]
    if name == "XINFO" and len(words) > 3:
        full = dict_of(reply)
        full[b"groups"] = [dict_of(group, "pending", "consumers") for group in full[b"groups"]]
        return full
    return reply


def dict_of(pairs, *without):
    pairs = pairs if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2]))
    return {key: value for key, value in pairs.items() if key.decode() not in without}


def normal(words, reply):
    """The part of a reply that both servers must agree on."""
    name = str(words[0]).upper()
    if len(words) == 2 and str(words[1]).upper() == "HELP" and isinstance(reply, list):
        return reply[:-1]  # 7.0 prints this help, 7.2 print it
    if name.startswith("X") and len(words) > 1:
        return stream_reply(list(map(str, words)), reply)
    if name.startswith(("Z", "BZ", "GEO")):
        reply = numbers(reply)
    if name in UNORDERED and isinstance(reply, (list, dict)):
        return sorted(map(repr, flat(reply)))
    if name == "OBJECT" and reply in (b"quicklist", b"listpack", b"hashtable", b"skiplist"):
        return "collection"  # 7.2 added compact lists and sets; their thresholds have conversations of their own
    if name == "OBJECT" and isinstance(reply, int):
        return "count"  # the original shares small integers; idle seconds depend on the moment
    if name in ("SORT", "SORT_RO") and "ALPHA" in words and isinstance(reply, list):
        reply = [item and item.split(b"\0")[0] for item in reply]  # the original compares up to a NUL
    if name == "COMMAND" and len(words) == 3:
        return "one word"  # 7.0 wants more
    if name in ("SORT", "SORT_RO") and "sortable3" in words and ("nosort" in words or "#" in words) and isinstance(reply, list):
        return len(reply)  # a set's own order
    if name in TIMED and isinstance(reply, int) and reply > 0:
        return "positive"
    if name == "CLIENT" and len(words) > 1 and str(words[1]).upper() == "ID":
        return type(reply)
    if name == "LPOS" and "-9223372036854775808" in words:
        return "error"  # 7.2 refuses this rank before it looks at the key
    if name in ("ZRANK", "ZREVRANK") and len(words) == 4:
        return "with score"  # 7.2 only
    if isinstance(reply, Error) and reply.startswith("ERR unknown subcommand"):
        return reply.split(". Try")[0]
    return reply


def excused(words, _, y):
    """Differences that are faults of the original."""
    # 7.0 does not reset errno before it reads a weight: an earlier overflow makes it refuse good numbers.
    return words[0] in ("SORT", "SORT_RO") and str(y).startswith("ERR One or more scores")


def same(words, x, y, queue):
    if words[0] == "EXEC" and isinstance(x, list) and isinstance(y, list) and len(x) == len(y) == len(queue):
        return all(same(queued, p, q, ()) for queued, p, q in zip(queue, x, y))
    return repr(normal(words, x)) == repr(normal(words, y)) or excused(words, x, y)


def show(seed, index, words, x, y, history, out):
    print(f"seed {seed} command {index}: {words!r}\n  ours   {x!r}\n  oracle {y!r}", file=out)
    for earlier in [h for h in history if len(words) > 1 and words[1] in h[1:]][-6:]:
        print(f"    after {earlier!r}", file=out)


def compare(seed, commands, ours, oracle, out, generator=None):
    generator = generator or Generator(seed)
    differences = 0
    queue, history = [], collections.deque(maxlen=400)
    with ours.client() as a, oracle.client() as b:
        if seed % 2 == 0:
            a.call("HELLO", "3"), b.call("HELLO", "3")
        for index, words, x, y in asked(generator, commands, a, b):
            if x == "QUEUED":
                queue.append(words)
            elif str(words[0]).upper() == "MULTI" and x == "OK":
                queue = []
            if not same(words, x, y, queue):
                differences += 1
                show(seed, index, words, x, y, history, out)
                if differences >= DIFFERENCES_SHOWN:
                    break
            history.append(words)
        if differences < DIFFERENCES_SHOWN:
            for client in (a, b):
                client.call("DISCARD")
    return differences


def asked(generator, commands, a, b):
    """(number, command, reply of a, reply of b); some are on their way at once."""
    for first in range(0, commands, BATCH):
        batch = [generator.command() for _ in range(min(BATCH, commands - first))]
        for client in (a, b):
            client.send_many(batch)
        for index, words in enumerate(batch, first):
            yield index, words, a.read(), b.read()


def hunt(family, options):
    """One family until it has had its commands; prints how many. A process of its own."""
    os.nice(19)
    out, failures, done, seed = io.StringIO(), 0, 0, options.seed
    with World() as world:
        pairs = [(world.server("ours", *limits), world.server("original", *limits)) for limits in ([], TINY_LIMITS)]
        end = time.monotonic() + options.minutes * 60
        while done < options.each_family and not failures and time.monotonic() < end:
            ours, oracle = pairs[seed // 2 % 2]
            for server in (ours, oracle):
                server.call("FLUSHALL")
            generator = Generator(seed, family)
            failures += compare(seed, options.commands, ours, oracle, out, generator)
            failures += same_data(ours, oracle, f"{family}: seed {seed}", out)
            done += generator.made[family]
            seed += 1
    print(f"{out.getvalue()}{family}: {done} commands of its own in seeds {options.seed} to {seed - 1}, {failures} differences", flush=True)
    return failures


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
    return None if value is None else (value[0], numbers(value[1]) if value[0] == "zset" else value[1], value[2] > 0)


def strip(data):
    return {db: {key: strip_value(value) for key, value in keys.items()} for db, keys in data.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", help="the multi-call binary to test")
    parser.add_argument("--commands", type=int, default=4000, help="per seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--each-family", type=int, default=0, metavar="N")
    parser.add_argument("--families", type=lambda text: text.split(","), default=list(WEIGHTS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=float, default=10**6, help="per family: it may end with fewer")
    options = parser.parse_args()
    if options.binary:
        processes.HOLDFAST = os.path.abspath(options.binary)
    if options.each_family:
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            failures = sum(pool.map(hunt, options.families, [options] * len(options.families)))
        return 1 if failures else 0
    failures = 0
    with World() as world:
        pairs = [(world.server("ours", *limits), world.server("original", *limits)) for limits in ([], TINY_LIMITS)]
        for seed in range(options.seed, options.seed + options.seeds):
            ours, oracle = pairs[seed // 2 % 2]
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
