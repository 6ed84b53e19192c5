"""Real processes for tests: ours and the originals, on free loopback ports, ended by pid, waited for by condition.

Every wait is bounded and names what it waited for. Nothing is left running: use `with World() as world:`.
"""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOLDFAST = pathlib.Path(os.environ.get("HOLDFAST", ROOT / "build/release/holdfast")).absolute()


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


def first_ephemeral_port():
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32768


def free_port(count=1):
    """The first of `count` consecutive ports that are free now.

    They are below the range that outgoing connections take theirs from: else the port of a stopped server may be gone
    before it starts again, even to a client that tries to reach that server and so connects to itself."""
    for _ in range(200):
        first = random.randrange(10000, first_ephemeral_port() - count)
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

    def __init__(self, port, host="127.0.0.1", timeout=10.0, tls=None, server_name=None):
        """`tls`: an ssl.SSLContext, for a connection that speaks TLS."""
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            try:
                self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
            except BaseException:
                self.socket.close()
                raise
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
        self.send_many([words])

    def send_many(self, commands):
        out = []
        for words in commands:
            out.append(b"*%d\r\n" % len(words))
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
        self.tls = None  # an ssl.SSLContext where `port` speaks TLS
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
        return Client(self.port, **{"tls": self.tls, **options})

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
            with self.client(timeout=5.0 if self.tls else 1.0) as client:
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


def resident_kb(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmRSS:", 1)[1].split()[0])


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


def stream_value(client, key):
    """A stream with its groups and who of them holds what; without times."""
    pairs = lambda flat: flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))
    groups = []
    for group in map(pairs, client.call("XINFO", "GROUPS", key)):
        held = client.call("XPENDING", key, group[b"name"], "-", "+", 10**6)
        group.pop(b"consumers")  # 7.2 also has those that tried in vain to claim
        groups.append((sorted(group.items()), [(id, owner, count) for id, owner, _, count in held]))
    about = pairs(client.call("XINFO", "STREAM", key))
    return client.call("XRANGE", key, "-", "+"), sorted(about.items()), groups


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
    elif kind == "stream":
        value = stream_value(client, key)
    else:
        value = None
    return kind, value, expires


PROXY_CONFIG = """defaults
  mode tcp
  timeout connect 2s
  timeout server 30s
  timeout client 30s
{extra}
frontend ft_redis
  bind 127.0.0.1:{port}
  default_backend bk_redis

backend bk_redis
  option tcp-check
  tcp-check connect
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
  tcp-check send info\\ replication\\r\\n
  tcp-check expect string role:master
  tcp-check send QUIT\\r\\n
  tcp-check expect string +OK
{servers}"""


def proxy_config(port, servers, extra=""):
    """The article's file, its times shortened: `servers` are the data servers behind the one port."""
    lines = "".join(f"  server s{s.port} 127.0.0.1:{s.port} check inter 200ms fall 2 rise 1\n" for s in servers)
    return PROXY_CONFIG.format(port=port, servers=lines, extra=extra)


class Picture:
    """The article's picture in a world: a primary, a replica, Sentinels and a proxy, each ours or the original."""

    def __init__(self, world, servers=("ours", "ours"), sentinels=("ours",), proxy="ours", quorum=None, extra=""):
        self.world, self.name = world, "mymaster"
        self.primary = world.server(servers[0])
        self.replica = world.replica(servers[1], self.primary)
        wait_synced(self.primary, self.replica)
        quorum = quorum or len(sentinels) // 2 + 1
        self.sentinels = [world.sentinel(kind, self.primary, quorum=quorum) for kind in sentinels]
        self.wait_sentinels()
        self.port = free_port()
        self.proxy = world.proxy(proxy, proxy_config(self.port, [self.primary, self.replica], extra), self.port)
        self.wait_led_to(self.primary)

    def wait_sentinels(self):
        for sentinel in self.sentinels:
            wait_for(f"{sentinel.name} to know every other and the replica",
                     lambda s=sentinel: sees(s, self.name, replicas=1, sentinels=len(self.sentinels) - 1))

    def leads_to(self, server):
        """True if connections through the proxy reach this server and no other (while two are up, it takes turns)."""
        for _ in range(20):
            with Client(self.port, timeout=2.0) as client:
                if client.info("server").get("tcp_port") != str(server.port):
                    return False
        return True

    def wait_led_to(self, server, seconds=20):
        wait_for(f"the proxy to lead to {server.name} only", lambda: self.leads_to(server), seconds)

    def crash_primary(self):
        """Kills the primary once the replica has every acknowledged write. Returns the time of the kill (time.time()).

        CLIENT PAUSE holds back the writes that arrive meanwhile: they are never acknowledged."""
        if self.primary.call("CLIENT", "PAUSE", 60000, "WRITE") != "OK":
            raise AssertionError("the primary does not pause writes")
        wait_synced(self.primary, self.replica)
        self.primary.kill()
        return time.time()

    def wait_failover(self, seconds=40):
        """Waits until the replica is the primary for all Sentinels and behind the proxy; they change places here."""
        wait_for(f"{self.replica.name} to be promoted",
                 lambda: self.replica.info("replication")["role"] == "master", seconds)
        for sentinel in self.sentinels:
            wait_for(f"{sentinel.name} to switch to {self.replica.port}",
                     lambda s=sentinel: address_of(s, self.name) == self.replica.port, seconds)
        self.wait_led_to(self.replica)
        self.primary, self.replica = self.replica, self.primary

    def bring_back(self, seconds=40):
        """Starts the killed server; the Sentinels make it a replica."""
        self.replica.start()
        self.replica.wait_ready()
        wait_for(f"{self.replica.name} to be made a replica", lambda: link_up(self.replica) and
                 self.replica.info("replication")["master_port"] == str(self.primary.port), seconds)
        wait_synced(self.primary, self.replica)
        self.wait_led_to(self.primary)


def fields(flat):
    """A flat name, value, name, value reply as a dict of strings."""
    if not isinstance(flat, list):
        raise AssertionError(f"not a list of fields: {flat!r}")
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2])}


def watched(sentinel, name="mymaster"):
    """What a Sentinel says about a primary: SENTINEL MASTER as a dict."""
    return fields(sentinel.call("SENTINEL", "MASTER", name))


def sees(sentinel, name, replicas, sentinels):
    seen = watched(sentinel, name)
    found = (seen["num-slaves"], seen["num-other-sentinels"], seen["flags"])
    return found == (str(replicas), str(sentinels), "master")


def address_of(sentinel, name="mymaster"):
    """The port of a primary as a Sentinel tells it to clients."""
    reply = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    return int(reply[1]) if isinstance(reply, list) else None
