#!/usr/bin/env python3
"""Every directive Debian's redis-server shows is one of ours, with the same initial value; its own redis.conf starts ours."""
import pathlib
import sys

from processes import HOLDFAST, World, free_port

# Where ours differs on purpose or by version (7.2 against 7.0).
DIFFERENT = {"port", "dir", "logfile", "pidfile", "bind", "jemalloc-bg-thread", "repl-diskless-sync-delay", "enable-debug-command",
             "save"}


def directives(server):
    with server.client() as client:
        words = [word.decode() for word in client.call("CONFIG", "GET", "*")]
    return dict(zip(words[::2], words[1::2]))


def main():
    failures = 0
    with World() as world:
        ours, theirs = directives(world.server("ours")), directives(world.server("original"))
        for name in sorted(set(theirs) - DIFFERENT):
            if ours.get(name) != theirs[name]:
                failures += 1
                print(f"{name}: ours {ours.get(name)!r}, original {theirs[name]!r}")
        conf = pathlib.Path("/etc/redis/redis.conf")
        if not conf.is_file():
            print("Debian's redis.conf is not there")
            return 1
        port = free_port()
        options = ["--port", port, "--daemonize", "no", "--supervised", "no", "--pidfile", "", "--logfile", "", "--dir", "."]
        server = world.run("debian-conf", [HOLDFAST, "server", conf, *options], port).wait_ready()
        failures += server.call("SET", "k", "v") != "OK"
    print(f"{len(theirs)} directives compared, {failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
