#!/usr/bin/env python3
"""Command lines, files and signals of the three programs under the originals' names, each also with Debian's original."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from processes import Client, HOLDFAST, World, free_port, wait_for

ORIGINALS = {name: shutil.which(name, path="/usr/bin:/usr/sbin") for name in ("redis-server", "redis-sentinel", "haproxy")}
ERROR_HEAD = "\n*** FATAL CONFIG FILE ERROR (Redis X) ***\nReading the configuration file, at line "


def without_names(text):
    """Versions, pids and dates differ; all else must be equal."""
    text = re.sub(r"\(Redis [\d.]+\)", "(Redis X)", text)
    return re.sub(r"\d+:([CX]) \d\d \w{3} \d{4} [\d:.]+", r"PID:\1 DATE", text)


class Program(unittest.TestCase):
    """Links named after the originals lead to the program under test."""
    ours = True

    def setUp(self):
        self.world = self.enterContext(World())
        self.root = self.world.directory
        (self.root / "bin").mkdir()
        for name, original in ORIGINALS.items():
            (self.root / "bin" / name).symlink_to(HOLDFAST if self.ours else original)
        self.daemons = []
        self.addCleanup(self.end_daemons)

    def end_daemons(self):
        for pid in self.daemons:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def program(self, name):
        return self.root / "bin" / name

    def once(self, name, *words, stdin="", seconds=20):
        return subprocess.run([self.program(name), *map(str, words)], capture_output=True, text=True, input=stdin, timeout=seconds,
                              cwd=self.root)

    def running(self, name, *words, port, log=None):
        """In the foreground, until the test ends."""
        self.count = getattr(self, "count", 0) + 1
        return self.world.run(f"run-{self.count}", [self.program(name), *words], port, log=log, cwd=self.root).wait_ready()

    def daemon(self, pidfile, port):
        """The pid of a program that put itself into the background and answers now."""
        def answers():
            with Client(port, timeout=1.0) as client:
                return client.call("PING") == "PONG"
        wait_for("the daemon to answer", answers)
        text = pidfile.read_text()
        self.assertRegex(text, r"^\d+\n$")
        self.daemons.append(int(text))
        return int(text)

    def conf(self, name, text):
        path = self.root / name
        path.write_text(text)
        return path

    def wait_gone(self, pid):
        wait_for(f"{pid} to end", lambda: not pathlib.Path(f"/proc/{pid}").exists() or
                 pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")


class Server(Program):
    def test_version_and_help(self):
        for option in ("-v", "--version"):
            done = self.once("redis-server", option)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"^Redis server v=7\.\d+\.\d+ sha=[0-9a-f]{8}:\d malloc=\S+ bits=64 build=\S+\n$")
        for option in ("-h", "--help"):
            done = self.once("redis-server", option)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertTrue(done.stderr.startswith("Usage: "))

    def test_errors_of_a_command_line(self):
        """One error at a time: then both say exactly the same."""
        for words, stdin, line, directive, error in (
                (["--port", "abc"], "", 2, 'port "abc"', "argument couldn't be parsed into an integer"),
                (["--port"], "", 2, "port", "wrong number of arguments"),
                (["--nosuch", "1"], "", 2, 'nosuch "1"', "Bad directive or wrong number of arguments"),
                (["--port", "1", "--port"], "", 3, "port", "wrong number of arguments"),
                (["-"], "port 1\nmaxmemory lots\n", 2, "maxmemory lots", "argument must be a memory value"),
                (["-", "--loglevel", "loud"], "port 1\n", 3, 'loglevel "loud"',
                 "argument(s) must be one of the following: debug, verbose, notice, warning")):
            done = self.once("redis-server", *words, stdin=stdin)
            self.assertEqual(done.returncode, 1, words)
            text = without_names(done.stderr).replace(", nothing", "")
            self.assertEqual(text, f"{ERROR_HEAD}{line}\n>>> '{directive}'\n{error}\n")

    def test_files_that_cannot_be_read(self):
        done = self.once("redis-server", "nosuch.conf")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(without_names(done.stdout), f"PID:C DATE # Fatal error, can't open config file '{self.root}/nosuch.conf': "
                         "No such file or directory\n")
        done = self.once("redis-server", self.conf("x.conf", "include /nosuch/file.conf\n"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("Fatal error, can't open config file '/nosuch/file.conf'", done.stdout)
        done = self.once("redis-server", "--dir", "/nosuch/place")
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file or directory", done.stdout + done.stderr)

    def test_options_override_the_file(self):
        first, second = free_port(2), 0
        second = first + 1
        conf = self.conf("a.conf", f"port {first}\nmaxmemory 10mb\nsave 900 1\nsave 300 10\n")
        server = self.running("redis-server", conf, "--port", second, "--maxmemory-policy", "allkeys-lru", "--save", port=second)
        with server.client() as client:
            got = {name: client.call("CONFIG", "GET", name)[1] for name in ("port", "maxmemory", "maxmemory-policy", "save")}
            self.assertEqual(got, {"port": str(second).encode(), "maxmemory": b"10485760", "maxmemory-policy": b"allkeys-lru",
                                   "save": b""})
            info = client.info("server")
            self.assertEqual((info["config_file"], info["tcp_port"]), (str(conf), str(second)))
        self.assertEqual(server.stop(), 0)

    def test_configuration_from_standard_input(self):
        port = free_port()
        log = self.root / "stdin.log"
        with open(log, "wb") as out:
            popen = subprocess.Popen([self.program("redis-server"), "-", "--maxclients", "77"], stdin=subprocess.PIPE, stdout=out,
                                     stderr=out, cwd=self.root)
        self.addCleanup(lambda: (popen.kill(), popen.wait()))
        popen.stdin.write(f"port {port}\nsave \"\"\nmaxclients 55".encode())
        popen.stdin.close()

        def configured():
            with Client(port) as client:
                return client.call("CONFIG", "GET", "maxclients")[1]
        self.assertEqual(wait_for("the server", configured), b"77")
        popen.terminate()
        self.assertEqual(popen.wait(20), 0)

    def test_in_the_background(self):
        port = free_port()
        place, pidfile, log = self.root / "data", self.root / "s.pid", self.root / "s.log"
        place.mkdir()
        conf = self.conf("d.conf", f"port {port}\ndaemonize yes\npidfile {pidfile}\nlogfile {log}\ndir {place}\nsave 3600 1\n"
                         "dbfilename my.rdb\n")
        done = self.once("redis-server", conf)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = self.daemon(pidfile, port)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), str(place))
        self.assertEqual(os.getsid(pid), pid)
        for descriptor in (0, 1, 2):
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/{descriptor}"), "/dev/null")
        with Client(port) as client:
            client.call("SET", "key", "value")
        os.kill(pid, signal.SIGTERM)
        self.wait_gone(pid)
        self.assertFalse(pidfile.exists())
        self.assertTrue((place / "my.rdb").exists())
        text = log.read_text()
        for line in ("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", "Configuration loaded", "Server initialized",
                     "Ready to accept connections", "Received SIGTERM scheduling shutdown...", "User requested shutdown...",
                     "Saving the final RDB snapshot before exiting.", "DB saved on disk", "Removing the pid file.",
                     "Redis is now ready to exit, bye bye..."):
            self.assertIn(line, text)
        self.assertEqual(self.once("redis-server", conf).returncode, 0)
        pid = self.daemon(pidfile, port)
        with Client(port) as client:
            self.assertEqual(client.call("GET", "key"), b"value")
        self.assertIn("DB loaded from disk: ", log.read_text())

    def test_ends(self):
        """What is on disk after each way to end, and the exit code."""
        for way, points, saved in ((signal.SIGTERM, "3600 1", True), (signal.SIGINT, "3600 1", True), (signal.SIGTERM, "", False),
                                   (("SHUTDOWN",), "3600 1", True), (("SHUTDOWN",), "", False),
                                   (("SHUTDOWN", "NOSAVE"), "3600 1", False), (("SHUTDOWN", "SAVE"), "", True),
                                   (("SHUTDOWN", "NOW", "FORCE"), "3600 1", True)):
            with self.subTest(way=way, points=points):
                port = free_port()
                place = self.root / f"place-{port}"
                place.mkdir()
                server = self.running("redis-server", "--port", port, "--dir", place, "--save", points, port=port)
                with server.client() as client:
                    client.call("SET", "a", "1")
                    if isinstance(way, tuple):
                        client.send(*way)
                        with self.assertRaises(EOFError):
                            client.read()
                    else:
                        server.popen.send_signal(way)
                    self.assertEqual(server.popen.wait(20), 0)
                self.assertEqual((place / "dump.rdb").exists(), saved)
                if saved:
                    again = self.running("redis-server", "--port", port, "--dir", place, "--save", "", port=port)
                    self.assertEqual(again.call("GET", "a"), b"1")
                    again.kill()

    def test_rewrite_keeps_what_a_person_wrote(self):
        port = free_port()
        conf = self.conf("r.conf", f"# The heading of a person.\nport {port}\n\n# About the snapshots.\nsave 900 1\n"
                         "maxmemory 1gb\n# At the end.\n")
        server = self.running("redis-server", conf, port=port)
        with server.client() as client:
            self.assertEqual(client.call("CONFIG", "SET", "maxmemory", "2gb", "hz", "17"), "OK")
            self.assertEqual(client.call("CONFIG", "REWRITE"), "OK")
        lines = conf.read_text().splitlines()
        head = lines[:lines.index("# Generated by CONFIG REWRITE")]
        self.assertEqual(head, ["# The heading of a person.", f"port {port}", "", "# About the snapshots.", "save 900 1",
                                "maxmemory 2gb", "# At the end.", ""])
        self.assertIn("hz 17", lines[len(head):])
        server.restart()
        self.assertEqual(server.call("CONFIG", "GET", "hz"), [b"hz", b"17"])
        without = self.running("redis-server", "--port", port + 1 if port < 60000 else port - 1, "--save", "",
                               port=port + 1 if port < 60000 else port - 1)
        self.assertEqual(without.call("CONFIG", "REWRITE"), "ERR The server is running without a config file")

    def test_the_log_can_be_renamed_away(self):
        port, log = free_port(), self.root / "l.log"
        server = self.running("redis-server", "--port", port, "--logfile", log, "--save", "", port=port, log=self.root / "out")
        log.rename(self.root / "l.log.1")
        with server.client() as client:
            client.call("CONFIG", "SET", "save", "3600 1")
            client.call("SET", "a", "1")
            client.call("SAVE")
        wait_for("a line in the new file", lambda: "DB saved on disk" in log.read_text())
        self.assertNotIn("DB saved on disk", (self.root / "l.log.1").read_text())

    def test_writes_stop_when_saving_fails(self):
        port = free_port()
        server = self.running("redis-server", "--port", port, "--save", "3600 1", "--dbfilename", "x.rdb", port=port)
        (self.root / "x.rdb").mkdir()  # a file cannot take its place, whoever we run as
        with server.client() as client:
            client.call("SET", "a", "1")
            self.assertEqual(client.call("BGSAVE"), "Background saving started")
            wait_for("the save to fail", lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            for words in (("SET", "a", "2"), ("PING",), ("DEL", "a"), ("PUBLISH", "c", "m")):
                refused = str(client.call(*words)).startswith("MISCONF ")
                self.assertEqual(refused, words[0] != "PUBLISH", words)
            self.assertEqual(client.call("GET", "a"), b"1")
            self.assertEqual(client.call("SET", "a", "2"),
                             "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
                             "Commands that may modify the data set are disabled, because this instance is configured to report "
                             "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check "
                             "the Redis logs for details about the RDB error.")
            self.assertEqual(client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"), "OK")
            self.assertEqual((client.call("SET", "a", "3"), client.call("PING")), ("OK", "PONG"))
            self.assertEqual(client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"), "OK")
            self.assertTrue(client.call("SET", "a", "4").startswith("MISCONF "))
            self.assertEqual(client.call("SAVE"), "ERR")
            self.assertEqual(client.call("SHUTDOWN"), "ERR Errors trying to SHUTDOWN. Check logs.")
            server.popen.send_signal(signal.SIGTERM)
            wait_for("the refusal to end", lambda: server.log_text().count("Error trying to save the DB, can't exit.") == 2)
            self.assertEqual(client.call("GET", "a"), b"3")
            (self.root / "x.rdb").rmdir()
            wait_for("a save to begin", lambda: client.call("BGSAVE") == "Background saving started")
            wait_for("it to succeed", lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")
            self.assertEqual((client.call("SET", "a", "5"), client.call("PING")), ("OK", "PONG"))
            self.assertEqual([path.name for path in self.root.glob("temp-*")], [])
            (self.root / "x.rdb").unlink()
            (self.root / "x.rdb").mkdir()
            client.send("SHUTDOWN", "FORCE")
            self.assertEqual(server.popen.wait(20), 0)
        self.assertIn("Error trying to save the DB. Exit anyway.", server.log_text())


class ServerOriginal(Server):
    ours = False


class Sentinel(Program):
    def monitor(self, port, extra=""):
        return self.conf(f"sentinel-{port}.conf", f"port {port}\ndir {self.root}\n# A person's line.\n"
                         f"sentinel monitor m 127.0.0.1 {free_port()} 2\n{extra}")

    def test_both_names_and_their_options(self):
        port = free_port(2)
        conf, pidfile = self.monitor(port), self.root / "s.pid"
        one = self.running("redis-server", conf, "--sentinel", "--pidfile", pidfile, port=port)
        self.assertEqual(int(pidfile.read_text()), one.pid)
        self.assertEqual(one.call("ROLE")[0], b"sentinel")
        self.assertEqual(one.info("server")["redis_mode"], "sentinel")
        one.popen.send_signal(signal.SIGTERM)
        self.assertEqual(one.popen.wait(20), 0)
        self.assertFalse(pidfile.exists())
        text = conf.read_text()
        self.assertIn("# A person's line.", text)
        self.assertRegex(text, r'(?m)^sentinel myid [0-9a-f]{40}$')
        two = self.running("redis-sentinel", conf, "--port", port + 1, port=port + 1)
        self.assertEqual(two.call("SENTINEL", "MYID").decode(), re.search(r"sentinel myid (\w+)", text).group(1))
        two.popen.send_signal(signal.SIGINT)
        self.assertEqual(two.popen.wait(20), 0)

    def test_in_the_background(self):
        port = free_port()
        pidfile, log = self.root / "s.pid", self.root / "s.log"
        conf = self.monitor(port, f"daemonize yes\npidfile {pidfile}\nlogfile {log}\n")
        done = self.once("redis-sentinel", conf)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = self.daemon(pidfile, port)
        self.assertIn("+monitor master m 127.0.0.1", log.read_text())
        log.rename(self.root / "s.log.1")
        with Client(port) as client:
            self.assertEqual(client.call("SENTINEL", "SET", "m", "quorum", "1"), "OK")
        wait_for("a line in the new log", lambda: "+set master m" in log.read_text())
        os.kill(pid, signal.SIGTERM)
        self.wait_gone(pid)

    def test_what_it_needs(self):
        done = self.once("redis-sentinel")
        self.assertEqual((done.returncode, without_names(done.stdout)),
                         (1, "PID:X DATE # Sentinel needs config file on disk to save state. Exiting...\n"))
        done = self.once("redis-sentinel", "nosuch.conf")
        self.assertEqual(done.returncode, 1)
        self.assertIn("can't open config file", done.stdout)
        for line, error in (("sentinel monitor m 127.0.0.1 6379 0", "Quorum must be 1 or greater."),
                            ("sentinel monitor m 127.0.0.1 99999 1", "Invalid port number."),
                            ("sentinel down-after-milliseconds other 1000", "No such master with specified name."),
                            ("sentinel nosuch m 1", "Unrecognized sentinel configuration statement."),
                            ("sentinel notification-script m /nosuch/script", "No such master with specified name.")):
            done = self.once("redis-sentinel", self.conf("bad.conf", f"port 1\n{line}\n"))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{ERROR_HEAD}2\n>>> '{line}'\n{error}\n", without_names(done.stderr))


class SentinelOriginal(Sentinel):
    ours = False


class Users(Program):
    def test_a_sentinel_honours_its_users(self):
        port = free_port()
        conf = self.conf("u.conf", f"port {port}\nsentinel monitor m 127.0.0.1 {free_port()} 1\nuser default off\n"
                         "user admin on >secret ~* &* +@all\n")
        self.world.run("users", [self.program("redis-sentinel"), conf], port, cwd=self.root).wait_ready()
        with Client(port) as client:
            self.assertEqual(client.call("SENTINEL", "MASTERS"), "NOAUTH Authentication required.")
            self.assertEqual(client.call("AUTH", "admin", "secret"), "OK")
            self.assertEqual(client.call("ACL", "WHOAMI"), b"admin")
        missing = self.root / "missing.acl"
        done = self.once("redis-sentinel", self.conf("m.conf", f"port {free_port()}\nsentinel monitor m 127.0.0.1 1 1\naclfile {missing}\n"))
        self.assertEqual(done.returncode, 1)

    def test_the_default_user_of_an_originals_file_is_accepted(self):
        port = free_port()
        conf = self.conf("o.conf", f"port {port}\nsentinel monitor m 127.0.0.1 {free_port()} 1\n")
        original = self.world.run("original", [ORIGINALS["redis-sentinel"], conf], port, cwd=self.root).wait_ready()
        original.call("SENTINEL", "SET", "m", "quorum", "2")
        wait_for("it to rewrite its file", lambda: "user default on" in conf.read_text())
        original.kill()
        self.assertEqual(self.running("redis-sentinel", conf, port=port).call("PING"), "PONG")


PROXY = """defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend f
    bind 127.0.0.1:{port}
    default_backend b
