#!/usr/bin/env python3
"""check-aof and check-rdb beside the original's: the same words and the same exit code on good and broken files.

Every file is cut at every byte and has every byte flipped (every third position unless --all). Where the original
names a line of its own source, or ends by an abort on a length it cannot have, or we find a value broken that it leaves
to the checksum, only the exit code is compared.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HOLDFAST = os.environ["HOLDFAST"]
STEP = 1 if "--all" in sys.argv else 3
GARBAGE = re.compile(rb"got: 00[0-9a-f]{2}")  # the original shows a byte behind the end of its buffer
LOG_LINE = re.compile(rb"^\d+:C \d+ \w+ \d+ [\d:.]+ ", re.M)
failures = []


def run(ours, tool, arguments, answer=b""):
    command = [HOLDFAST, tool] if ours else ["/usr/bin/redis-" + tool]
    done = subprocess.run(command + arguments, input=answer, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=30)
    out = re.sub(rb"(Checking RDB file )/\S*/", rb"\1", done.stdout)  # 7.0 names parts without their directory
    return done.returncode, GARBAGE.sub(b"got: 00", LOG_LINE.sub(b"", out))


def words(*items):
    return b"*%d\r\n" % len(items) + b"".join(b"$%d\r\n%s\r\n" % (len(i), i) for i in items)


def compare(tool, arguments, what, answer=b""):
    ours = run(True, tool, arguments, answer)
    theirs = run(False, tool, arguments, answer)
    # The name is one of 7.2's.
    ours = ours[0], ours[1].replace(b"19 (stream-v2)", b"19 (unknown)")
    if ours == theirs:
        return
    # 7.2 takes for a manifest only what begins like one.
    if theirs[1].startswith(b"Start checking Multi Part") and ours[1].startswith(b"Start checking Old-Style"):
        return
    # We look into values more closely than the original, which leaves these to the checksum.
    if ours[0] == theirs[0] == 1 and b"Bad data format of type" in ours[1]:
        return
    if ours[0] == theirs[0] == 1 and b"contains module data" in ours[1]:  # refused here, half read there
        return
    if theirs[0] < 0 or b"Server crash checking" in theirs[1] or b"rror in RDB reading" in theirs[1] \
            or b"failed allocating" in theirs[1]:
        if ours[0] == 0:
            failures.append(f"{what}: the original fails, we say it is good\n{theirs}\n{ours}")
        return
    failures.append(f"{what}\n  original {theirs[0]} {theirs[1]!r}\n  ours     {ours[0]} {ours[1]!r}")


def spoil(path, content, tool, what, arguments=()):
    def check(changed, how):
        with open(path, "wb") as file:
            file.write(changed)
        compare(tool, list(arguments) + [path], f"{what} {how}")

    check(content, "whole")
    for at in range(0, len(content), STEP):
        check(content[:at], f"cut at {at}")
        for bit in (0x01, 0x80):
            check(content[:at] + bytes([content[at] ^ bit]) + content[at + 1:], f"bit {bit:#x} of byte {at}")


def make_rdb(directory):
    """A small file of the original's with a key of each kind."""
    port = "21390"
    server = subprocess.Popen(["/usr/bin/redis-server", "--port", port, "--dir", directory, "--save", "",
                               "--set-max-intset-entries", "4", "--list-max-listpack-size", "4"],
                              stdout=subprocess.DEVNULL)
    cli = ["redis-cli", "-p", port]
    try:
        while subprocess.run(cli + ["ping"], capture_output=True).stdout != b"PONG\n":
            pass
        for line in ("set s text", "set n 12345", "set big " + "x" * 60, "rpush l a b c d e f", "sadd i 1 2 3",
                     "sadd w a b", "hset h f v g w", "zadd z 1 a 2.5 b", "xadd x 1-1 f v", "xgroup create x g 0",
                     "xreadgroup group g c streams x >", "set gone v px 1", "set later v ex 100000", "select 0"):
            subprocess.run(cli + line.split(), capture_output=True, check=True)
        subprocess.run(cli + ["-n", "3", "set", "other", "db"], capture_output=True, check=True)
        subprocess.run(cli + ["save"], capture_output=True, check=True)
    finally:
        subprocess.run(cli + ["shutdown", "nosave"], capture_output=True)
        server.wait()
    with open(os.path.join(directory, "dump.rdb"), "rb") as file:
        return file.read()


def same_fix(directory, content, what):
    """--fix leaves the same file."""
    left = []
    for ours in (True, False):
        path = os.path.join(directory, "fix.aof")
        with open(path, "wb") as file:
            file.write(content)
        outcome = run(ours, "check-aof", ["--fix", path], b"y\n")
        with open(path, "rb") as file:
            left.append((outcome, file.read()))
    if left[0] != left[1]:
        failures.append(f"{what}: --fix\n  ours     {left[0]}\n  original {left[1]}")


def scores(path):
    """Sorted sets of the first kind: their scores are text."""
    for text in (b"3", b"+3", b"-2.5e3", b"x", b"", b"nan", b"infinity", b"-", b"1" * 250, b"5" * 20):
        with open(path, "wb") as file:
            file.write(b"REDIS0003\xfe\0\x03\1w\1\1m" + bytes([len(text)]) + text + b"\xff")
        compare("check-rdb", [path], f"score {text!r}")


def main():
    directory = tempfile.mkdtemp()
    try:
        path = os.path.join(directory, "file")
        rdb = make_rdb(directory)
        spoil(path, rdb, "check-rdb", "rdb")
        scores(path)
        aof = (b"#TS:1628217470\r\n" + words(b"SELECT", b"0") + words(b"SET", b"k", b"v") + words(b"MULTI")
               + words(b"INCR", b"n") + words(b"EXEC") + words(b"SET", b"a", b""))
        spoil(path, aof, "check-aof", "aof")
        for at in range(len(aof)):
            same_fix(directory, aof[:at], f"aof cut at {at}")
        with open(path, "wb") as file:
            file.write(rdb + aof)
        compare("check-aof", [path], "rdb with a tail")
        for arguments in ([], ["--fix"], ["a", "b"], ["--truncate-to-timestamp", "x", path], ["/nonexistent"],
                          ["--version"]):
            ours, theirs = run(True, "check-aof", arguments), run(False, "check-aof", arguments)
            if ours[0] != theirs[0]:
                failures.append(f"check-aof {arguments}: {theirs} {ours}")
        compare("check-rdb", ["/nonexistent"], "no file")
        parts = os.path.join(directory, "parts")
        os.mkdir(parts)
        with open(os.path.join(parts, "a.1.base.rdb"), "wb") as file:
            file.write(rdb)
        for number in (1, 2):
            with open(os.path.join(parts, f"a.{number}.incr.aof"), "wb") as file:
                file.write(aof)
        manifest = (b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"
                    b"file a.2.incr.aof seq 2 type i\n")
        spoil(os.path.join(parts, "a.manifest"), manifest, "check-aof", "manifest")
    finally:
        shutil.rmtree(directory)
    for failure in failures[:10]:
        print(failure)
    print(f"{len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
