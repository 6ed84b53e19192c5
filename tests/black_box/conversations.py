#!/usr/bin/env python3
"""Every .rt conversation over a socket: against our data server, and against Debian's redis-server as oracle."""
import os
import subprocess
import sys

from processes import ROOT, World

FILES = sorted(map(str, (ROOT / "tests/rt").glob("*.rt")))


def main():
    failures = 0
    with World() as world:
        for kind in ("ours", "original"):
            server = world.server(kind)
            words = [os.environ["RT_SOCKET"], "--port", str(server.port), *(["--oracle"] if kind == "original" else []), *FILES]
            done = subprocess.run(words, timeout=120)
            print(f"{kind}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
            failures += done.returncode != 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
