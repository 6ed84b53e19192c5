#!/usr/bin/env python3
"""Every kind of health check through Debian's haproxy and ours: the same bytes reach the servers, and the same verdicts
with the same codes and texts come of the same answers. Without haproxy only ours runs, against what is written here."""
import csv
import io
import re
import shutil
import socket
import sys
import threading
import time
import unittest

from processes import World, free_port, wait_for

GREETING = b"\x0a8.0.1\x00" + b"x" * 20
MYSQL = bytes([len(GREETING), 0, 0, 0]) + GREETING
MYSQL_OK = b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"
MYSQL_ERROR = b"\x16\x00\x00\x02\xff\x15\x04#28000Access denied"
LDAP_OK = bytes.fromhex("300c02010161070a010004000400")
HTTP = ["option httpchk GET /check HTTP/1.1", "http-check send hdr Host a.b"]

# name: (directives, what a server sends at once, what it answers to each thing it receives, options of the server line)
CASES = {
    "l4": ([], b"", [], ""),
    "smtp": (["option smtpchk EHLO x.y"], b"220 mail\r\n", [b"250-a\r\n250 ok\r\n", b"221 bye\r\n"], ""),
    "smtp_refused": (["option smtpchk"], b"554 no service\r\n", [], ""),
    "smtp_alien": (["option smtpchk"], b"+OK pop\r\n", [], ""),
    "smtp_after": (["option smtpchk"], b"220 mail\r\n", [b"500 what?\r\n"], ""),
    "mysql_greeting": (["option mysql-check"], MYSQL, [], ""),
    "mysql": (["option mysql-check user hap"], MYSQL, [MYSQL_OK], ""),
    "mysql_old": (["option mysql-check user hap pre-41"], MYSQL, [MYSQL_OK], ""),
    "mysql_denied": (["option mysql-check user hap"], MYSQL, [MYSQL_ERROR], ""),
    "pgsql": (["option pgsql-check user hap"], b"", [b"R\x00\x00\x00\x08\x00\x00\x00\x00"], ""),
    "pgsql_error": (["option pgsql-check user hap"], b"", [b"E\x00\x00\x00\x10SFATAL\x00Cwrong\x00\x00"], ""),
    "pgsql_alien": (["option pgsql-check user hap"], b"", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], ""),
    "ldap": (["option ldap-check"], b"", [LDAP_OK], ""),
    "ldap_refused": (["option ldap-check"], b"", [LDAP_OK[:9] + b"\x31" + LDAP_OK[10:]], ""),
    "ldap_alien": (["option ldap-check"], b"", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], ""),
    "ssl_hello": (["option ssl-hello-chk"], b"", [b"\x16\x03\x00\x00\x01\x02"], ""),
    "ssl_alert": (["option ssl-hello-chk"], b"", [b"\x15\x03\x00\x00\x02\x02\x28"], ""),
    "ssl_alien": (["option ssl-hello-chk"], b"", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], ""),
    "http": (["option httpchk"], b"", [b"HTTP/1.0 200 OK\r\n\r\n"], ""),
    "http_host": (HTTP, b"", [b"HTTP/1.1 204 No Content\r\n\r\n"], ""),
    "http_503": (HTTP, b"", [b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_alien": (HTTP, b"", [b"+PONG\r\n"], ""),
    "http_404": (HTTP + ["http-check disable-on-404"], b"", [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_post": (HTTP[:1] + ["http-check send meth POST uri /p ver HTTP/1.1 hdr Host h body abc"], b"",
                  [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"], ""),
    "http_string": (HTTP + ["http-check expect string alive"], b"",
                    [b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nI am alive.\n"], ""),
    "http_string_not": (HTTP + ["http-check expect string alive"], b"",
                        [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndead"], ""),
    "http_no_body": (HTTP + ["http-check expect string alive"], b"", [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_unwanted": (HTTP + ["http-check expect ! rstring de.d"], b"",
                      [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndead\r\n0\r\n\r\n"], ""),
    "http_rstatus": (HTTP + ["http-check expect rstatus ^[23]"], b"", [b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_status": (HTTP + ["http-check expect status 200,301-303"], b"",
                    [b"HTTP/1.1 204 No Content\r\n\r\n"], ""),
    "http_header": (HTTP + ["http-check expect hdr name -m beg x-st value -m sub liv"], b"",
                    [b"HTTP/1.1 200 OK\r\nX-State: alive\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_header_not": (HTTP + ["http-check expect fhdr name x-state value alive"], b"",
                        [b"HTTP/1.1 200 OK\r\nX-State: dead\r\ncontent-length: 0\r\n\r\n"], ""),
    "http_on_error": (HTTP + ["http-check expect status 200 error-status L7RSP on-error broken"], b"",
                      [b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"], ""),
    "redis": (["option redis-check"], b"", [b"+PONG\r\n"], ""),
    "redis_noauth": (["option redis-check"], b"", [b"-NOAUTH Authentication required.\r\n"], ""),
    "tcp": (["option tcp-check", "tcp-check send PING\\r\\n", "tcp-check expect string +PONG comment hello"], b"",
            [b"-ERR\r\n"], ""),
    "tcp_empty": (["option tcp-check", "tcp-check expect string +PONG"], b"", [], "close"),
    "tcp_comment": (["option tcp-check", "tcp-check comment two\\ words", "tcp-check send x\\r\\n",
                     "tcp-check expect rstring ^y min-recv 0"], b"", [b"z\r\n"], ""),
}


class Fake(threading.Thread):
    """A server that says its lines and remembers what one connection sent."""

    def __init__(self, first, answers, close):
        super().__init__(daemon=True)
        self.first, self.answers, self.closes, self.received = first, answers, close, None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        heard = b""
        try:
            connection.settimeout(5)
            if self.first:
                connection.sendall(self.first)
            for answer in self.answers:
                heard += connection.recv(65536)
                connection.sendall(answer)
            while not self.closes and (more := connection.recv(65536)):
                heard += more
        except OSError:
            pass
        connection.close()
        self.received = self.received or heard


def columns(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(b"show stat\n")
        out = b""
        while data := s.recv(65536):
            out += data
    rows = csv.DictReader(io.StringIO(out.decode("latin1").removeprefix("# ")))
    return {row["pxname"]: row for row in rows if row["svname"] == "s"}


class Checks(unittest.TestCase):
    def run_one(self, world, kind):
        fakes = {name: Fake(first, answers, "close" in how) for name, (_, first, answers, how) in CASES.items()}
        ports = free_port(len(CASES))
        sock = world.directory / f"{kind}.sock"
        text = f"global\n stats socket {sock} level admin\ndefaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        for number, (name, (lines, _, _, _)) in enumerate(CASES.items()):
            text += f"listen {name}\n bind 127.0.0.1:{ports + number}\n" + "".join(f" {line}\n" for line in lines)
            text += f" server s 127.0.0.1:{fakes[name].port} check inter 400ms rise 1 fall 1\n"
        world.proxy(kind, text, ports)
        def settled():
            rows = columns(sock)
            return rows if all(r["check_status"] not in ("INI", "") for r in rows.values()) else None
        wait_for("every check to be over", settled)
        time.sleep(0.5)  # a second round: verdicts are those of a server known for a while
        rows = wait_for("no check to be under way",
                        lambda: (r := columns(sock)) and (all(not x["check_status"].startswith("*") for x in r.values()) and r))
        keys = ("status", "check_status", "check_code", "last_chk", "check_desc", "check_health")
        verdicts = {name: tuple(row[key] for key in keys) for name, row in rows.items()}
        heard = {name: self.masked(name, fake.received) for name, fake in fakes.items()}
        return verdicts, heard

    def masked(self, name, received):
        """The time in an SSLv3 hello is nobody's business."""
        if received and name.startswith("ssl"):
            return received[:11] + b"time" + received[15:]
        return received

    def test_same_verdicts(self):
        with World() as world:
            ours, heard = self.run_one(world, "ours")
            self.assertEqual(ours["mysql_denied"][:3], ("DOWN", "L7STS", "1045"))
            self.assertEqual(ours["http_503"][:4], ("DOWN", "L7STS", "503", "Service Unavailable"))
            self.assertEqual(ours["http_404"][:3], ("NOLB", "L7OKC", "404"))
            if not shutil.which("haproxy"):
                return
            theirs, heard_theirs = self.run_one(world, "original")
            self.maxDiff = None
            wrong = {name: (theirs[name], ours[name]) for name in CASES if theirs[name] != ours[name]}
            sent = {name: (heard_theirs[name], heard[name]) for name in CASES if heard_theirs[name] != heard[name]}
            for name, (a, b) in wrong.items():
                print(f"{name}:\n  haproxy {a}\n  ours    {b}")
            for name, (a, b) in sent.items():
                print(f"{name}:\n  haproxy {a}\n  ours    {b}")
            self.assertEqual((wrong, sent), ({}, {}))


if __name__ == "__main__":
    unittest.main()
