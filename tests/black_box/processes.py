"""Real processes for tests: ours and the originals, on free loopback ports, ended by pid, waited for by condition.

Every wait is bounded and names what it waited for. Nothing is left running: use `with World() as world:`.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOLDFAST = pathlib.Path(os.environ.get("HOLDFAST", ROOT / "build/release/holdfast"))


def wait_for(what, condition, seconds=20.0):
    """Polls until `condition()` is true and returns its value; TimeoutError says what did not come true."""
    end = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, EOFError, AssertionError) as error:
            last = error
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}" + (f" ({last!r})" if last else ""))
        time.sleep(0.01)


def free_port(count=1):
    """The first of `count` consecutive ports that are free now."""
    for _ in range(200):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        if first + count > 60000:
            continue
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    s = stack.enter_context(socket.socket())
                    s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError("no free ports")


class Error(str):
    """An error reply."""


class Simple(str):
    """A simple string reply."""


class Client:
    """A small RESP2/RESP3 client that keeps reply types apart: str from Simple and Error, bytes are bulk strings."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(out))

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest.decode("latin1"))
        if kind == b"-":
            return Error(rest.decode("latin1"))
        if kind == b":":
            return int(rest)
        if kind in b"$=":
            size = int(rest)
            if size < 0:
                return None
            while len(self.buffer) < size + 2:
                self._fill()
            data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
            return data
        if kind in b"*~>":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {_frozen(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        raise AssertionError(f"not RESP: {line!r}")

    def call(self, *words):
        self.send(*words)
        return self.read()

    def info(self, section=""):
        text = self.call("INFO", *([section] if section else []))
        if not isinstance(text, bytes):
            raise AssertionError(f"INFO answered {text!r}")
        return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


class Process:
    """One running program. `kill` and `stop` act on this process only."""

    def __init__(self, world, name, argv, port, log, cwd, env=None):
        self.world, self.name, self.argv, self.port, self.log, self.cwd = world, name, argv, port, log, cwd
        self.env = env
        self.popen = None
        self.start()

    def start(self):
        out = open(self.log, "ab")
        self.popen = subprocess.Popen(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.cwd, env=self.env)
        out.close()

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
        self.popen.wait(10)

    def stop(self, seconds=15):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
        return self.popen.wait(seconds)

    def restart(self):
        self.kill()
        self.start()
        self.wait_ready()

    def log_text(self):
        return pathlib.Path(self.log).read_text(errors="replace") if os.path.exists(self.log) else ""

    def client(self, **options):
        return Client(self.port, **options)

    def call(self, *words):
        with self.client() as client:
            return client.call(*words)

    def info(self, section=""):
        with self.client() as client:
            return client.info(section)

    def wait_ready(self):
        def answers():
            if not self.running():
                raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.log_text()[-3000:]}")
            with Client(self.port, timeout=1.0) as client:
                reply = client.call("PING")
                return isinstance(reply, str) and not reply.startswith("LOADING")
        wait_for(f"{self.name} to answer on port {self.port}", answers)
        return self


class World:
    """A directory and the processes in it."""

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-test-"))
        self.processes = []
        return self

    def __exit__(self, kind, *_):
        for process in reversed(self.processes):
            process.kill()
        if kind is not None:
            for process in self.processes:
                print(f"--- log of {process.name} ({process.log}), its end:\n{process.log_text()[-2500:]}")
        shutil.rmtree(self.directory, ignore_errors=True)

    def place(self, name):
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return directory

    def run(self, name, argv, port, log=None, cwd=None, env=None):
        directory = self.place(name)
        process = Process(self, name, [str(word) for word in argv], port, str(log or directory / "log"), str(cwd or directory),
                          env)
        self.processes.append(process)
        return process

    # Data servers.
    def server(self, kind, *options, port=None, name=None):
        """`kind` is "ours" or "original". Options are `--name value` words; saving is off unless they say otherwise."""
        port = port or free_port()
        name = name or f"{kind}-{port}"
        program = [HOLDFAST, "server"] if kind == "ours" else ["redis-server"]
        words = ["--port", port, "--save", "", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"]
        return self.run(name, [*program, *words, *options], port).wait_ready()

    def replica(self, kind, primary, *options, **named):
        return self.server(kind, "--replicaof", "127.0.0.1", primary.port, *options, **named)

    # Sentinels.
    def sentinel(self, kind, primary, quorum=1, down_after=1000, failover_timeout=6000, name="mymaster", extra="", port=None):
        port = port or free_port()
        directory = self.place(f"{kind}-sentinel-{port}")
        conf = directory / "sentinel.conf"
        conf.write_text(f"port {port}\ndir {directory}\nsentinel monitor {name} 127.0.0.1 {primary.port} {quorum}\n"
                        f"sentinel down-after-milliseconds {name} {down_after}\n"
                        f"sentinel failover-timeout {name} {failover_timeout}\n{extra}")
        program = [HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
        return self.run(directory.name, [*program, conf], port).wait_ready()

    # Proxies.
    def proxy(self, kind, config, port):
        directory = self.place(f"{kind}-proxy-{port}")
        path = directory / "haproxy.cfg"
        path.write_text(config)
        program = [HOLDFAST, "proxy"] if kind == "ours" else ["haproxy"]
        process = self.run(directory.name, [*program, "-db", "-f", path], port)
        def accepts():
            if not process.running():
                raise RuntimeError(f"{process.name} ended:\n{process.log_text()[-2000:]}")
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        wait_for(f"{process.name} to accept on {port}", accepts)
        return process


def link_up(replica):
    return replica.info("replication").get("master_link_status") == "up"


def same_offset(primary, replica):
    a = primary.info("replication")
    b = replica.info("replication")
    return b.get("master_link_status") == "up" and a["master_repl_offset"] == b.get("slave_repl_offset")


def wait_synced(primary, replica, seconds=20):
    wait_for(f"{replica.name} to reach {primary.name}", lambda: same_offset(primary, replica), seconds)


def dataset(server, databases=16):
    """Everything a server holds, as comparable values: {db: {key: (type, value, has expiry)}}."""
    out = {}
    with server.client() as client:
        for db in range(databases):
            if client.call("SELECT", db) != "OK":
                break
            keys = {}
            for key in client.call("KEYS", "*"):
                keys[key] = value_of(client, key)
            if keys:
                out[db] = keys
    return out


def value_of(client, key):
    kind = client.call("TYPE", key)
    expires = client.call("PEXPIRETIME", key)
    if kind == "string":
        value = client.call("GET", key)
    elif kind == "list":
        value = client.call("LRANGE", key, 0, -1)
    elif kind == "set":
        value = sorted(client.call("SMEMBERS", key))
    elif kind == "hash":
        flat = client.call("HGETALL", key)
        value = sorted(zip(flat[::2], flat[1::2]))
    elif kind == "zset":
        value = client.call("ZRANGE", key, 0, -1, "WITHSCORES")
    else:
        value = None
    return kind, value, expires
