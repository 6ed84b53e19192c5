#!/usr/bin/env python3
"""The proxy over TLS, compared with Debian's haproxy where there is one: listening with certificates chosen by name,
client certificates, TLS towards servers and in checks, what -c says about broken files, certificates changed at run time,
and peers that do not keep to the protocol."""
import re
import socket
import ssl
import subprocess
import threading
import unittest

import processes
from certificates import Authority, openssl
from processes import World, Client, wait_for, free_port, resident_kb

DEFAULTS = "defaults\n mode tcp\n timeout connect 20s\n timeout client 120s\n timeout server 120s\n"


def program(kind):
    return [str(processes.HOLDFAST), "proxy"] if kind == "ours" else ["haproxy"]


class Secure(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.authority = Authority(self.world.place("certificates"))
        self.certificate = self.authority.issue("server.test")
        self.second = self.authority.issue("second.test")
        self.mine = self.authority.issue("client.test")
        self.context = self.authority.client_context(self.mine)
        self.place = self.certificate.path.parent

    def backend_server(self, tls=False, **more):
        port = free_port()
        words = ["--save", ""]
        if tls:
            words += ["--port", "0", "--tls-port", port, "--tls-cert-file", self.certificate.path, "--tls-key-file",
                      self.certificate.key, "--tls-ca-cert-file", self.authority.path, "--tls-auth-clients",
                      more.get("auth", "no")]
        else:
            words += ["--port", port]
        server = self.world.run(f"server-{port}", [processes.HOLDFAST, "server", *words], port)
        server.tls = self.context if tls else None
        return server.wait_ready()

    def proxy(self, kind, front, back, extra="", more=""):
        port = free_port()
        socket_path = self.world.directory / f"{kind}-{port}.sock"
        config = (f"global\n stats socket {socket_path} level admin\n{extra}\n{DEFAULTS}"
                  f"frontend ft\n bind 127.0.0.1:{port} {front}\n default_backend bk\n{more}\nbackend bk\n{back}\n")
        process = self.world.proxy(kind, config, port)
        process.api_path = socket_path
        return process

    def api(self, proxy, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            wait_for("the runtime API to listen", lambda: s.connect_ex(str(proxy.api_path)) == 0)
            s.sendall(command.encode() + b"\n")
            out = b""
            while piece := s.recv(65536):
                out += piece
        return out.decode()

    def ping(self, proxy, context=None, name=None):
        try:
            with Client(proxy.port, tls=context, server_name=name) as client:
                return client.call("PING")
        except (OSError, EOFError):
            return "refused"

    def shown(self, proxy, name):
        with Client(proxy.port, tls=self.context, server_name=name) as client:
            return openssl("x509", "-inform", "der", "-noout", "-subject",
                           input=client.socket.getpeercert(True)).decode().rsplit("= ", 1)[-1].strip()


class Listening(Secure):
    def test_bytes_go_both_ways(self):
        server = self.backend_server()
        proxy = self.proxy("ours", f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}")
        with Client(proxy.port, tls=self.context, timeout=60) as client:
            value = bytes(range(256)) * 20_000
            self.assertEqual(client.call("SET", "big", value), "OK")
            self.assertEqual(client.call("GET", "big"), value)
            client.send("ECHO", "x" * 300_000), client.send("QUIT")
            self.assertEqual(len(client.read()), 300_000)
            self.assertEqual(client.read(), "OK")
            self.assertRaises(EOFError, client.read)
        self.assertEqual(self.ping(proxy), "refused")

    def test_the_name_chooses_the_certificate(self):
        server = self.backend_server()
        shown = {}
        for kind in ("ours", "original"):
            proxy = self.proxy(kind, f"ssl crt {self.certificate.pem} crt {self.second.pem}",
                               f" server s 127.0.0.1:{server.port}")
            shown[kind] = [self.shown(proxy, name) for name in ("server.test", "second.test", "SECOND.test", "other.test", None)]
            strict = self.proxy(kind, f"ssl strict-sni crt {self.certificate.pem} crt {self.second.pem}",
                                f" server s 127.0.0.1:{server.port}")
            shown[kind] += [self.ping(strict, self.context, name) for name in ("second.test", "other.test")]
        self.assertEqual(shown["ours"], shown["original"])
        self.assertEqual(shown["ours"], ["server.test", "second.test", "second.test", "server.test", "server.test",
                                         "PONG", "refused"])

    def test_a_list_of_certificates(self):
        server = self.backend_server()
        path = self.world.directory / "list"
        path.write_text(f"# certificates\n{self.certificate.pem}\n{self.second.pem} *.wild.test !not.wild.test\n")
        shown = {}
        for kind in ("ours", "original"):
            proxy = self.proxy(kind, f"ssl crt-list {path}", f" server s 127.0.0.1:{server.port}")
            shown[kind] = [self.shown(proxy, name) for name in ("a.wild.test", "not.wild.test", "a.b.wild.test", "second.test")]
        self.assertEqual(shown["ours"], shown["original"])

    def test_client_certificates(self):
        server = self.backend_server()
        stranger = Authority(self.world.place("strangers"), "stranger")
        contexts = [self.context, self.authority.client_context(), self.authority.client_context(stranger.issue("client.test"))]
        for verify in ("none", "optional", "required", "optional crt-ignore-err all ca-ignore-err all"):
            got = {}
            for kind in ("ours", "original"):
                proxy = self.proxy(kind, f"ssl crt {self.certificate.pem} ca-file {self.authority.path} verify {verify}",
                                   f" server s 127.0.0.1:{server.port}")
                got[kind] = [self.ping(proxy, context) for context in contexts]
            self.assertEqual(got["ours"], got["original"], verify)

    def test_versions(self):
        server = self.backend_server()
        got = {}
        for kind in ("ours", "original"):
            got[kind] = []
            for options in ("", "ssl-min-ver TLSv1.3", "ssl-max-ver TLSv1.2", "force-tlsv12", "no-tlsv13"):
                proxy = self.proxy(kind, f"ssl crt {self.certificate.pem} {options}", f" server s 127.0.0.1:{server.port}")
                with Client(proxy.port, tls=self.context) as client:
                    got[kind].append(client.socket.version())
        self.assertEqual(got["ours"], got["original"])

    def test_a_proxy_header_comes_before_the_handshake(self):
        server = self.backend_server()
        proxy = self.proxy("ours", f"accept-proxy ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}")
        s = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
        s.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n")
        with self.context.wrap_socket(s) as tls:
            tls.sendall(b"PING\r\n")
            self.assertEqual(tls.recv(100), b"+PONG\r\n")

    def test_what_is_known_of_a_client(self):
        got = {}
        for kind in ("ours", "original"):
            # The log tells what a connection was; acls tell what samples say of it.
            lines = [f" acl ok{i} {fetch} {value}" for i, (fetch, value) in enumerate(FETCHES)]
            names = " ".join(f"ok{i}" for i in range(len(FETCHES)))
            server = self.backend_server()
            with LogSink() as sink:
                proxy = self.proxy(kind, f"name secure ssl crt {self.certificate.pem} ca-file {self.authority.path} verify optional",
                                   f" server s 127.0.0.1:{server.port}",
                                   more="\n".join([*lines, f" tcp-request content reject unless {names}",
                                                   f" log 127.0.0.1:{sink.port} local0",
                                                   ' log-format "%ft %sslv %sslc"']))
                self.assertEqual(self.ping(proxy, self.context, "server.test"), "PONG", kind)
                self.assertEqual(self.ping(proxy, self.authority.client_context(), "server.test"), "refused", kind)
                with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as s:
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    while s.recv(1000):
                        pass
                lines = sink.wait(4)
            got[kind] = [re.sub(r"127.0.0.1:\d+ \[[^]]*\]", "CLIENT", line) for line in lines]
        self.assertEqual(got["ours"], got["original"])


FETCHES = [("ssl_fc", ""), ("ssl_fc_sni", "server.test"), ("ssl_c_used", ""), ("ssl_c_verify", "0"),
           ("ssl_c_s_dn", "/O=Test/CN=client.test"), ("ssl_c_s_dn(CN)", "client.test"), ("ssl_c_i_dn(O)", "Test"),
           ("ssl_fc_protocol", "TLSv1.3"), ("ssl_f_s_dn(CN)", "server.test"), ("ssl_c_version", "3"),
           ("ssl_c_key_alg", "id-ecPublicKey"), ("ssl_c_sig_alg", "ecdsa-with-SHA256"), ("ssl_fc_has_crt", "")]


class LogSink:
    """Receives syslog lines over UDP; keeps what stands behind the tag."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def read(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except OSError:
                return
            if text:
                self.lines.append(text.split("]: ", 1)[-1].strip())

    def of_sessions(self):
        return [line for line in self.lines if "ft" in line and not line.startswith("Proxy")]

    def wait(self, count):
        return wait_for(f"{count} log lines", lambda: self.of_sessions() if len(self.of_sessions()) >= count else None)

    def __exit__(self, *_):
        self.socket.close()


class Servers(Secure):
    def status(self, proxy):
        rows = [line.split(",") for line in self.api(proxy, "show stat").splitlines() if line.startswith("bk,s,")]
        return rows[0][17], rows[0][36]

    def test_verification_of_a_server(self):
        server = self.backend_server(tls=True)
        stranger = Authority(self.world.place("strangers"), "stranger")
        got = {}
        options = ["verify none", f"verify required ca-file {self.authority.path}", f"verify required ca-file {stranger.path}",
                   f"verify required ca-file {self.authority.path} verifyhost server.test",
                   f"verify required ca-file {self.authority.path} verifyhost other.test",
                   f"verify required ca-file {self.authority.path} sni str(server.test)",
                   f"verify required ca-file {self.authority.path} sni str(other.test)"]
        for kind in ("ours", "original"):
            got[kind] = []
            for option in options:
                proxy = self.proxy(kind, "", f" server s 127.0.0.1:{server.port} ssl {option}\n retries 0")
                got[kind].append(self.ping(proxy))
        self.assertEqual(got["ours"], got["original"])
        self.assertEqual(got["ours"][:5], ["PONG", "PONG", "refused", "PONG", "refused"])

    def test_our_certificate_for_a_server(self):
        server = self.backend_server(tls=True, auth="yes")
        for options, expected in (("", "refused"), (f"crt {self.mine.pem}", "PONG")):
            proxy = self.proxy("ours", "", f" server s 127.0.0.1:{server.port} ssl verify none {options}\n retries 0")
            self.assertEqual(self.ping(proxy), expected)

    def test_tls_on_both_sides_with_large_values(self):
        server = self.backend_server(tls=True)
        proxy = self.proxy("ours", f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port} ssl verify none")
        with Client(proxy.port, tls=self.context, timeout=60) as client:
            value = b"v" * 3_000_000
            self.assertEqual(client.call("SET", "big", value), "OK")
            self.assertEqual(client.call("GET", "big"), value)

    def test_checks(self):
        secure, plain = self.backend_server(tls=True), self.backend_server()
        tcp = (" option tcp-check\n tcp-check connect {}\n tcp-check send PING\\r\\n\n tcp-check expect string +PONG\n")
        cases = [(secure, "ssl verify none check", ""), (plain, "ssl verify none check", ""),
                 (secure, "check check-ssl verify none", ""), (secure, "ssl verify none check no-check-ssl", ""),
                 (secure, "ssl verify none check", tcp.format("ssl")), (secure, "ssl verify none check", tcp.format("")),
                 (secure, "check verify none", tcp.format("ssl sni server.test")),
                 (secure, "ssl verify none check", " option redis-check\n"), (plain, "check", " option redis-check\n"),
                 (secure, f"ssl check verify required ca-file {self.authority.path} verifyhost other.test", "")]
        got = {}
        for kind in ("ours", "original"):
            got[kind] = []
            for server, options, rules in cases:
                proxy = self.proxy(kind, "", f"{rules} server s 127.0.0.1:{server.port} {options} inter 100ms fall 1 rise 1")
                def settled():
                    status = self.status(proxy)
                    return status if status[1] not in ("INI", "") and not status[1].startswith("*") else None
                wait_for("a check's result", settled)
                got[kind].append(wait_for("a check's result", settled))
                proxy.kill()
        self.assertEqual(got["ours"], got["original"])


class Files(Secure):
    def verdict(self, kind, text):
        path = self.world.directory / "check.cfg"
        path.write_text(text)
        run = subprocess.run([*program(kind), "-c", "-f", str(path)], cwd=self.place, timeout=60, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        lines = [re.sub(r"^\[(\w+)\]\s+\(\d+\) : ", r"\1 ", line) for line in run.stdout.decode().splitlines()]
        return run.returncode, [line for line in lines if line.startswith(("ALERT", "WARNING"))]

    def compare(self, make, options):
        for option in options:
            with self.subTest(option=option):
                self.assertEqual(self.verdict("ours", make(option)), self.verdict("original", make(option)))

    def broken_files(self):
        (self.place / "junk.pem").write_text("junk\n")
        (self.place / "nokey.pem").write_bytes(self.certificate.path.read_bytes())
        (self.place / "mixed.pem").write_bytes(self.certificate.path.read_bytes() + self.second.key.read_bytes())
        (self.place / "beside.pem").write_bytes(self.certificate.path.read_bytes())
        (self.place / "beside.pem.key").write_bytes(self.certificate.key.read_bytes())
        many = self.place / "many"
        many.mkdir()
        for certificate in (self.certificate, self.second):
            (many / certificate.pem.name).write_bytes(certificate.pem.read_bytes())

    def test_bind_lines(self):
        self.broken_files()
        good = "ssl crt server.test.pem"
        self.compare(lambda o: f"{DEFAULTS}frontend f\n bind 127.0.0.1:21999 {o}\n default_backend b\nbackend b\n server s 127.0.0.1:1\n", [
            "ssl", "ssl crt nofile.pem", "ssl crt junk.pem", "ssl crt nokey.pem", "ssl crt mixed.pem", "ssl crt beside.pem",
            "ssl crt many", "ssl crt", f"{good} ca-file nofile", f"{good} ca-file junk.pem", f"{good} verify required",
            f"{good} verify bogus", f"{good} verify", f"{good} ciphers nonsense", f"{good} ciphersuites nonsense",
            f"{good} ssl-min-ver TLSv9", f"{good} ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2", f"{good} ssl-min-ver",
            f"{good} crl-file nofile ca-file authority.crt", "ssl crt-list nolist", f"{good} alpn", f"{good} alpn h2,http/1.1",
            "crt server.test.pem", f"{good} curves nonsense", f"{good} curves X25519", f"{good} force-tlsv13",
            f"{good} no-sslv3 no-tlsv10 no-tls-tickets strict-sni prefer-client-ciphers", f"{good} ca-file authority.crt verify optional",
            f"{good} crt second.test.pem", f"{good} ca-file", f"{good} crl-file", f"{good} ciphers"])

    def test_server_lines(self):
        self.broken_files()
        self.compare(lambda o: f"{DEFAULTS}frontend f\n bind 127.0.0.1:21999\n default_backend b\nbackend b\n server s 127.0.0.1:1 {o}\n", [
            "ssl", "ssl verify none", "ssl verify required", "ssl verify required ca-file nofile", "ssl verify bogus", "ssl verify",
            "ssl verify none crt nofile", "ssl verify none crt nokey.pem", "ssl verify none crt client.test.pem", "ssl verify none sni",
            "ssl verify none sni str(a.test)", "ssl verify none ciphers nonsense", "ssl verify none ssl-min-ver x",
            "ssl verify none verifyhost", "ssl verify required ca-file authority.crt crl-file nofile",
            "ssl ca-file authority.crt verifyhost a.test", "check-ssl verify none", "check check-sni a.test", "verify required",
            "ssl verify none alpn h2", "no-ssl", "ssl verify none no-ssl-reuse", "ssl verify none force-tlsv12",
            "ssl verify none sni req.ssl_sni", "ssl verify none sni nosuch", "ssl verify required ca-file @system-ca"])

    def test_global_lines(self):
        self.compare(lambda o: f"global\n {o}\n{DEFAULTS}frontend f\n bind 127.0.0.1:21999\n default_backend b\nbackend b\n server s 127.0.0.1:1\n", [
            "ssl-default-bind-options no-sslv3 no-tlsv10", "ssl-default-bind-options bogus", "ssl-default-bind-options",
            "ssl-default-bind-ciphers", "ssl-default-bind-ciphers nonsense", "ssl-server-verify x", "ssl-server-verify none",
            "ca-base /x", "ca-base", "crt-base /nowhere", "tune.ssl.default-dh-param 100", "tune.ssl.default-dh-param 2048",
            "ssl-default-server-options ssl-min-ver TLSv1.2", "ssl-default-bind-curves X25519", "tune.ssl.lifetime x",
            "tune.ssl.cachesize 1000"])
        self.compare(lambda o: f"global\n crt-base {self.place}\n ssl-default-bind-ciphers {o}\n{DEFAULTS}frontend f\n bind 127.0.0.1:21999 ssl crt server.test.pem\n"
                     " default_backend b\nbackend b\n server s 127.0.0.1:1\n", ["nonsense", "ECDHE-ECDSA-AES128-GCM-SHA256"])


class RunTime(Secure):
    def test_certificates_are_shown_as_the_original_shows_them(self):
        server = self.backend_server()
        got = {}
        for kind in ("ours", "original"):
            proxy = self.proxy(kind, f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}")
            got[kind] = [self.api(proxy, command) for command in
                         ("show ssl cert", f"show ssl cert {self.certificate.pem}", "show ssl cert nofile",
                          f"commit ssl cert {self.certificate.pem}", f"abort ssl cert {self.certificate.pem}",
                          f"del ssl cert {self.certificate.pem}", "del ssl cert nofile", "new ssl cert fresh",
                          "show ssl cert fresh", "del ssl cert fresh")]
        self.assertEqual(got["ours"], got["original"])

    def test_a_certificate_is_replaced_without_a_restart(self):
        server = self.backend_server()
        fresh = self.authority.issue("fresh.test")
        stranger = self.authority.issue("stranger.test")
        got = {}
        for kind in ("ours", "original"):
            proxy = self.proxy(kind, f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}")
            path = self.certificate.pem
            with Client(proxy.port, tls=self.context) as old:
                load = lambda text: self.api(proxy, f"set ssl cert {path} <<\n{text}\n").split("\n\n", 1)[0]
                answers = [load(fresh.pem.read_text())]
                before = self.shown(proxy, None)
                answers.append(self.api(proxy, f"commit ssl cert {path}"))
                after = self.shown(proxy, None)
                broken = fresh.path.read_text() + stranger.key.read_text()
                for text in (broken, fresh.path.read_text(), "junk\n", stranger.pem.read_text()):
                    answers.append(load(text))
                    if text != stranger.pem.read_text():
                        answers.append(self.api(proxy, f"commit ssl cert {path}"))
                answers.append(self.api(proxy, "commit ssl cert other"))
                answers.append(self.api(proxy, f"abort ssl cert {path}"))
                if kind == "ours":  # 2.6.12 closes it now and then
                    self.assertEqual(old.call("PING"), "PONG")
            self.assertEqual((before, after, self.shown(proxy, None)), ("server.test", "fresh.test", "fresh.test"))
            got[kind] = answers
        self.assertEqual(got["ours"], got["original"])


class Hostile(Secure):
    def test_unfinished_handshakes_are_bounded_and_hinder_nobody(self):
        server = self.backend_server()
        proxy = self.proxy("ours", f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}",
                           more=" timeout client 3s")
        before = resident_kb(proxy)
        half = []
        for i in range(300):
            s = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
            s.sendall([b"", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01"][i % 3])
            half.append(s)
        self.assertEqual(self.ping(proxy, self.context), "PONG")
        self.assertLess(resident_kb(proxy) - before, 300 * 128)
        for s in half:  # `timeout client` ends them
            s.settimeout(30)
            try:
                while s.recv(1000):
                    pass
            except ConnectionResetError:
                pass
            s.close()
        self.assertEqual(self.ping(proxy, self.context), "PONG")

    def test_garbage_ends_only_itself(self):
        server = self.backend_server()
        proxy = self.proxy("ours", f"ssl crt {self.certificate.pem}", f" server s 127.0.0.1:{server.port}")
        with Client(proxy.port, tls=self.context) as other:
            for bytes_ in (b"x" * 70_000, b"\x16\x03\x01\xff\xff" + b"y" * 70_000, b"PING\r\n"):
                with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as s:
                    try:
                        s.sendall(bytes_)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass
                self.assertEqual(other.call("PING"), "PONG")


if __name__ == "__main__":
    unittest.main()
