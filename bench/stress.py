"""Does anybody take a living primary for dead? Two pictures under stress, one over our servers, one over Debian's.

Each has three hosts (network namespaces) with a data server and a Sentinel of ours each, quorum 2, and loses 5 % of all
packets. The primary runs scripts of 500 ms and forks to save 100 MB; beside it a process with 300 MB forks, and all cores are
taken by others for a second at a time. What counts is what the Sentinels say.
"""
import os
import re
import subprocess
import sys
import threading
import time

from netns import Network
from processes import sees, wait_for

NAME = "mymaster"
DOWN_AFTER = 3000
LOSS_PERCENT = 5
COUNTED = ["+sdown master", "+odown master", "+try-failover", "+promoted-slave", "+switch-master", "+tilt"]
SCRIPT = "local n = tonumber(ARGV[1]) for i = 1, n do end return 1"  # time stands still in a script
FORKER = """import os, time
held = bytearray(os.urandom(1 << 20)) * 300
while True:
    child = os.fork()
    if child == 0:
        for at in range(0, len(held), 4096): held[at] = 1
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(20)
"""
HOG = """import time
while True:
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
    time.sleep(19)
"""


class Prober(threading.Thread):
    """Asks the primary from its own host, over no line: how long it really was silent."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.longest, self.ended = server, 0.0, threading.Event()

    def run(self):
        client = None
        while not self.ended.wait(0.05):
            asked = time.monotonic()
            try:
                client = client or self.server.client(timeout=60)
                client.call("PING")
            except (OSError, EOFError):
                client = None
            self.longest = max(self.longest, time.monotonic() - asked)


class Picture:
    def __init__(self, kind):
        self.kind, self.prober = kind, None
        self.network = Network("a", "b", "c", loss_percent=LOSS_PERCENT).__enter__()
        self.scripts = self.saves = self.broken = self.longest_script = 0
        self.rounds = 5000000
        try:
            self.begin()
        except BaseException:
            self.end()
            raise

    def begin(self):
        kind = self.kind
        hosts = list(self.network.hosts.values())
        script_limit = ("--busy-reply-threshold", 60000)
        self.primary = hosts[0].server(kind, None, *script_limit)
        self.replicas = [host.server(kind, self.primary, *script_limit) for host in hosts[1:]]
        self.sentinels = [host.sentinel("ours", self.primary, 2, down_after=DOWN_AFTER) for host in hosts]
        for sentinel in self.sentinels:
            wait_for("everyone to be known", lambda s=sentinel: sees(s, NAME, replicas=2, sentinels=2), 60)
        with self.primary.client(timeout=120) as client:
            client.call("DEBUG", "POPULATE", 100000, "key", 1000)
        self.prober = Prober(self.primary)
        self.prober.start()

    def run_script(self, client):
        """About half a second of it; how many rounds that are depends on what else runs."""
        begun = time.monotonic()
        self.scripts += client.call("EVAL", SCRIPT, 0, self.rounds) == 1
        took = time.monotonic() - begun
        self.longest_script = max(self.longest_script, took)
        self.rounds = int(self.rounds * min(2.0, max(0.2, 0.5 / took)))

    def load(self, turn):
        """One turn of what makes trouble; a second each."""
        try:
            with self.primary.client(timeout=120) as client:
                for n in range(20):
                    client.call("SET", f"w{n}", turn)
                if turn % 10 == 0:
                    self.run_script(client)
                if turn % 60 == 30:
                    self.saves += "saving" in str(client.call("BGSAVE")).lower()
        except (OSError, EOFError):
            self.broken += 1

    def story(self):
        return [line for sentinel in self.sentinels for line in sentinel.log_text().splitlines() if " # " in line]

    def count(self):
        text = [sentinel.log_text() for sentinel in self.sentinels]
        return {event: sum(len(re.findall(rf" {re.escape(event)}\b", one)) for one in text) for event in COUNTED}

    def end(self):
        if self.prober:
            self.prober.ended.set()
            self.prober.join()
        alive = all(process.running() for process in self.network.processes)
        self.network.__exit__(None, None, None)
        return alive


def figures(options):
    beside = [subprocess.Popen([sys.executable, "-c", text]) for text in [FORKER] + [HOG] * (os.cpu_count() or 1)]
    pictures = []
    try:
        for kind in ("ours", "original"):
            pictures.append(Picture(kind))
        begun, turn = time.monotonic(), 0
        while time.monotonic() < begun + options.minutes * 60:
            turn += 1
            for picture in pictures:
                picture.load(turn)
            time.sleep(max(0, begun + turn - time.monotonic()))
        minutes = (time.monotonic() - begun) / 60
        for picture in pictures:
            counts = picture.count()
            if counts["+promoted-slave"]:
                print("\n".join(picture.story()), file=sys.stderr)
            address = {s.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[0].decode() for s in picture.sentinels}
            yield {"figure": "false failovers under stress", "servers": picture.kind, "unit": "failovers",
                   "workload": f"3 Sentinels of ours, quorum 2, down-after {DOWN_AFTER} ms, {LOSS_PERCENT} % of packets lost, "
                               f"{picture.scripts} scripts of 500 ms, {picture.saves} saves of 100 MB, forks of 300 MB and "
                               "all cores taken beside it",
                   "minutes": round(minutes, 1), "value": counts["+promoted-slave"], "events": counts,
                   "longest_silence_ms": round(picture.prober.longest * 1000),
                   "longest_script_ms": round(picture.longest_script * 1000), "connections_broken": picture.broken,
                   "first_primary_still_named": address == {picture.primary.host.ip}}
    finally:
        for process in beside:
            process.kill()
            process.wait()
        for picture in pictures:
            picture.end()
