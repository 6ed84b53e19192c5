"""How long others wait while one client asks for something big: ours and the original, side by side.

A probe on a connection of its own asks for one key every 100 us, ahead of other processes on its core; the figure is its
longest wait during the operation, until the server has settled. Without any operation the same probe says what this
machine adds by itself.
"""
import json
import os
import statistics
import subprocess
import threading
import time

from processes import World, wait_for

ELEMENTS = 1000000
# How to make a collection of a million elements, some thousand of them per call.
COLLECTIONS = {
    "set": lambda i: ("SADD", "big", b"member%08d" % i),
    "hash": lambda i: ("HSET", "big", b"field%08d" % i, b"value%08d" % i),
    "sorted set": lambda i: ("ZADD", "big", i, b"member%08d" % i),
    "list": lambda i: ("RPUSH", "big", b"element%08d" % i),
    "stream": lambda i: ("XADD", "big", f"{i + 1}-1", "f", b"value%08d" % i),
}


class Probe:
    def __init__(self, program, port):
        words = ["taskset", "-c", "1", str(program), "--port", str(port), "GET", "probed"]
        if os.geteuid() == 0:
            words = ["chrt", "-f", "50", *words]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(0.05)

    def longest_ms(self):
        out, _ = self.process.communicate("", timeout=60)
        return json.loads(out)["longest_ms"][0]


def settled(server):
    """Freed and compacted to the end."""
    memory = server.info("memory")
    return memory["lazyfree_pending_objects"] == "0" and memory["active_defrag_running"] == "0"


def swallow(server, *words):
    """Sends one request and reads its reply without looking into it: it may be some hundred megabytes."""
    with server.client(timeout=120) as client:
        client.send(*words)
        first = client._line()
        if not first.startswith(b"*"):
            return
        missing = 2 * int(first[1:]) - client.buffer.count(b"\r\n")
        while missing > 0:
            missing -= client.socket.recv(1 << 20).count(b"\n")


def measure(probe, server, operation):
    wait_for("the server to settle", lambda: settled(server), 120)
    watcher = Probe(probe, server.port)
    began = time.monotonic()
    operation(server)
    took = time.monotonic() - began
    wait_for("the server to settle", lambda: settled(server), 120)
    time.sleep(0.2)
    return watcher.longest_ms(), took


def figures(options, load, pump, pin, probe):
    keys = 10000000 // options.scale
    elements = ELEMENTS // options.scale
    fill = lambda server: load(server.port, keys, connections=8, pipeline=16, keys=keys, value=16, fill=True)
    def collection(make):
        def pour(send):
            for i in range(elements):
                send(*make(i))
        return lambda server: pump(server, pour)
    cases = [("nothing, 2 s", None, lambda server: time.sleep(2)), (f"growth from 0 to {keys} keys", None, fill),
             (f"KEYS * over {keys} keys", None, lambda server: swallow(server, "KEYS", "*")),
             (f"FLUSHALL of {keys} keys", None, lambda server: server.call("FLUSHALL")),
             (f"FLUSHALL ASYNC of {keys} keys", fill, lambda server: server.call("FLUSHALL", "ASYNC"))]
    for name, make in COLLECTIONS.items():
        cases.append((f"DEL of a {name} of {elements}", collection(make), lambda server: server.call("DEL", "big")))
        cases.append((f"UNLINK of a {name} of {elements}", collection(make), lambda server: server.call("UNLINK", "big")))
    longest = {name: {kind: [] for kind in options.kinds} for name, _, _ in cases}
    took = {name: {kind: [] for kind in options.kinds} for name, _, _ in cases}
    for _ in range(options.rounds):
        for kind in options.kinds:
            with World() as world:
                server = world.server(kind, *(options.extra if kind == "ours" else []))
                pin(server.pid, 0)
                server.call("SET", "probed", "x")
                for name, prepare, operation in cases:
                    if prepare is not None:
                        prepare(server)
                    server.call("SET", "probed", "x")
                    wait, seconds = measure(probe, server, operation)
                    longest[name][kind].append(wait)
                    took[name][kind].append(seconds)
    for name, _, _ in cases:
        yield {"figure": "longest wait of another client", "workload": name, "unit": "ms", "rounds": options.rounds,
               **{kind: {"median": round(statistics.median(values), 2), "low": round(min(values), 2), "high": round(max(values), 2)}
                  for kind, values in longest[name].items()},
               "took_s": {kind: round(statistics.median(values), 2) for kind, values in took[name].items()}}
