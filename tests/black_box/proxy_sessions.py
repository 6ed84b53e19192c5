#!/usr/bin/env python3
"""What sessions cost: memory of idle ones, and nothing that grows when somebody does not read; half-closed connections
in both directions. HOLDFAST_IDLE says how many idle clients (default 2000); with haproxy there, both are measured."""
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from processes import HOLDFAST, World, free_port, wait_for

IDLE = int(os.environ.get("HOLDFAST_IDLE", "2000"))
PROGRAMS = {"ours": [HOLDFAST, "proxy"]}
if shutil.which("haproxy"):
    PROGRAMS["original"] = ["haproxy"]
BYTES_PER_IDLE_MAX = 1024
STALLED_MAX = 256 * 1024  # a bounded receive each way (ADR 0033) and what the allocator adds

# A process of its own, for descriptors are counted per process: it takes connections and answers the first byte.
HOLDER = """
import resource, selectors, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            connection = listener.accept()[0]
            selector.register(connection, selectors.EVENT_READ)
            continue
        try:
            data = key.fileobj.recv(4096)
            if data:
                key.fileobj.sendall(data)
        except OSError:
            data = b""
        if not data:
            selector.unregister(key.fileobj)
            key.fileobj.close()
"""


def private_bytes(pid):
    """What the process has written itself. Clean pages are left out: those of the program's file count as private or as
    shared according to who else happens to run it."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_Dirty"))


def settled(pid, seconds=30):
    """Private memory once it has stopped changing."""
    values = [private_bytes(pid)]
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(0.2)
        values.append(private_bytes(pid))
        if len(values) > 5 and len(set(values[-5:])) == 1:
            break
    return values[-1]


class Sessions(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(lambda: self.world.__exit__(None, None, None))

    def proxy(self, kind, server_port, more=""):
        port = free_port()
        text = (f"global\n maxconn {IDLE + 200}\n{more}defaults\n timeout connect 10s\n timeout client 10m\n"
                f" timeout server 10m\n backlog 4096\nlisten l\n bind 127.0.0.1:{port}\n server s 127.0.0.1:{server_port}\n")
        return port, self.world.proxy(kind, text, port)

    def greeted(self, listener):
        """The connection that brings a greeting; those that only tried whether the proxy is there end without one."""
        listener.settimeout(10)
        while True:
            connection = listener.accept()[0]
            connection.settimeout(10)
            if connection.recv(1) == b"!":
                return connection
            connection.close()

    def through_both_ways(self):
        """Two ends of a session, twice: the first is the client's in one pair and the server's in the other."""
        for first_is_client in (True, False):
            listener = socket.create_server(("127.0.0.1", 0))
            port, _ = self.proxy("ours", listener.getsockname()[1])
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            client.sendall(b"!")
            server = self.greeted(listener)
            yield (client, server) if first_is_client else (server, client)
            for s in (client, server, listener):
                s.close()

    @staticmethod
    def fill(sender):
        """Sends until nobody takes any more; how much that was."""
        sent = 0
        sender.settimeout(2)
        try:
            while True:
                sent += sender.send(b"z" * 65536)
        except TimeoutError:
            return sent

    def holder(self):
        port = free_port()
        self.world.run("holder", [sys.executable, "-c", HOLDER, str(port)], port)
        wait_for("the holder", lambda: socket.create_connection(("127.0.0.1", port), timeout=2).close() is None)
        return port

    def test_idle_connections_cost_little(self):
        needed = 2 * IDLE + 500
        try:
            hard = max(needed, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except ValueError:
            self.skipTest(f"no {needed} descriptors for {IDLE} sessions here")
        held, figures = self.holder(), {}
        for kind in PROGRAMS:
            port, process = self.proxy(kind, held)
            clients = []

            def add(count):
                for _ in range(count):
                    client = socket.create_connection(("127.0.0.1", port), timeout=30)
                    client.sendall(b"x")
                    self.assertEqual(client.recv(1), b"x")
                    clients.append(client)
            add(IDLE // 10)  # what the first ones cost is not their own
            before = settled(process.pid)
            add(IDLE - IDLE // 10)
            after = settled(process.pid)
            figures[kind] = (after - before) / (IDLE - IDLE // 10)
            for client in (clients[0], clients[IDLE // 2], clients[-1]):
                client.sendall(b"y")
                self.assertEqual(client.recv(1), b"y")
            for client in clients:
                client.close()
            process.kill()
        print(f"private memory per idle session, {IDLE} of them: "
              + ", ".join(f"{kind} {value:.0f} B" for kind, value in figures.items()))
        self.assertLessEqual(figures["ours"], BYTES_PER_IDLE_MAX)

    def test_a_reader_that_does_not_read_stops_its_writer(self):
        for sender, reader in self.through_both_ways():
            sent = self.fill(sender)
            received = 0
            sender.shutdown(socket.SHUT_WR)
            reader.settimeout(20)
            while data := reader.recv(1 << 20):
                received += len(data)
            self.assertEqual(received, sent)

    def test_many_that_do_not_read_cost_little_each(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        port, process = self.proxy("ours", listener.getsockname()[1])
        kept = []

        def stall(count):
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", port), timeout=10)
                client.sendall(b"!")
                kept.append((client, self.greeted(listener)))
                self.assertGreater(self.fill(client), 1 << 20)
        stall(4)  # what the first ones bring into use serves the others, too
        before = settled(process.pid, 5)
        stall(12)
        each = (private_bytes(process.pid) - before) / 12
        print(f"private memory per stalled session: {each / 1024:.0f} kB")
        self.assertLess(each, STALLED_MAX)
        for pair in kept:
            for s in pair:
                s.close()
        listener.close()

    def test_half_closed_connections_carry_the_other_direction(self):
        for ends, stays in self.through_both_ways():
            ends.shutdown(socket.SHUT_WR)
            self.assertEqual(stays.recv(1), b"")
            payload = os.urandom(3 << 20)
            threading.Thread(target=lambda: (stays.sendall(payload), stays.shutdown(socket.SHUT_WR)), daemon=True).start()
            got = b""
            while data := ends.recv(1 << 20):
                got += data
            self.assertEqual(got, payload)


if __name__ == "__main__":
    unittest.main()
