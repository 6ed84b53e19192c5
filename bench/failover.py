"""From the death of a primary to the first write its successor accepts, asked of the servers themselves.

One primary, one replica and 1 or 3 Sentinels with the article's patience (down-after 3000, failover-timeout 6000). A writer
keeps the primary busy; another connection tries to write to the replica until it may. Then the dead one is started again,
follows, and the roles have changed for the next round.
"""
import os
import signal
import statistics
import threading
import time

from processes import Client, World, address_of, link_up, same_offset, sees, wait_for, wait_synced

NAME = "master01"
DOWN_AFTER = 3000


class Busy(threading.Thread):
    """One connection that sets a new key every 2 ms until it breaks."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop = port, False

    def run(self):
        try:
            with Client(self.port, timeout=1) as client:
                count = 0
                while not self.stop:
                    client.call("SET", f"busy:{count % 1000}", "x" * 100)
                    count += 1
                    time.sleep(0.002)
        except (OSError, EOFError):
            pass


def accepts_writes(port, died, seconds):
    """Seconds from `died` until this server took a write. The transaction of a promotion closes connections: again."""
    client = None
    while time.monotonic() < died + seconds:
        try:
            client = client or Client(port, timeout=1)
            if client.call("SET", "first", "x") == "OK":
                return time.monotonic() - died
        except (OSError, EOFError):
            client = None
        time.sleep(0.0005)
    raise TimeoutError(f"no server accepted a write within {seconds} s")


def one_round(primary, replica, sentinels, how):
    busy = Busy(primary.port)
    busy.start()
    time.sleep(0.3)
    died = time.monotonic()
    os.kill(primary.pid, how)
    gap = accepts_writes(replica.port, died, 40)
    busy.stop = True
    if how == signal.SIGSTOP:
        os.kill(primary.pid, signal.SIGKILL)
    primary.popen.wait()
    for sentinel in sentinels:
        wait_for(f"{sentinel.name} to switch", lambda s=sentinel: address_of(s, NAME) == replica.port, 40)
    primary.start()
    primary.wait_ready()
    wait_for("the old primary to follow", lambda: link_up(primary) and same_offset(replica, primary), 40)
    for sentinel in sentinels:
        wait_for(f"{sentinel.name} to see it follow", lambda s=sentinel: quiet(s, len(sentinels) - 1), 60)
    return gap


def quiet(sentinel, others):
    """Nothing is going on: the replica is known as one, up, its INFO seen since it follows."""
    if not sees(sentinel, NAME, replicas=1, sentinels=others):
        return False
    replica = sentinel.call("SENTINEL", "REPLICAS", NAME)[0]
    words = dict(zip(replica[::2], replica[1::2]))
    return words[b"flags"] == b"slave" and words[b"master-link-status"] == b"ok"


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure(kind, count, how, rounds):
    with World() as world:
        primary = world.server(kind)
        replica = world.replica(kind, primary)
        wait_synced(primary, replica)
        sentinels = [world.sentinel(kind, primary, quorum=count // 2 + 1, down_after=DOWN_AFTER, failover_timeout=6000, name=NAME)
                     for _ in range(count)]
        for sentinel in sentinels:
            wait_for(f"{sentinel.name} to see all", lambda s=sentinel: sees(s, NAME, replicas=1, sentinels=count - 1), 40)
        gaps = []
        for _ in range(rounds):
            wait_for("calm", lambda: all(quiet(s, count - 1) for s in sentinels), 60)
            if kind == "original":
                time.sleep(13)  # its pause between two failovers is twice the failover timeout
            gaps.append(one_round(primary, replica, sentinels, how))
            primary, replica = replica, primary
        return gaps


def figures(options):
    """Rows for the results file: crash (kill -9) and freeze (SIGSTOP), 1 Sentinel and 3."""
    for kind in options.kinds:
        for count in (1, 3):
            for how in (signal.SIGKILL, signal.SIGSTOP):
                rounds = options.failovers if how == signal.SIGKILL else max(3, options.failovers // 10)
                if kind == "original":
                    rounds = max(2, rounds // 10)
                gaps = measure(kind, count, how, rounds)
                offset = DOWN_AFTER if how == signal.SIGSTOP else 0
                yield {"figure": "death of the primary to the first write accepted", "set": kind, "sentinels": count,
                       "fault": how.name, "unit": "ms" if not offset else f"ms beyond down-after {offset}", "rounds": rounds,
                       "p50": round(statistics.median(gaps) * 1000 - offset, 1),
                       "p99": round(percentile(gaps, 0.99) * 1000 - offset, 1),
                       "low": round(min(gaps) * 1000 - offset, 1), "high": round(max(gaps) * 1000 - offset, 1)}
