"""Configuration files through `haproxy -c` and ours: same exit code, same first alert, for files both must understand.

The corpus: tests/conf/haproxy/*.cfg and the small files below. Where Debian's haproxy is missing, only ours is checked.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOLDFAST = os.environ.get("HOLDFAST", os.path.join(ROOT, "build/dev/holdfast"))
TIMEOUTS = " timeout client 1s\n timeout server 1s\n timeout connect 1s\n"

CASES = {
    "empty": ("", 2),
    "backend only": ("backend b\n mode tcp\n server s 127.0.0.1:1\n" + TIMEOUTS.replace(" timeout client 1s\n", ""), 2),
    "listen": ("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS + " server s 127.0.0.1:1 check inter 1s\n", 0),
    "crlf": (("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS).replace("\n", "\r\n"), 0),
    "missing LF": ("listen l\n bind 127.0.0.1:22090", 1),
    "unknown keyword": ("global\n bogus 1\n", 1),
    "unknown section word": ("bogus\n", 1),
    "unmatched quote": ('global\n node "abc\n', 1),
    "bad hex": ("global\n node \\xzz\n", 1),
    "bad condition": (".if foo(\n.endif\n", 1),
    "open block": (".if 1\n", 1),
    "alert": (".alert stop\n", 1),
    "hidden extension": (".if feature(REDIS_AWARE)\ndefaults\n no option redis-fast-check\n.endif\nlisten l\n bind 127.0.0.1:22090\n" + TIMEOUTS, 0),
    "redis-aware": (".if feature(REDIS_AWARE)\nsentinels c\n sentinel a 127.0.0.1:26379\n.endif\nlisten l\n bind 127.0.0.1:22090\n" + TIMEOUTS
                    + ".if feature(REDIS_AWARE)\n redis-primary c/mymaster\n no redis-fast-check\n.endif\n server s 127.0.0.1:1\n", 0),
    "no port": ("frontend f\n bind 127.0.0.1\n", 1),
    "bad port": ("frontend f\n bind 127.0.0.1:99999\n", 1),
    "lost backend": ("frontend f\n bind 127.0.0.1:22090\n timeout client 1s\n default_backend nowhere\n", 1),
    "duplicate proxy": ("frontend f\n bind 127.0.0.1:22090\nfrontend f\n bind 127.0.0.1:22091\n", 1),
    "bad timeout": ("defaults\n timeout client 1x\n", 1),
    "weight": ("backend b\n server s 127.0.0.1:1 weight 300\n", 1),
    "unresolvable": ("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS + " server s name.invalid:1\n", 1),
    "check without port": ("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS + " server s 127.0.0.1 check\n", 1),
    "tcp-check verb": ("backend b\n tcp-check sendd x\n", 1),
    "tcp-check unused": ("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS + " tcp-check connect\n", 0),
}
# Lines in a listen section that both must judge alike.
LINES = {
    "tcp-request connection reject if { src 1.2.3.0/24 }": 0,
    "tcp-request connection reject if { src 1.2.3.x }": 1,
    "tcp-request foo": 1,
    "tcp-request content accept if { foo }": 1,
    "tcp-request content reject unless WAIT_END": 0,
    "tcp-request inspect-delay 5x": 1,
    "tcp-request inspect-delay 5s": 0,
    "tcp-request connection track-sc0 src": 1,
    "stick-table type ip size 10k expire 1m store conn_rate(10s),foo": 1,
    "stick-table type ip size 10k expire 1m store conn_rate(10s),conn_cur": 0,
    "use-server nope if { src 1.1.1.1 }": 1,
    "use-server s if { src 1.1.1.1 }": 0,
    "tcp-request session reject if blah": 1,
    "tcp-request connection reject iff x": 1,
    "acl a src -f /nonexistent": 1,
    "acl a src -m foo 1": 1,
    "acl b be_conn(b1": 1,
    "acl c nbsrv(l) gt 1": 0,
    "tcp-request connection accept if { dst_port gt x }": 1,
    "tcp-request connection accept if { dst_port 1:1024 } || { src_port gt 5 } !{ always_false }": 0,
    "tcp-request content reject if { req.len gt 10 }": 0,
    "tcp-request connection expect-proxy layer4 if { src 10.0.0.0/8 }": 0,
    "tcp-response content reject if { res.len gt 10 }": 0,
    "stick on src": 1,
    "option smtpchk EHLO a.b": 0,
    "option mysql-check user": 1,
    "option mysql-check foo": 1,
    "option pgsql-check user x": 0,
    "option pgsql-check": 1,
    "option httpchk GET / HTTP/1.1": 0,
    "http-check expect status 200": 0,
    "http-check foo": 1,
    "option ldap-check": 0,
    "option ssl-hello-chk": 0,
    "server t 127.0.0.1:2 send-proxy-v2 check check-send-proxy": 0,
    "server t 127.0.0.1:2 agent-check agent-port 9 agent-inter 1s agent-send x": 0,
    "server t 127.0.0.1:2 agent-check agent-port 0": 1,
    "server t 127.0.0.1:2 slowstart 10s": 0,
}
CONDITIONS = {"1": 0, "": 1, "0": 1, "200rrr": 2, "version_atleast(2.4)": 0, "feature(THREAD) && !feature(NOPE)": 0,
              "streq(a,a) || foo": 2, "(1": 2, "defined(HOME)": 0}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    alerts = [re.sub(r"\(\d+\)", "(pid)", line) for line in done.stderr.splitlines() if line.startswith("[ALERT]")]
    alerts = [re.sub(r"; did you mean.*maybe \?", "", line) for line in alerts]
    return done.returncode, (alerts or [""])[0]


def main():
    original = shutil.which("haproxy")
    failures = []

    def compare(name, arguments, want):
        ours = run([HOLDFAST, "proxy"] + arguments)
        if ours[0] != want:
            failures.append(f"{name}: exit code {ours[0]}, wanted {want}: {ours[1]}")
        if original:
            theirs = run([original] + arguments)
            if theirs != ours:
                failures.append(f"{name}: theirs {theirs}, ours {ours}")

    with tempfile.TemporaryDirectory() as directory:
        for name, (text, want) in CASES.items():
            path = os.path.join(directory, "t.cfg")
            with open(path, "w", newline="") as file:
                file.write(text)
            compare(name, ["-c", "-f", path], want)
        for line, want in LINES.items():
            path = os.path.join(directory, "t.cfg")
            with open(path, "w") as file:
                file.write("listen l\n bind 127.0.0.1:22090\n" + TIMEOUTS + " server s 127.0.0.1:1\n " + line + "\n")
            compare(line, ["-c", "-f", path], want)
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/conf/haproxy/*.cfg"))):
        compare(os.path.basename(path), ["-c", "-f", path], 1 if "glued" in path else 0)
    for condition, want in CONDITIONS.items():
        compare(f"-cc {condition!r}", ["-cc", condition], want)
    for failure in failures:
        print(failure)
    print(f"{len(CASES) + len(LINES) + len(CONDITIONS)} cases, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
