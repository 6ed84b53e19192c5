#!/usr/bin/python3
"""Measures ours against Debian's originals in one run; see bench/README.md."""
import argparse
import json
import os
import pathlib
import platform
import random
import re
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/black_box"))
os.environ.setdefault("HOLDFAST", str(ROOT / "build/release/holdfast"))
import failover  # noqa: E402
import many  # noqa: E402
import stalls  # noqa: E402
import processes  # noqa: E402
import stress  # noqa: E402
from processes import Client, Error, World, free_port, wait_for, wait_synced  # noqa: E402

LOAD = ROOT / "build/release/bench/load"
NULL = ROOT / "build/release/bench/null"
TICKS = os.sysconf("SC_CLK_TCK")
ON_DEMAND = ("stress",)  # takes an hour


def version(program, *words):
    out = subprocess.run([program, *words], capture_output=True, text=True).stdout
    match = re.search(r"(?:v=|version )([0-9.]+)", out)
    return match.group(1) if match else "?"


def record(figure):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    dirty = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True,
                           text=True).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    row = {"commit": commit + ("+" if dirty else ""), "date": time.strftime("%Y-%m-%d"),
           "machine": f"{os.cpu_count()} cores {cpu} Linux {platform.release().split('-')[0]}",
           "peers": {"redis": version("redis-server", "--version"), "haproxy": version("haproxy", "-v")}, **figure}
    with open(ROOT / "bench/results.ndjson", "a") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(figure), flush=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pin(pid, core):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def load(port, operations, connections=50, pipeline=1, keys=1000000, value=64, fill=False):
    words = [LOAD, "--port", port, "--operations", operations, "--connections", connections, "--pipeline", pipeline, "--keys",
             keys, "--value", value] + (["--fill"] if fill else [])
    done = subprocess.run(["taskset", "-c", "1", *map(str, words)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def summary(values):
    return {"median": round(statistics.median(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


def compare_cpu(name, targets, options):
    """`targets`: {"ours": (pid, port), "original": ...}: CPU microseconds per operation, interleaved."""
    for pipeline in options.pipelines:
        operations = {1: 150000, 16: 1000000, 64: 2000000}.get(pipeline, 500000) // options.scale
        per_op = {kind: [] for kind in targets}
        rate = {kind: [] for kind in targets}
        for _ in range(options.rounds):
            for kind, (pid, port) in targets.items():
                before = cpu_seconds(pid)
                result = load(port, operations, pipeline=pipeline)
                per_op[kind].append((cpu_seconds(pid) - before) / operations * 1e6)
                rate[kind].append(operations / result["seconds"])
        ratios = [a / b for a, b in zip(per_op["ours"], per_op["original"])]
        floor = {}
        if "floor" in per_op:
            floor = {"floor": summary(per_op["floor"]),
                     "over_floor": summary([a / b for a, b in zip(per_op["ours"], per_op["floor"])])}
        record({"figure": name, "workload": f"50 connections, pipeline {pipeline}, 4 GET : 1 SET, 64 B, 1 M keys",
                "unit": "CPU us/op", "rounds": options.rounds, "ours": summary(per_op["ours"]),
                "original": summary(per_op["original"]), "ratio": summary(ratios), **floor,
                "ops_per_s": {kind: round(statistics.median(values)) for kind, values in rate.items()}})


def bench_server(options):
    with World() as world:
        servers = {"ours": world.server("ours", *options.extra), "original": world.server("original")}
        port = free_port()
        servers["floor"] = world.run("null", [NULL, "--port", port], port)
        wait_for("the null server", lambda: Client(port).call("PING") == "PONG")
        for server in servers.values():
            pin(server.pid, 0)
            load(server.port, 1000000, pipeline=64, fill=True)
        compare_cpu("server CPU per operation", {kind: (s.pid, s.port) for kind, s in servers.items()}, options)


def compare_operations(name, workload, servers, options, run, amount):
    """`run(server)` does `amount` operations: CPU microseconds of the server for each, interleaved."""
    per_op = {kind: [] for kind in servers}
    for _ in range(options.rounds):
        for kind, server in servers.items():
            before = cpu_seconds(server.pid)
            run(server)
            per_op[kind].append((cpu_seconds(server.pid) - before) / amount * 1e6)
    record({"figure": name, "workload": workload, "unit": "CPU us/op", "rounds": options.rounds, "ours": summary(per_op["ours"]),
            "original": summary(per_op["original"]),
            "ratio": summary([a / b for a, b in zip(per_op["ours"], per_op["original"])])})


def loader(*words):
    done = subprocess.run(["taskset", "-c", "1", *map(str, words)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or done.stdout)


def bench_scripts(options):
    with World() as world:
        servers = {"ours": world.server("ours", *options.extra), "original": world.server("original")}
        text = "return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])}"
        for server in servers.values():
            pin(server.pid, 0)
            load(server.port, 1000000, pipeline=64, fill=True)
            sha = server.call("SCRIPT", "LOAD", text).decode()
        for pipeline in options.pipelines:
            amount = {1: 100000, 16: 300000, 64: 400000}.get(pipeline, 200000) // options.scale
            compare_operations("EVALSHA with three GETs", f"50 connections, pipeline {pipeline}, 64 B, 1 M keys", servers, options,
                               lambda server: loader(LOAD, "--port", server.port, "--operations", amount, "--connections", 50,
                                                     "--pipeline", pipeline, "--keys", 1000000, "--script", sha), amount)


def bench_pubsub(options):
    with World() as world:
        servers = {"ours": world.server("ours", *options.extra), "original": world.server("original")}
        for server in servers.values():
            pin(server.pid, 0)
        amount = 1000 // options.scale
        compare_operations("PUBLISH to 1,000 subscribers", "64 B, each waits until everybody has it", servers, options,
                           lambda server: loader(LOAD, "--port", server.port, "--operations", amount, "--subscribers", 1000), amount)


def bench_tls(options):
    """GET over TLS 1.3, unpipelined, by Debian's redis-benchmark."""
    with World() as world:
        directory = world.place("certificates")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout",
                        directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True)
        files = {"--tls-cert-file": directory / "cert.pem", "--tls-key-file": directory / "key.pem",
                 "--tls-ca-cert-file": directory / "cert.pem", "--tls-auth-clients": "no"}
        servers, ports = {}, {}
        for kind in ("ours", "original"):
            port = free_port()
            extra = options.extra if kind == "ours" else []
            servers[kind] = world.server(kind, "--tls-port", port, *[word for pair in files.items() for word in pair], *extra)
            ports[servers[kind]] = port
            pin(servers[kind].pid, 0)
            load(servers[kind].port, 1000000, pipeline=64, fill=True)
        amount = 100000 // options.scale
        compare_operations("GET over TLS", "50 connections, pipeline 1, 64 B, 1 M keys, redis-benchmark", servers, options,
                           lambda server: loader("redis-benchmark", "-p", ports[server], "--tls", "--cacert", directory / "cert.pem",
                                                 "-q", "-n", amount, "-c", 50, "-r", 1000000, "GET", "key:__rand_int__"), amount)


def tcp_config(listen, target):
    return f"""global
  nbthread 1
  maxconn 5000
defaults
  mode tcp
  timeout connect 3s
  timeout client 60s
  timeout server 60s
frontend fe
  bind 127.0.0.1:{listen}
  default_backend be
backend be
  server s1 127.0.0.1:{target} check inter 1s
"""


def bench_proxy(options):
    with World() as world:
        backend = world.server("original")
        pin(backend.pid, 1)
        load(backend.port, 1000000, pipeline=64, fill=True)
        targets = {}
        for kind in ("ours", "original"):
            port = free_port()
            proxy = world.proxy(kind, tcp_config(port, backend.port), port)
            pin(proxy.pid, 0)
            targets[kind] = (proxy.pid, port)
        compare_cpu("proxy CPU per operation", targets, options)


def private_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    # Clean pages belong to the program's file: they count as private only while nobody else runs it.
    return sum(int(value) for value in re.findall(r"^Private_Dirty:\s+(\d+)", text, re.M))


def bench_idle(options):
    figures = {}
    with World() as world:
        backend = world.server("original", "--maxclients", "9000")
        for kind in ("ours", "original"):
            port = free_port()
            proxy = world.proxy(kind, tcp_config(port, backend.port), port)
            clients = []
            def grow(count):
                while len(clients) < count:
                    client = Client(port)
                    client.call("PING")
                    clients.append(client)
                return private_kb(proxy.pid)
            low = grow(500)
            high = grow(2000)
            figures[kind] = round((high - low) * 1024 / 1500)
            for client in clients:
                client.close()
    record({"figure": "memory per idle proxied connection", "unit": "B private", "workload": "500 to 2000 connections, one PING each",
            **figures, "ratio": round(figures["ours"] / max(figures["original"], 1), 3)})


def resident(server):
    return int(server.info("memory")["used_memory_rss"])


def bench_memory(options):
    count = 1000000 // options.scale
    def strings(key, value):
        def fill(send):
            for i in range(count):
                send("SET", b"%0*d" % (key, i), b"v" * value)
        return fill
    def expiring(send):
        for i in range(count):
            send("SET", b"%010d" % i, b"v" * 16, "PXAT", 4102444800000)
    def one(command, member):
        def fill(send):
            for i in range(count):
                send(command, "big", *member(i))
        return fill
    def small_hashes(send):
        for i in range(count // 10):
            send("HSET", b"h%08d" % i, *[word for f in range(10) for word in (b"f%d" % f, b"v%d" % f)])
    shapes = {
        "10-byte key, 16-byte value": strings(10, 16),
        "16-byte key, 16-byte value": strings(16, 16),
        "10-byte key, 16-byte value, TTL": expiring,
        "set of 14-byte members": one("SADD", lambda i: (b"member%08d" % i,)),
        "hash of 13-byte fields and values": one("HSET", lambda i: (b"field%08d" % i, b"value%08d" % i)),
        "hashes of 10 small fields, per field": small_hashes,
    }
    if options.sorted_sets:
        shapes["sorted set of 14-byte members"] = one("ZADD", lambda i: (i, b"member%08d" % i))
    for name, fill in shapes.items():
        row = {"used": {}, "rss": {}}
        for kind in ("ours", "original"):
            with World() as world:
                server = world.server(kind)
                used, rss = int(server.info("memory")["used_memory"]), resident(server)
                pump(server, fill)
                row["used"][kind] = round((int(server.info("memory")["used_memory"]) - used) / count, 1)
                row["rss"][kind] = round((resident(server) - rss) / count, 1)
        record({"figure": "memory per key or member", "workload": f"{name}, {count}", "unit": "B", **row,
                "ratio": round(row["used"]["ours"] / row["used"]["original"], 3)})


def pump(server, fill):
    client = server.client(timeout=60)
    buffer, waiting = bytearray(), 0
    def flush():
        nonlocal waiting
        client.send_raw(bytes(buffer))
        buffer.clear()
        for _ in range(waiting):
            reply = client.read()
            if isinstance(reply, Error):
                raise RuntimeError(reply)
        waiting = 0
    def send(*words):
        nonlocal waiting
        buffer.extend(b"*%d\r\n" % len(words))
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            buffer.extend(b"$%d\r\n%s\r\n" % (len(word), word))
        waiting += 1
        if waiting == 500:
            flush()
    fill(send)
    flush()
    client.close()


class Writer(threading.Thread):
    """One connection that sets a new key every 2 ms and reconnects at once when it breaks."""

    def __init__(self, port, number, stop):
        super().__init__(daemon=True)
        self.port, self.number, self.stop = port, number, stop
        self.acknowledged, self.errors, self.times = [], 0, []

    def run(self):
        client, count = None, 0
        while not self.stop.is_set():
            key = f"w{self.number}:{count}"
            try:
                client = client or Client(self.port, timeout=2)
                reply = client.call("SET", key, "x")
                if reply != "OK":
                    self.errors += 1
                    client.close()
                    client = None
                else:
                    self.times.append(time.monotonic())
                    self.acknowledged.append(key)
                    count += 1
            except (OSError, EOFError, AssertionError):
                self.errors += 1
                client = None
            time.sleep(0.002)


def bench_failover(options):
    """The article's files (its own three seconds of patience), kill -9 of the primary under the writer."""
    for kind in ("ours", "original"):
        gaps, errors, lost = [], [], []
        for _ in range(options.failovers):
            gap, error, missing = one_failover(kind)
            gaps.append(gap)
            errors.append(error)
            lost.append(missing)
        record({"figure": "failover, the article's files, kill -9", "set": kind, "unit": "s", "rounds": options.failovers,
                "gap": summary(gaps), "errors": summary(errors), "lost": {"total": sum(lost)}})


def bench_crash(options):
    """Death of the primary to the first write its successor accepts, without a proxy between."""
    for figure in failover.figures(options):
        record(figure)


def bench_stress(options):
    """Nobody takes a living primary for dead, whatever goes on beside it."""
    for figure in stress.figures(options):
        record(figure)


def bench_many(options):
    """One Sentinel and a great many servers."""
    for figure in many.figures(options):
        record(figure)


def bench_stalls(options):
    """What other clients feel of growth, DEL, UNLINK, FLUSHALL and KEYS."""
    for figure in stalls.figures(options, load, pump, pin, LOAD.with_name("probe")):
        record(figure)


def bench_churn(options):
    """Half of the keys deleted at random, then filled up with values of other sizes: resident against used memory."""
    count = 2000000 // options.scale
    for kind in options.kinds:
        with World() as world:
            server = world.server(kind, *(options.extra if kind == "ours" else []))
            order = list(range(count))
            random.Random(1).shuffle(order)
            def fill(send):
                for i in range(count):
                    send("SET", b"first%08d" % i, b"v" * (20 + i % 60))
            def drop(send):
                for i in order[:count // 2]:
                    send("DEL", b"first%08d" % i)
            def refill(send):
                for i in range(count // 4):
                    send("SET", b"other%08d" % i, b"w" * (100 + i % 120))
            steps = {}
            for name, step in (("filled", fill), ("half deleted", drop), ("refilled", refill)):
                pump(server, step)
                steps[name] = ratio_of_memory(server)
            settle = time.monotonic() + 60
            while time.monotonic() < settle and (steps.get("settled", 9) > 1.2 or server.info("memory")["active_defrag_running"] != "0"):
                time.sleep(1)
                pump(server, lambda send: [send("PING") for _ in range(1000)])
                steps["settled"] = ratio_of_memory(server)
            record({"figure": "memory after churn, resident over used", "set": kind, "unit": "ratio",
                    "workload": f"{count} strings of 20-79 B, half deleted at random, {count // 4} of 100-219 B added", **steps})


def ratio_of_memory(server):
    time.sleep(0.3)
    memory = server.info("memory")
    return round(int(memory["used_memory_rss"]) / int(memory["used_memory"]), 3)


def one_failover(kind):
    with World() as world:
        primary = world.server(kind)
        replica = world.replica(kind, primary)
        wait_synced(primary, replica)
        world.sentinel(kind, primary, 1, down_after=3000, failover_timeout=6000, name="master01")
        port = free_port()
        examples = ROOT / "packaging/examples/article/haproxy.cfg"
        config = examples.read_text().replace("*:6378", f"127.0.0.1:{port}").replace("localhost:6379", f"127.0.0.1:{primary.port}")
        config = config.replace("localhost:6380", f"127.0.0.1:{replica.port}")
        world.proxy(kind, config, port)
        def leads():
            out = []
            for _ in range(6):
                with Client(port) as client:
                    out.append(client.info("server").get("tcp_port") == str(primary.port))
            return all(out)
        wait_for("the proxy to lead to the primary", leads)
        stop = threading.Event()
        writers = [Writer(port, i, stop) for i in range(8)]
        for writer in writers:
            writer.start()
        time.sleep(1)
        died = time.monotonic()
        primary.kill()
        wait_for("writes to resume", lambda: all(w.times and w.times[-1] > died + 0.5 for w in writers), 60)
        time.sleep(1)
        stop.set()
        for writer in writers:
            writer.join()
        times = sorted(t for w in writers for t in w.times)
        gap = max(b - a for a, b in zip(times, times[1:]))
        with replica.client() as client:
            missing = sum(client.call("EXISTS", key) != 1 for w in writers for key in w.acknowledged)
        return gap, sum(w.errors for w in writers), missing


def bench_aof(options):
    """50 clients under `appendfsync always`, both on the same disk, in turns."""
    operations = 100000 // options.scale
    with World() as world:
        servers = {kind: world.server(kind, "--appendonly", "yes", "--appendfsync", "always") for kind in ("ours", "original")}
        rates = {kind: [] for kind in servers}
        for _ in range(options.rounds):
            for kind, server in servers.items():
                rates[kind].append(operations / load(server.port, operations, keys=10000, fill=True)["seconds"])
        ratios = [a / b for a, b in zip(rates["ours"], rates["original"])]
        record({"figure": "appendfsync always", "workload": f"{operations} SET, 50 connections, 64 B", "unit": "op/s",
                "rounds": options.rounds, **{kind: summary(values) for kind, values in rates.items()}, "ratio": summary(ratios)})


def bench_restart(options):
    """From the start of the process to the first PONG, with the same data in each one's own RDB file."""
    keys = 10000000 // options.scale
    with World() as world:
        servers = {kind: world.server(kind, "--save", "3600 1000000000") for kind in ("ours", "original")}
        times = {kind: [] for kind in servers}
        for server in servers.values():
            load(server.port, keys, pipeline=64, keys=keys, fill=True)
            server.client(timeout=600).call("SAVE")
        for _ in range(options.rounds):
            for kind, server in servers.items():
                server.kill()
                before = time.monotonic()
                server.start()
                wait_for("the data", lambda: server.call("PING") == "PONG", 600)
                times[kind].append(time.monotonic() - before)
                assert server.call("DBSIZE") == keys
        ratios = [a / b for a, b in zip(times["ours"], times["original"])]
        record({"figure": "restart", "workload": f"{keys} keys of 64 B, RDB", "unit": "s", "rounds": options.rounds,
                **{kind: summary(values) for kind, values in times.items()}, "ratio": summary(ratios)})


def longest_wait(server, busy):
    """The longest round trip of one connection that sends PING after PING while `busy()` is true."""
    with server.client(timeout=60) as client:
        worst = 0
        while busy():
            for _ in range(50):
                before = time.monotonic()
                client.call("PING")
                worst = max(worst, time.monotonic() - before)
    return worst


def bench_large(options):
    """How long a client waits while a file with one collection of a million elements is written, per type."""
    count = 1000000 // options.scale
    shapes = {"hash": ("HSET", lambda i: (b"field%08d" % i, b"value%08d" % i)), "set": ("SADD", lambda i: (b"member%08d" % i,)),
              "zset": ("ZADD", lambda i: (i * 7919 % count, b"member%08d" % i)), "list": ("RPUSH", lambda i: (b"element%08d" % i,)),
              "stream": ("XADD", lambda i: (b"%d-0" % (i + 1), b"field", b"value%08d" % i))}
    for name, (command, words) in shapes.items():
        row = {}
        for kind in ("ours", "original"):
            with World() as world:
                server = world.server(kind)
                pump(server, lambda send: [send(command, "big", *words(i)) for i in range(count)])
                waits = []
                for _ in range(options.rounds):
                    with server.client() as client:
                        client.call("BGSAVE")
                        waits.append(1000 * longest_wait(server, lambda: client.info("persistence")["rdb_bgsave_in_progress"] != "0"))
                row[kind] = summary(waits)
        record({"figure": "longest wait during BGSAVE", "workload": f"one {name} of {count}", "unit": "ms",
                "rounds": options.rounds, **row})


def main():
    benches = {"server": bench_server, "scripts": bench_scripts, "tls": bench_tls, "pubsub": bench_pubsub, "proxy": bench_proxy,
               "memory": bench_memory, "idle": bench_idle, "failover": bench_failover, "crash": bench_crash, "many": bench_many,
               "stress": bench_stress, "aof": bench_aof, "restart": bench_restart, "large": bench_large, "stalls": bench_stalls,
               "churn": bench_churn}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*benches, []], help=f"of: {', '.join(benches)} (default: all but {' '.join(ON_DEMAND)})")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pipelines", type=lambda text: [int(p) for p in text.split(",")], default=[1, 16, 64])
    parser.add_argument("--scale", type=int, default=1, help="divide the amount of work by this")
    parser.add_argument("--failovers", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60, help="of stress")
    parser.add_argument("--kinds", type=str.split, default=["ours", "original"])
    parser.add_argument("--sorted-sets", action="store_true")
    parser.add_argument("--extra", type=str.split, default=[], help="options for our data server")
    options = parser.parse_args()
    for name in options.names or [name for name in benches if name not in ON_DEMAND]:
        benches[name](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
