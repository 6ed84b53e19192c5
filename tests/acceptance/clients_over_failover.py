#!/usr/bin/env python3
"""Real clients live through the crash of the primary by their own retry options, twice: there and back.

Through the proxy's port: python3-redis, hiredis, ioredis and node-redis. By their Sentinel support, without a proxy:
python3-redis and ioredis. All write at the same time; the programs are in tests/clients.
"""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "black_box"))
from processes import ROOT, Picture, World, wait_for  # noqa: E402

CLIENTS = ROOT / "tests/clients"
MODULES = ROOT / "build/node/node_modules"

# From the kill to the first acknowledged write: down-after 1 s, agreement and promotion about 2 s, the proxy's checks
# 0.2 s, and then the client's own pause between attempts, which has grown to 1-2 s by then.
RESUMED_SECONDS = 12


def node_directory(world):
    """A directory with the Node.js programs, in which they find their modules."""
    if not MODULES.is_dir():
        raise RuntimeError(f"{MODULES} is missing: `./x test` installs it")
    directory = world.place("node")
    for program in CLIENTS.glob("*.mjs"):
        (directory / program.name).write_text(program.read_text())
    if not (directory / "node_modules").exists():
        (directory / "node_modules").symlink_to(MODULES)
    return directory


def build_hiredis(world):
    program = world.place("hiredis") / "hiredis_writer"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
                    CLIENTS / "hiredis_writer.c", "-lhiredis"], check=True)
    return program


class Writer:
    """A client program that writes and what it has printed."""

    def __init__(self, world, name, program, *arguments):
        self.name = name
        self.process = world.run(name, [*program, name, *arguments], port=0)

    def results(self):
        """(word, text, time) for each complete line: the text of `ok` is a number."""
        lines = self.process.log_text().split("\n")[:-1]
        out = []
        for line in lines:
            word, _, rest = line.partition(" ")
            text, _, at = rest.rpartition(" ")
            if word not in ("ok", "error", "event") or not at.isdigit():
                raise RuntimeError(f"{self.name} printed {line!r}:\n" + "\n".join(lines[-20:]))
            out.append((word, text, int(at) / 1000))
        return out

    def acknowledged(self):
        return [(int(text), at) for word, text, at in self.results() if word == "ok"]

    def errors(self, since=0.0):
        return [text for word, text, at in self.results() if word == "error" and at >= since]

    def wait_writes(self, count, since, seconds):
        """Waits for `count` acknowledged writes after a time; returns when the first of them was."""
        def written():
            if not self.process.running():
                raise RuntimeError(f"{self.name} ended:\n{self.process.log_text()[-2000:]}")
            after = [at for _, at in self.acknowledged() if at > since]
            return len(after) >= count and after[0]
        return wait_for(f"{self.name} to write {count} times", written, seconds)


class ClientsOverFailover(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)

    def end(self):
        result = self._outcome.result
        failed = (Exception,) if result.errors or result.failures else (None,)
        self.world.__exit__(failed[0], None, None)

    def start_writers(self, picture):
        node = node_directory(self.world)
        python = ["/usr/bin/python3", CLIENTS / "python_writer.py"]
        ioredis = ["node", node / "ioredis_writer.mjs"]
        by_proxy = ["proxy", picture.port]
        by_sentinel = ["sentinel", picture.name, *(s.port for s in picture.sentinels)]
        self.writers = [
            Writer(self.world, "python-proxy", python, *by_proxy),
            Writer(self.world, "python-sentinel", python, *by_sentinel),
            Writer(self.world, "hiredis-proxy", [build_hiredis(self.world)], *by_proxy),
            Writer(self.world, "ioredis-proxy", ioredis, *by_proxy),
            Writer(self.world, "ioredis-sentinel", ioredis, *by_sentinel),
            Writer(self.world, "node-redis-proxy", ["node", node / "node_redis_writer.mjs"], *by_proxy),
        ]
        for writer in self.writers:
            writer.wait_writes(50, 0.0, 20)
            self.assertEqual(writer.errors(), [], writer.name)

    def crash(self, picture):
        killed = picture.crash_primary()
        before = {writer.name: [number for number, at in writer.acknowledged() if at <= killed]
                  for writer in self.writers}
        for writer in self.writers:
            first = writer.wait_writes(50, killed, RESUMED_SECONDS + 10)
            errors = writer.errors(killed)
            print(f"{writer.name}: wrote again {first - killed:.2f} s after the kill; {len(errors)} errors "
                  f"{sorted(set(errors))}")
            self.assertLess(first - killed, RESUMED_SECONDS, writer.name)
        picture.wait_failover()
        self.check_errors(killed)
        return before

    def check_errors(self, killed):
        """What each client lets its application see, by its documentation."""
        for writer in self.writers:
            errors = writer.errors(killed)
            if writer.name.startswith(("python", "ioredis")):  # they repeat the command themselves
                self.assertEqual(errors, [], writer.name)
            if writer.name.startswith("node-redis"):  # one command was on its way each time a connection broke
                self.assertLessEqual(len(errors), 10, errors)

    def check_kept(self, picture, before):
        """Everything acknowledged before the kill is on the new primary, with its value."""
        with picture.primary.client() as client:
            for writer in self.writers:
                numbers = before[writer.name]
                self.assertGreaterEqual(len(numbers), 50)
                self.assertEqual(numbers, list(range(len(numbers))))
                values = client.call("MGET", *(f"{writer.name}:{n}" for n in numbers))
                self.assertEqual(values, [str(n).encode() for n in numbers], writer.name)

    def over_failovers(self, servers, sentinels, proxy):
        picture = Picture(self.world, servers=servers, sentinels=sentinels, proxy=proxy)
        self.start_writers(picture)
        self.check_kept(picture, self.crash(picture))
        # A client that holds the address of a server that became a replica must find its way, too.
        picture.bring_back()
        self.check_kept(picture, self.crash(picture))

    def test_ours(self):
        self.over_failovers(("ours", "ours"), ("ours", "ours", "ours"), "ours")

    def test_haproxy_and_servers_of_both_kinds(self):
        self.over_failovers(("original", "ours"), ("ours", "ours", "ours"), "original")


if __name__ == "__main__":
    unittest.main(verbosity=2)
