#!/usr/bin/env python3
"""Sentinels over TLS: a quorum of ours and Debian's redis-sentinel that watches servers through TLS, talks to each other
through TLS, and replaces a primary that dies."""
import subprocess
import unittest

import processes
from certificates import Authority
from processes import World, wait_for, wait_synced, free_port, address_of, sees


class Quorum(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.authority = Authority(self.world.place("certificates"))
        self.certificate = self.authority.issue("node.test")
        self.context = self.authority.client_context(self.certificate)

    def directives(self, port):
        return {"port": 0, "tls-port": port, "tls-cert-file": self.certificate.path, "tls-key-file": self.certificate.key,
                "tls-ca-cert-file": self.authority.path, "tls-replication": "yes"}

    def server(self, kind, *options):
        port = free_port()
        words = [word for name, value in self.directives(port).items() for word in (f"--{name}", value)]
        program = [processes.HOLDFAST, "server"] if kind == "ours" else ["redis-server"]
        process = self.world.run(f"{kind}-{port}", [*program, *words, "--save", "", "--repl-diskless-sync-delay", "0",
                                                    *options], port)
        process.tls = self.context
        return process.wait_ready()

    def sentinel(self, kind, primary, quorum):
        port = free_port()
        directory = self.world.place(f"{kind}-sentinel-{port}")
        conf = directory / "sentinel.conf"
        lines = [f"{name} {value}" for name, value in self.directives(port).items()]
        conf.write_text("\n".join([*lines, f"dir {directory}", f"sentinel monitor mymaster 127.0.0.1 {primary.port} {quorum}",
                                   "sentinel down-after-milliseconds mymaster 1500",
                                   "sentinel failover-timeout mymaster 10000", ""]))
        program = [processes.HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
        process = self.world.run(directory.name, [*program, conf], port)
        process.tls = self.context
        return process.wait_ready()

    def test_a_mixed_quorum_replaces_a_primary(self):
        primary = self.server("ours")
        replica = self.server("original", "--replicaof", "127.0.0.1", primary.port)
        wait_synced(primary, replica)
        sentinels = [self.sentinel(kind, primary, 2) for kind in ("ours", "original", "ours")]
        for sentinel in sentinels:
            wait_for(f"{sentinel.name} to know everybody", lambda s=sentinel: sees(s, "mymaster", replicas=1, sentinels=2), 60)
        with primary.client() as client:
            client.call("SET", "kept", "1")
        wait_synced(primary, replica)
        primary.kill()
        for sentinel in sentinels:
            wait_for(f"{sentinel.name} to follow", lambda s=sentinel: address_of(s, "mymaster") == replica.port, 60)
        self.assertEqual(replica.info("replication")["role"], "master")
        self.assertEqual(replica.call("GET", "kept"), b"1")
        # It comes back as a replica of the new one, over TLS again.
        primary.start()
        primary.wait_ready()
        wait_for("the old primary to follow the new one",
                 lambda: primary.info("replication").get("master_link_status") == "up", 60)

    def test_plain_strangers_are_refused_and_the_port_is_announced(self):
        primary = self.server("ours")
        sentinel = self.sentinel("ours", primary, 1)
        with processes.Client(sentinel.port) as plain:
            plain.send_raw(b"PING\r\n")
            self.assertRaises((EOFError, AssertionError, OSError), plain.read)
        wait_for("the refusal in the log", lambda: "Error accepting a client connection" in sentinel.log_text())
        with primary.client(timeout=30) as listener:
            listener.call("SUBSCRIBE", "__sentinel__:hello")
            kind, channel, payload = listener.read()
            self.assertEqual(int(payload.split(b",")[1]), sentinel.port)
        self.assertEqual(sentinel.info("server")["tcp_port"], str(sentinel.port))

    def test_files_that_do_not_load_stop_the_start(self):
        for name, value in (("tls-cert-file", "/nonexistent"), ("tls-ca-cert-file", '""'), ("tls-protocols", "SSLv9")):
            ends = {}
            for kind in ("ours", "original"):
                port = free_port()
                directory = self.world.place(f"{kind}-broken-{port}")
                conf = directory / "sentinel.conf"
                values = {**self.directives(port), name: value}
                conf.write_text("".join(f"{key} {word}\n" for key, word in values.items()) + f"dir {directory}\n")
                program = [processes.HOLDFAST, "sentinel"] if kind == "ours" else ["redis-sentinel"]
                run = subprocess.run([*map(str, program), str(conf)], timeout=60, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
                text = run.stdout.decode().splitlines()
                ends[kind] = run.returncode, [line.split("# ", 1)[1] for line in text if "# " in line][-2:]
            self.assertEqual(ends["ours"], ends["original"], name)


if __name__ == "__main__":
    unittest.main()
