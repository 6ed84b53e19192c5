#!/usr/bin/env python3
"""Users and permissions of a running server: where they come from, what they refuse, whom a change ends."""
import subprocess
import unittest

from processes import Client, Error, HOLDFAST, World, free_port, wait_for


def text(value):
    """Bulk strings as text; errors and all else as they are."""
    if isinstance(value, list):
        return [text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def words(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Talk(Client):
    def read(self):
        return text(super().read())


class Acl(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())

    def server(self, *options):
        return self.world.server("ours", *options)

    def client(self, server, user=None, password="pw"):
        client = self.enterContext(Talk(server.port))
        if user:
            self.assertEqual(client.call("AUTH", user, password), "OK")
        return client

    def refused_start(self, text):
        path = self.world.directory / "broken.conf"
        path.write_text(f"port {free_port()}\n{text}\n")
        done = subprocess.run([HOLDFAST, "server", path], capture_output=True, text=True, timeout=20, cwd=self.world.directory)
        self.assertEqual(done.returncode, 1)
        return done.stdout + done.stderr

    def test_a_file_of_users(self):
        path = self.world.directory / "users.acl"
        path.write_text("user default on nopass ~* &* +@all\nuser app on >pw ~app:* +@read +@write\n")
        server = self.server("--aclfile", str(path))
        admin = self.client(server)
        app = self.client(server, "app")
        self.assertEqual(app.call("SET", "app:1", "x"), "OK")
        self.assertEqual(app.call("SET", "other", "x"), Error("NOPERM No permissions to access a key"))
        self.assertEqual(app.call("CONFIG", "GET", "port"),
                         Error("NOPERM User app has no permissions to run the 'config|get' command"))
        self.assertEqual(admin.call("ACL", "SETUSER", "more", "on", ">pw", "+ping"), "OK")
        self.assertEqual(admin.call("ACL", "SAVE"), "OK")
        self.assertIn("user more on", path.read_text())
        before = path.read_text()
        path.write_text("user broken +nosuch\n")
        answer = admin.call("ACL", "LOAD")
        self.assertIsInstance(answer, Error)
        self.assertIn(f"{path}:1: Error in applying operation '+nosuch': Unknown command or category name in ACL", answer)
        self.assertEqual(app.call("GET", "app:1"), "x")
        path.write_text(before.replace("user more", "user less"))
        self.assertEqual(admin.call("ACL", "LOAD"), "OK")
        self.assertEqual(sorted(admin.call("ACL", "USERS")), ["app", "default", "less"])
        with self.assertRaises((OSError, EOFError)):
            app.call("PING")  # everybody but `default` logs in again

    def test_lines_in_the_configuration(self):
        path = self.world.directory / "redis.conf"
        port = free_port()
        path.write_text(f"port {port}\nsave \"\"\nuser app on >pw ~app:* +get (+get ~shared)\n")
        server = self.world.run("configured", [HOLDFAST, "server", path], port).wait_ready()
        admin = self.client(server)
        app = self.client(server, "app")
        self.assertIsNone(app.call("GET", "shared"))
        self.assertEqual(app.call("GET", "else"), Error("NOPERM No permissions to access a key"))
        self.assertEqual(admin.call("ACL", "SETUSER", "late", "on", "nopass", "+@all", "allkeys"), "OK")
        self.assertEqual(admin.call("CONFIG", "REWRITE"), "OK")
        lines = path.read_text().splitlines()
        self.assertIn("user late on nopass sanitize-payload ~* resetchannels +@all", lines)
        self.assertIn("user default on nopass sanitize-payload ~* &* +@all", lines)
        described = admin.call("ACL", "LIST")
        server.stop()
        server.restart()
        server.wait_ready()
        self.assertEqual(self.client(server).call("ACL", "LIST"), described)

    def test_broken_users_stop_the_start(self):
        self.assertIn("'user app nonsense'\nError in user declaration 'nonsense': Syntax error", self.refused_start("user app nonsense"))
        self.assertIn("Duplicate user found", self.refused_start("user app on\nuser app off"))
        self.assertIn("Error loading ACL rule '+nosuch' for the user named 'app'", self.refused_start("user app +nosuch"))
        missing = self.world.directory / "missing.acl"
        self.assertIn(f"Aborting Redis startup because of ACL errors: Error loading ACLs, opening file '{missing}': No such file",
                      self.refused_start(f"aclfile {missing}"))
        self.assertIn("please define either an ACL file or declare users", self.refused_start(f"aclfile {missing}\nuser app on"))

    def test_a_change_reaches_open_connections(self):
        server = self.server()
        admin = self.client(server)
        self.assertEqual(admin.call("ACL", "SETUSER", "app", "on", ">pw", "~*", "&news.*", "+@all"), "OK")
        app, listener, waiting = (self.client(server, "app") for _ in range(3))
        self.assertEqual(listener.call("SUBSCRIBE", "news.a")[0], "subscribe")
        app.call("MULTI")
        self.assertEqual(app.call("SET", "k", "v"), "QUEUED")
        waiting.send("BLPOP", "list", "0")
        wait_for("a waiting client", lambda: "\r\nblocked_clients:1\r\n" in admin.call("INFO", "clients"))
        self.assertEqual(admin.call("ACL", "SETUSER", "app", "-@all", "+exec", "+ping", "resetchannels"), "OK")
        with self.assertRaises((OSError, EOFError)):
            listener.call("PING")
        self.assertRegex(app.call("EXEC")[0], "^NOPERM ACLs rules changed between the moment .* no permission to execute")
        admin.call("RPUSH", "list", "x")
        self.assertEqual(waiting.read(), Error("NOPERM User app has no permissions to run the 'blpop' command"))
        self.assertEqual(admin.call("LLEN", "list"), 1)
        self.assertEqual(admin.call("ACL", "DELUSER", "app", "nobody"), 1)
        with self.assertRaises((OSError, EOFError)):
            app.call("PING")
        entries = [words(entry) for entry in admin.call("ACL", "LOG")]
        self.assertEqual([(e["reason"], e["context"], e["object"]) for e in entries],
                         [("command", "toplevel", "blpop"), ("command", "multi", "set")])

    def test_sort_reads_other_keys_only_with_the_right_to_all(self):
        server = self.server()
        self.client(server).call("ACL", "SETUSER", "app", "on", ">pw", "+@all", "~list")
        app = self.client(server, "app")
        app.call("RPUSH", "list", "2", "1")
        self.assertEqual(app.call("SORT", "list"), ["1", "2"])
        self.assertEqual(app.call("SORT", "list", "BY", "w_*"), Error("ERR BY option of SORT denied due to insufficient ACL permissions."))
        self.assertEqual(app.call("SORT", "list", "GET", "#"), Error("ERR GET option of SORT denied due to insufficient ACL permissions."))

    def test_requirepass_is_the_default_users_password(self):
        server = self.server("--requirepass", "first")
        client = self.client(server)
        self.assertEqual(client.call("PING"), Error("NOAUTH Authentication required."))
        self.assertEqual(client.call("AUTH", "first"), "OK")
        self.assertEqual(client.call("CONFIG", "SET", "requirepass", "second"), "OK")
        other = self.client(server)
        self.assertEqual(other.call("AUTH", "first"), Error("WRONGPASS invalid username-password pair or user is disabled."))
        self.assertEqual(other.call("AUTH", "default", "second"), "OK")
        self.assertEqual(client.call("CONFIG", "SET", "requirepass", ""), "OK")
        self.assertEqual(self.client(server).call("PING"), "PONG")
        passwords = {client.call("ACL", "GENPASS") for _ in range(20)}
        self.assertEqual(len(passwords), 20)
        self.assertTrue(all(len(p) == 64 for p in passwords))
        self.assertEqual(len(client.call("ACL", "GENPASS", "5")), 2)


if __name__ == "__main__":
    unittest.main()
