"""One Sentinel that watches 500 primaries with two replicas each: what it costs, and 50 failovers at once.

The servers are bench/flock.cc. CPU is measured once everything is found and calm; then 50 primaries die in the same moment, and
each promotion is timed where it arrives.
"""
import os
import pathlib
import subprocess
import time

from processes import HOLDFAST, World, free_port, wait_for

FLOCK = HOLDFAST.parent / "bench/flock"
CLUSTERS, REPLICAS, DEAD = 500, 2, 50
SECONDS = 20


class Flock:
    def __init__(self, world, original):
        self.port = free_port(CLUSTERS * (REPLICAS + 1))
        info = world.directory / "info.txt"
        info.write_bytes(original.call("INFO"))
        self.popen = subprocess.Popen([FLOCK, "--port", str(self.port), "--clusters", str(CLUSTERS), "--replicas", str(REPLICAS),
                                       "--info", info], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.popen.stdout.readline() != "ready\n":
            raise RuntimeError("the servers did not start")

    def kill(self, count):
        """Milliseconds until each was replaced."""
        self.popen.stdin.write(f"kill 0 {count}\n")
        self.popen.stdin.flush()
        return [int(self.popen.stdout.readline().split()[2]) / 1000 for _ in range(count)]

    def end(self):
        self.popen.stdin.close()
        self.popen.wait(10)
        self.popen.stdout.close()


def configuration(directory, port, first):
    lines = [f"port {port}", f"dir {directory}"]
    for cluster in range(CLUSTERS):
        name = f"m{cluster}"
        lines += [f"sentinel monitor {name} 127.0.0.1 {first + cluster * (REPLICAS + 1)} 1",
                  f"sentinel down-after-milliseconds {name} 3000", f"sentinel failover-timeout {name} 6000"]
    return "\n".join(lines) + "\n"


def calm(sentinel):
    """Every primary is up with all its replicas."""
    info = sentinel.info("sentinel")
    rows = [value for name, value in info.items() if name.startswith("master") and name != "master"]
    return len(rows) == CLUSTERS and all(f"status=ok" in row and f"slaves={REPLICAS}," in row for row in rows)


def cpu_share(pid, seconds):
    """Of one core, over so many seconds: user and system."""
    def used():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]), int(fields[12])
    ticks = os.sysconf("SC_CLK_TCK")
    begun, before = time.monotonic(), used()
    time.sleep(seconds)
    took = (time.monotonic() - begun) * ticks
    return [(b - a) / took for a, b in zip(before, used())]


def figures(options):
    for kind in options.kinds:
        with World() as world:
            flock = Flock(world, world.server("original"))
            try:
                port = free_port()
                directory = world.place("sentinel")
                conf = directory / "sentinel.conf"
                conf.write_text(configuration(directory, port, flock.port))
                program = [HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
                sentinel = world.run("sentinel", [*program, conf], port).wait_ready()
                wait_for("everything to be found", lambda: calm(sentinel), 60)
                time.sleep(15)  # INFO is asked every ten seconds: one round of it lies behind us
                user, system = cpu_share(sentinel.pid, SECONDS)
                yield {"figure": "CPU of one Sentinel", "set": kind, "unit": "% of a core", "seconds": SECONDS,
                       "workload": f"{CLUSTERS} primaries, {REPLICAS} replicas each", "value": round((user + system) * 100, 2),
                       "user": round(user * 100, 2), "system": round(system * 100, 2)}
                times = sorted(flock.kill(DEAD))
                yield {"figure": "failovers at once", "set": kind, "unit": "ms from death to promotion",
                       "workload": f"{DEAD} of {CLUSTERS} primaries die, one Sentinel, down-after 3000 ms",
                       "p50": round(times[len(times) // 2], 1), "high": round(times[-1], 1), "low": round(times[0], 1)}
            finally:
                flock.end()
