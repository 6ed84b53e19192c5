#!/usr/bin/env python3
"""Our proxy and Debian's haproxy, each in front of the other's servers over a failover, and both on the same file."""
import csv
import io
import re
import socket
import subprocess
import threading
import time
import unittest

from processes import (HOLDFAST, ROOT, Client, Error, Picture, World, free_port, proxy_config, wait_for, wait_synced)

PROGRAMS = {"ours": [HOLDFAST, "proxy"], "original": ["haproxy"]}


class ProxyTest(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)

    def end(self):
        result = self._outcome.result
        self.world.__exit__(Exception if result.errors or result.failures else None, None, None)


class Writer(threading.Thread):
    """Writes numbers through a port, one connection as long as it lasts, each number until it is acknowledged."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.acknowledged, self.errors, self.stopping = port, [], [], threading.Event()
        self.start()

    def run(self):
        client, number = None, 0
        while not self.stopping.is_set():
            try:
                client = client or Client(self.port, timeout=3.0)
                reply = client.call("SET", f"n{number}", number)
                if isinstance(reply, Error):
                    raise OSError(reply)
                self.acknowledged.append((number, time.time()))
                number += 1
            except (OSError, EOFError) as error:
                self.errors.append((str(error), time.time()))
                if client:
                    client.close()
                client = None
                self.stopping.wait(0.02)
            self.stopping.wait(0.002)

    def wait_more(self, since, seconds):
        return wait_for("writes after the crash",
                        lambda: next((at for _, at in self.acknowledged if at > since), 0), seconds)

    def finish(self):
        self.stopping.set()
        self.join(10)


class Failover(ProxyTest):
    def over_failover(self, servers, sentinels, proxy):
        picture = Picture(self.world, servers=servers, sentinels=sentinels, proxy=proxy)
        idle = Client(picture.port)
        self.assertEqual(idle.call("SET", "idle", "1"), "OK")
        writer = Writer(picture.port)
        self.addCleanup(writer.finish)
        for round_number in (1, 2):
            before = len(writer.acknowledged)
            wait_for("writes", lambda: len(writer.acknowledged) > before + 100)
            self.assertEqual([e for e, at in writer.errors if at < writer.acknowledged[100][1]], [])
            killed = picture.crash_primary()
            kept = [number for number, at in writer.acknowledged if at <= killed]
            resumed = writer.wait_more(killed, 15)
            print(f"{proxy} proxy, {servers[0]} servers, {sentinels[0]} Sentinel, crash {round_number}: "
                  f"written again after {resumed - killed:.2f} s, {len(writer.errors)} errors")
            picture.wait_failover()
            with picture.primary.client() as client:
                values = client.call("MGET", *(f"n{number}" for number in kept))
            self.assertEqual(values, [str(number).encode() for number in kept])
            if round_number == 1:
                # A connection that was idle while the server died is closed, too, not left hanging.
                with self.assertRaises((EOFError, OSError)):
                    idle.call("GET", "idle")
                self.check_return(picture)
        writer.finish()

    def check_return(self, picture):
        """The old primary returns, a primary until it is converted: from then on the proxy must not lead to it."""
        picture.bring_back()
        with Client(picture.port) as client:
            for _ in range(20):
                self.assertEqual(client.info("server")["tcp_port"], str(picture.primary.port))

    def test_haproxy_in_front_of_ours(self):
        self.over_failover(("ours", "ours"), ("ours",), "original")

    def test_ours_in_front_of_real_servers(self):
        self.over_failover(("original", "original"), ("original",), "ours")

    def test_ours_in_front_of_both(self):
        self.over_failover(("original", "ours"), ("ours",), "ours")


class SameFile(ProxyTest):
    """Both programs with the same file in front of the same servers."""

    def command(self, kind, text):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.world.directory / f"{kind}.sock"))
            s.sendall(text.encode() + b"\n")
            out = b""
            while data := s.recv(65536):
                out += data
        return out.decode()

    def rows(self, kind):
        """`show stat` as {(proxy, server): {column: cell}}."""
        table = csv.DictReader(io.StringIO(self.command(kind, "show stat").removeprefix("# ")))
        return {(row["pxname"], row["svname"]): row for row in table if row["pxname"]}

    def start(self):
        self.primary = self.world.server("ours")
        self.replica = self.world.replica("original", self.primary)
        wait_synced(self.primary, self.replica)
        self.ports = {}
        for kind in PROGRAMS:
            self.ports[kind] = free_port()
            text = (f"global\n  stats socket {self.world.directory}/{kind}.sock mode 600 level admin\n"
                    + proxy_config(self.ports[kind], [self.primary, self.replica], extra="  balance roundrobin\n.if feature(REDIS_AWARE)\n  no option redis-fast-check\n.endif\n"))
            self.world.proxy(kind, text, self.ports[kind])
            self.wait_status(kind, self.primary, "UP")
            self.wait_status(kind, self.replica, "DOWN")

    def name(self, server):
        return f"s{server.port}"

    def wait_status(self, kind, server, status, seconds=15):
        wait_for(f"{kind} to see {server.name} {status}",
                 lambda: self.rows(kind)["bk_redis", self.name(server)]["status"] == status, seconds)

    def both(self, text):
        """Sends a command to both and returns the one reply they have to give."""
        ours, real = self.command("ours", text), self.command("original", text)
        self.assertEqual(ours, real, text)
        return ours

    def check_rows(self):
        """What operators and tools read in `show stat` is the same; haproxy's columns come in the same places."""
        ours, real = self.rows("ours"), self.rows("original")
        self.assertEqual(list(ours), list(real))
        columns = ["status", "weight", "act", "bck", "type", "mode", "check_status", "check_desc", "check_rise",
                   "check_fall", "check_health", "last_chk", "chkdown", "addr", "pid", "iid", "sid", "qcur"]
        for key in real:
            for column in columns:  # a star says that a check is running just now
                mine, its = (row[key][column].removeprefix("* ") for row in (ours, real))
                self.assertEqual(mine, its, f"{key} {column}")

    def test_runtime_api(self):
        self.start()
        header = {kind: self.command(kind, "show stat").splitlines()[0].split(",") for kind in PROGRAMS}
        self.assertEqual(header["ours"][:header["original"].index("ttime_max") + 1],
                         header["original"][:header["original"].index("ttime_max") + 1])
        self.check_rows()
        primary, replica = (f"bk_redis/{self.name(server)}" for server in (self.primary, self.replica))
        self.check_info()
        for text in ("set server bk_redis/nobody state ready", f"set server {primary} state nonsense",
                     f"set server nobody/{self.name(self.primary)} state ready", f"set server {primary} weight 50%",
                     f"get weight {primary}", f"set server {primary} weight 100%", f"get weight {primary}",
                     f"set server {primary} nonsense", "get weight bk_redis/nobody", "show backend"):
            self.both(text)

        # Out of service by hand: no server is left, so connections are refused; and back.
        self.both(f"set server {primary} state maint")
        for kind in PROGRAMS:
            self.wait_status(kind, self.primary, "MAINT")
            with self.assertRaises((EOFError, OSError)):
                with Client(self.ports[kind], timeout=5) as client:
                    client.call("PING")
        self.check_rows()
        self.both(f"set server {primary} state ready")
        for kind in PROGRAMS:
            self.wait_status(kind, self.primary, "UP")
            with Client(self.ports[kind]) as client:
                self.assertEqual(client.info("server")["tcp_port"], str(self.primary.port))

        # Draining: connections that are open go on, new ones find no server.
        opened = {kind: Client(self.ports[kind]) for kind in PROGRAMS}
        for client in opened.values():
            self.addCleanup(client.close)
            self.assertEqual(client.call("PING"), "PONG")
        self.both(f"set server {primary} state drain")
        for kind in PROGRAMS:
            self.assertEqual(opened[kind].call("PING"), "PONG")
            with self.assertRaises((EOFError, OSError)):
                with Client(self.ports[kind], timeout=5) as client:
                    client.call("PING")
        self.check_rows()
        self.both(f"set server {primary} state ready")

        # A forced health lasts until the next check says otherwise.
        self.both(f"disable server {replica}")
        self.both(f"enable server {replica}")
        for kind in PROGRAMS:
            self.wait_status(kind, self.primary, "UP")
            self.wait_status(kind, self.replica, "DOWN")
        self.check_servers_state()
        self.assertTrue(self.command("ours", "nonsense").startswith("Unknown command"))

    def check_info(self):
        infos = {}
        for kind in PROGRAMS:
            lines = self.command(kind, "show info").splitlines()
            infos[kind] = dict(line.split(": ", 1) for line in lines if ": " in line)
        # One name was misspelt in 2.6 and is right since.
        missing = set(infos["original"]) - set(infos["ours"]) - {"TotalSplicdedBytesOut"}
        self.assertEqual(missing, set())
        for name in ("Name", "Nbproc", "Process_num", "node", "Stopping", "CurrConns", "ActivePeers"):
            self.assertEqual(infos["ours"][name], infos["original"][name], name)

    def check_servers_state(self):
        """`show servers state`: a file one program writes is read by the other, so all but the times are the same."""
        def table(kind):
            lines = self.command(kind, "show servers state").splitlines()
            names = lines[1].removeprefix("# ").split()
            rows = [dict(zip(names, line.split())) for line in lines[2:] if line]
            for row in rows:
                row.pop("srv_time_since_last_change")
            return lines[0], names, rows
        self.assertEqual(table("ours"), table("original"))

    def test_states_follow_the_servers(self):
        self.start()
        self.assertEqual(self.replica.call("REPLICAOF", "NO", "ONE"), "OK")
        self.assertEqual(self.primary.call("REPLICAOF", "127.0.0.1", self.replica.port), "OK")
        for kind in PROGRAMS:
            self.wait_status(kind, self.replica, "UP")
            self.wait_status(kind, self.primary, "DOWN")
        self.check_rows()
        self.replica.kill()
        for kind in PROGRAMS:
            self.wait_status(kind, self.replica, "DOWN")
            wait_for("the reason to be that nobody listens", lambda: self.rows(kind)[
                "bk_redis", self.name(self.replica)]["check_status"].removeprefix("* ") == "L4CON")
        ours, real = self.rows("ours"), self.rows("original")
        for key in (("bk_redis", "BACKEND"), ("bk_redis", self.name(self.replica))):
            self.assertEqual(ours[key]["status"], real[key]["status"])
            self.assertEqual(ours[key]["act"], real[key]["act"])
        self.assertEqual(ours["bk_redis", "BACKEND"]["status"], "DOWN")

    def check_file(self, text):
        path = self.world.directory / "checked.cfg"
        path.write_text(text)
        out = {}
        for kind, program in PROGRAMS.items():
            done = subprocess.run([*program, "-c", "-f", path], capture_output=True, text=True, timeout=20)
            # 2.6 calls every interval of a server agent-inter, and guesses at what was meant.
            alerts = [line.replace("agent-inter", "inter") for line in done.stderr.splitlines() if "[ALERT]" in line]
            alerts = [re.sub(r"\(\d+\)", "(PID)", re.sub(r"; did you mean.*", "", alert)) for alert in alerts]
            out[kind] = done.returncode, done.stdout, alerts
        return out

    def test_check_of_files(self):
        article = (ROOT / "packaging/examples/article/haproxy.cfg").read_text()
        valid = proxy_config(free_port(), [self.world.server("ours")])
        for text in (article, valid):
            found = self.check_file(text)
            self.assertEqual(found["ours"], found["original"])
            self.assertEqual(found["ours"], (0, "Configuration file is valid\n", []))
        for broken in (valid.replace("default_backend bk_redis", "default_backend nowhere"),
                       valid.replace("expect string +PONG", "expect nonsense +PONG"),
                       valid.replace("inter 200ms", "inter soon"),
                       valid.replace("  mode tcp", "  mode udp"), valid + "  server\n", valid + "nonsense\n"):
            self.assertNotEqual(broken, valid)
            found = self.check_file(broken)
            self.assertEqual(found["ours"][0], 1)
            self.assertEqual(found["original"][0], 1)
            self.assertEqual(found["ours"][2], found["original"][2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