backend b
    server s 127.0.0.1:1
"""


class Proxy(Program):
    def test_version_and_help(self):
        for option in ("-v", "-vv"):
            done = self.once("haproxy", option)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"^HAProxy version \d+\.\d+\.\d+\S* \d{4}/\d\d/\d\d - ")
        self.assertIn("Available polling systems", done.stdout)
        for words in ((), ("-h",), ("--nosuch",)):
            done = self.once("haproxy", *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("Usage : haproxy [-f <cfgfile|cfgdir>]*", done.stderr)

    def test_check(self):
        good = self.conf("good.cfg", PROXY.format(port=free_port()))
        for words, output in ((["-c", "-f", good], "Configuration file is valid\n"), (["-q", "-c", "-f", good], "")):
            done = self.once("haproxy", *words)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, output, ""))
        bad = self.conf("bad.cfg", PROXY.format(port=free_port()).replace("mode tcp", "nosuch thing") + "    also bad\n")
        for words in (["-c", "-f", bad], ["-f", bad]):
            done = self.once("haproxy", *words)
            self.assertEqual(done.returncode, 1)
            alerts = [line.split(" : ", 1)[1] for line in done.stderr.splitlines() if line.startswith("[ALERT]")]
            self.assertEqual(alerts[0], f"config : parsing [{bad}:2] : unknown keyword 'nosuch' in 'defaults' section")
            self.assertTrue(any(line.startswith(f"config : parsing [{bad}:11] : unknown keyword 'also'") for line in alerts))
            self.assertEqual(alerts[-2:], [f"config : Error(s) found in configuration file : {bad}",
                                           "config : Fatal errors found in configuration."])
        done = self.once("haproxy", "-c", "-f", "nosuch.cfg")
        self.assertEqual(done.returncode, 1)
        self.assertIn(" : config : Cannot open configuration file/directory nosuch.cfg : No such file or directory\n", done.stderr)
        self.assertEqual(self.once("haproxy", "-c", "-f", self.conf("empty.cfg", "global\n")).returncode, 2)

    def test_in_the_background(self):
        for name, end in (("term", signal.SIGTERM), ("usr1", signal.SIGUSR1)):
            port, pidfile = free_port(), self.root / f"{name}.pid"
            done = self.once("haproxy", "-f", self.conf(f"{name}.cfg", PROXY.format(port=port)), "-D", "-p", pidfile)
            self.assertEqual(done.returncode, 0, done.stderr)
            text = pidfile.read_text()
            self.assertRegex(text, r"^\d+\n$")
            pid = int(text)
            self.daemons.append(pid)
            Client(port).close()
            os.kill(pid, end)
            self.wait_gone(pid)
            wait_for("the port to be free", lambda: self.refused(port))  # its other threads may outlive its first

    def refused(self, port):
        try:
            Client(port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_a_port_that_is_taken(self):
        port = free_port()
        conf = self.conf("p.cfg", PROXY.format(port=port))
        first = self.world.run("first", [self.program("haproxy"), "-db", "-f", conf], port)
        wait_for("the first", lambda: Client(port).close() is None)
        with open(f"/proc/{first.pid}/cmdline", "rb") as words:
            self.assertIn(b"haproxy", words.read())
        taken = self.world.run("taken", [HOLDFAST, "server", "--port", free_port(), "--save", ""], None)
        taken_port = taken.argv[3]
        wait_for("the server", lambda: Client(int(taken_port)).close() is None)
        done = self.once("haproxy", "-db", "-f", self.conf("q.cfg", PROXY.format(port=taken_port)))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"\[ALERT\] .*: Binding \[.*q\.cfg:7\] for frontend f: cannot bind socket "
                                      rf"\(Address already in use\) for \[127\.0\.0\.1:{taken_port}\]")


class ProxyOriginal(Proxy):
    ours = False


if __name__ == "__main__":
    unittest.main(verbosity=2)
