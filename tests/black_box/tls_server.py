#!/usr/bin/env python3
"""The data server over TLS: verification, reload at run time, ports that move, replication with Debian's redis-server
in both directions, the original's clients, and peers that do not keep to the protocol."""
import socket
import ssl
import subprocess
import unittest

import processes
from certificates import Authority, openssl
from processes import World, Client, Error, wait_for, wait_synced, free_port, link_up, resident_kb


class Secure(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.authority = Authority(self.world.place("certificates"))
        self.certificate = self.authority.issue("server.test")
        self.mine = self.authority.issue("client.test")
        self.context = self.authority.client_context(self.mine)

    def words(self, port, *more):
        return ["--tls-port", port, "--port", "0", "--tls-cert-file", self.certificate.path, "--tls-key-file",
                self.certificate.key, "--tls-ca-cert-file", self.authority.path, *more]

    def server(self, kind, *options):
        port = free_port()
        program = [processes.HOLDFAST, "server"] if kind == "ours" else ["redis-server"]
        process = self.world.run(f"{kind}-{port}", [*program, *self.words(port), "--save", "", "--enable-debug-command",
                                                    "yes", "--repl-diskless-sync-delay", "0", *options], port)
        process.tls = self.context
        return process.wait_ready()

    def outcome(self, server, context, **options):
        """What a client gets: its reply to PING, or that the connection came to nothing."""
        try:
            with Client(server.port, tls=context, **options) as client:
                return client.call("PING")
        except (OSError, EOFError) as error:
            return type(error).__name__ if isinstance(error, ssl.SSLCertVerificationError) else "refused"


class Clients(Secure):
    def test_who_must_show_a_certificate(self):
        stranger = Authority(self.world.place("strangers"), "stranger")
        contexts = [self.context, self.authority.client_context(),
                    self.authority.client_context(stranger.issue("client.test"))]
        expected = {"yes": ["PONG", "refused", "refused"], "optional": ["PONG", "PONG", "refused"],
                    "no": ["PONG", "PONG", "PONG"]}
        for kind in ("ours", "original"):
            server = self.server(kind)
            for mode, outcomes in expected.items():
                with server.client() as client:
                    self.assertEqual(client.call("CONFIG", "SET", "tls-auth-clients", mode), "OK")
                self.assertEqual([self.outcome(server, context) for context in contexts], outcomes, (kind, mode))
            self.assertEqual(self.outcome(server, stranger.client_context()), "SSLCertVerificationError")

    def test_what_is_not_tls_is_refused_and_said_in_the_log(self):
        lines = {}
        for kind in ("ours", "original"):
            server = self.server(kind)
            for bytes_ in (b"PING\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello"):
                with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
                    s.sendall(bytes_)
                    try:
                        while s.recv(1000):
                            pass
                    except ConnectionResetError:
                        pass
            def said():
                # 7.0 ends the line with the descriptor, 7.2 with the addresses.
                found = [line.split("# ", 1)[1].split(" (addr=")[0].split(" (conn:")[0] for line in server.log_text().splitlines()
                         if "Error accepting a client connection" in line]
                return found if len(found) == 3 else None
            lines[kind] = wait_for("three refusals in the log", said)
            self.assertEqual(self.outcome(server, self.context), "PONG")
        self.assertEqual(lines["ours"], lines["original"])

    def test_large_values_and_pipelines(self):
        server = self.server("ours")
        with server.client(timeout=60) as client:
            value = bytes(range(256)) * 40_000  # 10 MB
            self.assertEqual(client.call("SET", "big", value), "OK")
            self.assertEqual(client.call("GET", "big"), value)
            for i in range(2000):
                client.send("SET", f"k{i}", i)
            self.assertEqual([client.read() for _ in range(2000)], ["OK"] * 2000)

    def test_the_originals_client(self):
        server = self.server("ours")
        words = ["redis-cli", "-p", server.port, "--tls", "--cert", self.mine.path, "--key", self.mine.key, "--cacert",
                 self.authority.path, "--sni", "server.test"]
        def run(*more):
            return subprocess.run([str(w) for w in [*words, *more]], stdout=subprocess.PIPE, timeout=60).stdout.decode()
        self.assertEqual(run("SET", "a", "1"), "OK\n")
        self.assertEqual(run("GET", "a"), "1\n")

    def test_python_redis(self):
        import redis
        server = self.server("ours")
        client = redis.Redis(port=server.port, ssl=True, ssl_certfile=str(self.mine.path), ssl_keyfile=str(self.mine.key),
                             ssl_ca_certs=str(self.authority.path), ssl_check_hostname=False)
        with client.pipeline() as pipe:
            self.assertEqual(pipe.set("a", "1").get("a").execute(), [True, b"1"])
        client.close()

    def test_what_leaves_after_the_last_command_arrives(self):
        server = self.server("ours")
        with server.client() as client:
            client.send("ECHO", "x" * 300_000)
            client.send("QUIT")
            self.assertEqual(len(client.read()), 300_000)
            self.assertEqual(client.read(), "OK")
            self.assertRaises(EOFError, client.read)


class RunTime(Secure):
    def test_a_new_certificate_is_shown_to_new_clients_only(self):
        server = self.server("ours")
        second = self.authority.issue("server.test", file="second")
        shown = lambda client: openssl("x509", "-inform", "der", "-noout", "-serial",
                                       input=client.socket.getpeercert(True)).decode().strip().split("=")[1]
        with server.client() as old:
            self.assertEqual(shown(old), self.certificate.serial)
            self.assertEqual(old.call("CONFIG", "SET", "tls-cert-file", second.path, "tls-key-file", second.key), "OK")
            with server.client() as new:
                self.assertEqual(shown(new), second.serial)
            self.assertEqual(old.call("PING"), "PONG")

    def test_what_does_not_load_changes_nothing_and_says_so_in_the_originals_words(self):
        broken = self.world.directory / "broken.crt"
        broken.write_text("no certificate\n")
        cases = [("tls-cert-file", broken), ("tls-key-file", "/nonexistent"), ("tls-ca-cert-file", "/nonexistent"),
                 ("tls-ciphers", "nonsense"), ("tls-ciphersuites", "nonsense"), ("tls-protocols", "SSLv9"),
                 ("tls-dh-params-file", "/nonexistent"), ("tls-cert-file", ""), ("tls-auth-clients", "maybe"),
                 ("tls-session-cache-size", "-1"), ("tls-key-file", self.mine.key)]
        replies, logs = {}, {}
        for kind in ("ours", "original"):
            server = self.server(kind)
            with server.client() as client:
                replies[kind] = []
                for name, value in cases:
                    replies[kind].append((name, client.call("CONFIG", "SET", name, value), client.call("CONFIG", "GET", name)))
            self.assertEqual(self.outcome(server, self.context), "PONG")
            logs[kind] = [line.split("# ", 1)[1] for line in server.log_text().splitlines() if "# " in line and
                          any(word in line for word in ("Failed to", "Invalid tls", "No tls"))]
        self.assertEqual(replies["ours"], replies["original"])
        self.assertEqual(logs["ours"], logs["original"])

    def test_ports_move_between_plain_and_tls(self):
        server = self.server("ours")
        port = server.port
        with server.client() as client:
            self.assertEqual(client.call("CONFIG", "SET", "tls-port", "0"), "OK")
            self.assertEqual(client.call("CONFIG", "SET", "port", port), "OK")
            with Client(port) as plain:
                self.assertEqual(plain.call("PING"), "PONG")
                self.assertEqual(plain.call("CONFIG", "SET", "port", "0"), "OK")
                self.assertEqual(plain.call("CONFIG", "SET", "tls-port", port), "OK")
            self.assertEqual(self.outcome(server, self.context), "PONG")
            with socket.create_server(("127.0.0.1", 0)) as taken:
                reply = client.call("CONFIG", "SET", "port", taken.getsockname()[1], "bind", "127.0.0.1")
                self.assertEqual(reply, Error("ERR CONFIG SET failed (possibly related to argument 'port') - Unable to "
                                              "listen on this port. Check server logs."))
            self.assertEqual(client.call("CONFIG", "GET", "port"), [b"port", b"0"])
            self.assertEqual(self.outcome(server, self.context), "PONG")
            self.assertIn(f"port={port}", client.info("server")["listener2"])
            client.send("MULTI"), client.send("CONFIG", "SET", "tls-port", port), client.send("PING"), client.send("EXEC")
            self.assertEqual([client.read() for _ in range(4)][-1], ["OK", "PONG"])
        self.assertEqual(self.outcome(server, self.context), "PONG")

    def test_what_stops_the_start(self):
        for options in (["--tls-cert-file", "/nonexistent"], ["--tls-ca-cert-file", ""], ["--tls-ciphers", "nonsense"]):
            ends = {}
            for kind in ("ours", "original"):
                program = [processes.HOLDFAST, "server"] if kind == "ours" else ["redis-server"]
                run = subprocess.run([str(w) for w in [*program, *self.words(free_port()), *options]], timeout=60,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                text = run.stdout.decode().splitlines()
                ends[kind] = run.returncode, [line.split("# ", 1)[1] for line in text if "# " in line][-2:]
            self.assertEqual(ends["ours"], ends["original"], options)


class Replication(Secure):
    def test_links_in_both_directions(self):
        for first, second in (("ours", "ours"), ("ours", "original"), ("original", "ours")):
            with self.subTest(primary=first, replica=second):
                primary = self.server(first, "--tls-replication", "yes")
                with primary.client() as client:
                    for i in range(500):
                        client.call("SET", f"k{i}", "v" * (i * 7))
                replica = self.server(second, "--tls-replication", "yes", "--replicaof", "127.0.0.1", primary.port)
                wait_synced(primary, replica)
                self.assertEqual(replica.call("GET", "k499"), b"v" * 499 * 7)
                self.assertEqual(primary.call("DEBUG", "DIGEST"), replica.call("DEBUG", "DIGEST"))
                slave = primary.info("replication")["slave0"]
                self.assertIn(f"port={replica.port},", slave)
                for process in (replica, primary):
                    process.kill()

    def test_a_primary_that_is_not_trusted_is_not_followed(self):
        primary = self.server("ours", "--tls-replication", "yes")
        stranger = Authority(self.world.place("strangers"), "stranger")
        lines = {}
        for kind in ("ours", "original"):
            replica = self.server(kind, "--tls-replication", "yes")
            with replica.client() as client:
                self.assertEqual(client.call("CONFIG", "SET", "tls-ca-cert-file", stranger.path), "OK")
                client.call("REPLICAOF", "127.0.0.1", primary.port)
                def said():
                    return [line.split("Error condition", 1)[1] for line in replica.log_text().splitlines()
                            if "Error condition on socket" in line]
                lines[kind] = wait_for("the refusal in the log", said)[0]
                self.assertFalse(client.info("replication")["master_link_status"] == "up")
                self.assertEqual(client.call("CONFIG", "SET", "tls-ca-cert-file", self.authority.path), "OK")
            replica.tls = self.context
            wait_for("the link", lambda: link_up(replica))
        self.assertEqual(lines["ours"], lines["original"])


class Hostile(Secure):
    def test_unfinished_handshakes_keep_nobody_out_and_cost_little(self):
        server = self.server("ours", "--maxclients", "5000")
        before = resident_kb(server)
        hello = self.client_hello()
        half = []
        for i in range(500):  # silent ones, ones that stop in the middle, ones that never read the answer
            s = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            s.sendall([b"", hello[:50], hello][i % 3])
            half.append(s)
        self.assertEqual(self.outcome(server, self.context), "PONG")
        self.assertLess(resident_kb(server) - before, 500 * 128)
        for s in half:
            s.close()
        def alone():
            with server.client() as client:
                return client.info("clients")["connected_clients"] == "1"
        wait_for("all of them to be forgotten", alone)

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self.context.wrap_bio(incoming, outgoing).do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    def test_records_beyond_the_protocols_size_end_the_connection(self):
        server = self.server("ours")
        for bytes_ in (b"\x16\x03\x01\xff\xff" + b"x" * 70_000, self.client_hello()[:-5] + b"\xff" * 70_000):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
                try:
                    s.sendall(bytes_)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        self.assertEqual(self.outcome(server, self.context), "PONG")

    def test_a_client_that_does_not_read_is_bounded_as_a_plain_one(self):
        server = self.server("ours", "--client-output-buffer-limit", "normal 8mb 0 0")
        with server.client() as writer:
            writer.call("SET", "big", "x" * 1_000_000)
        with server.client(timeout=60) as lazy:
            for _ in range(200):
                lazy.send("GET", "big")
            def dropped():
                with server.client() as client:
                    return b"cmd=get" not in client.call("CLIENT", "LIST")
            wait_for("the client to be dropped", dropped)
        self.assertEqual(self.outcome(server, self.context), "PONG")

    def test_one_that_is_garbled_after_the_handshake_ends_alone(self):
        server = self.server("ours")
        with server.client() as other, server.client() as bad:
            raw = socket.socket(fileno=bad.socket.detach())
            raw.settimeout(20)
            raw.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
            try:
                while raw.recv(1000):
                    pass
            except OSError:
                pass
            raw.close()
            self.assertEqual(other.call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main()
