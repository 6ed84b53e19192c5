"""Hosts as network namespaces: each with its own address behind one bridge, so that lines can really be cut.

Everything lives in namespaces of its own, the bridge too: nothing outside is touched. What a cut drops is dropped without a
word by whoever should have received it (nftables), so a cut may be one-way. Needs root, iproute2 and nftables.
"""
import contextlib
import ctypes
import os
import subprocess
import unittest

from processes import HOLDFAST, Client, Process, World

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# @deaf_to: whom this host does not hear.
RULES = """table inet lines {{
  set deaf_to {{ type ipv4_addr; }}
  chain receive {{ type filter hook input priority 0; ip saddr @deaf_to drop; {loss} }}
}}
"""


def command(*words, stdin=None):
    subprocess.run(list(map(str, words)), input=stdin, check=True, capture_output=True, text=True)


def enter(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    """Sockets that this thread makes meanwhile belong to the namespace, for good."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        enter(other)
        yield
    finally:
        enter(own)
        os.close(own)
        os.close(other)


class HostProcess(Process):
    """A process on a host; its clients are on the same host, so they reach it over any cut."""

    def __init__(self, world, host, name, argv, port):
        self.host = host
        directory = world.place(name)
        words = ["ip", "netns", "exec", host.namespace, *map(str, argv)]
        super().__init__(world, name, words, port, str(directory / "log"), str(directory))
        world.processes.append(self)

    def client(self, **options):
        with inside(self.host.namespace):
            return Client(self.port, **options)


class Host:
    def __init__(self, network, name, number):
        self.network, self.name = network, name
        self.namespace = network.prefix + name
        self.ip = f"10.77.0.{number}"

    def make(self, loss_percent):
        bridge = self.network.bridge
        command("ip", "netns", "add", self.namespace)
        self.network.namespaces.append(self.namespace)
        line = f"v{self.ip.rsplit('.', 1)[1]}"
        command("ip", "-n", bridge, "link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        command("ip", "-n", bridge, "link", "set", line, "master", "bridge0", "up")
        command("ip", "-n", self.namespace, "addr", "add", f"{self.ip}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            command("ip", "-n", self.namespace, "link", "set", device, "up")
        loss = f'iifname "eth0" numgen random mod 100 < {loss_percent} drop;' if loss_percent else ""
        self.nft(RULES.format(loss=loss))

    def nft(self, text):
        command("ip", "netns", "exec", self.namespace, "nft", "-f", "-", stdin=text)

    def slow_down(self, kilobits, latency_ms):
        """What this host sends waits in a queue of so many milliseconds; what does not fit is dropped."""
        command("tc", "-n", self.namespace, "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", f"{kilobits}kbit",
                "burst", "4kb", "latency", f"{latency_ms}ms")

    # Programs. One data server and one Sentinel per host, on their usual ports.
    def server(self, kind, primary=None, *options):
        program = [HOLDFAST, "server"] if kind == "ours" else ["redis-server"]
        words = ["--port", 6379, "--protected-mode", "no", "--save", "", "--repl-diskless-sync-delay", 0,
                 "--enable-debug-command", "yes", *options]
        if primary is not None:
            words += ["--replicaof", primary.host.ip, primary.port]
        name = f"{self.name}-{kind}-server"
        return HostProcess(self.network, self, name, [*program, *words], 6379).wait_ready()

    def sentinel(self, kind, primary, quorum, down_after=1000, failover_timeout=6000, name="mymaster"):
        place = self.network.place(f"{self.name}-{kind}-sentinel")
        conf = place / "sentinel.conf"
        conf.write_text(f"port 26379\ndir {place}\nsentinel monitor {name} {primary.host.ip} {primary.port} {quorum}\n"
                        f"sentinel down-after-milliseconds {name} {down_after}\n"
                        f"sentinel failover-timeout {name} {failover_timeout}\n")
        program = [HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
        return HostProcess(self.network, self, place.name, [*program, conf], 26379).wait_ready()


class Network(World):
    """`with Network("a", "b") as net:` two hosts, net.hosts["a"] and net.hosts["b"], that hear each other."""

    def __init__(self, *names, loss_percent=0):
        self.names, self.loss_percent = names, loss_percent
        self.prefix = f"hf{os.getpid()}{id(self) % 9973}-"
        self.bridge = self.prefix + "bridge"
        self.namespaces, self.hosts = [], {}

    def __enter__(self):
        try:
            command("ip", "netns", "add", self.bridge)
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", None) or str(error)
            raise unittest.SkipTest(f"network namespaces cannot be made here: {why.strip()}") from error
        self.namespaces.append(self.bridge)
        super().__enter__()
        try:
            command("ip", "-n", self.bridge, "link", "add", "bridge0", "type", "bridge")
            command("ip", "-n", self.bridge, "link", "set", "bridge0", "up")
            for number, name in enumerate(self.names, 1):
                self.hosts[name] = Host(self, name, number)
                self.hosts[name].make(self.loss_percent)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, *rest):
        super().__exit__(kind, *rest)
        for namespace in reversed(self.namespaces):
            command("ip", "netns", "del", namespace)
        self.namespaces.clear()

    # Lines.
    def drop(self, sender, receiver):
        """From now on the receiver does not hear the sender. One way."""
        receiver.nft(f"add element inet lines deaf_to {{ {sender.ip} }}\n")

    def cut(self, first, second):
        self.drop(first, second)
        self.drop(second, first)

    def isolate(self, host):
        for other in self.hosts.values():
            if other is not host:
                self.cut(host, other)

    def heal(self):
        for host in self.hosts.values():
            host.nft("flush set inet lines deaf_to\n")
