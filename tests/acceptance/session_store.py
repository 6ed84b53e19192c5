#!/usr/bin/env python3
"""A visitor's session in an Express application survives the crash of the primary.

Express, express-session and connect-redis (tests/clients/session_app.mjs) keep the sessions behind the proxy's port.
"""
import http.client
import json
import time
import unittest

from clients_over_failover import node_directory
from processes import Picture, World, free_port, wait_for

RECOVERED_SECONDS = 12  # as for the writers: failover, the proxy's checks and the client's own pauses


class Visitor:
    """A browser: one cookie, a new connection for each request."""

    def __init__(self, port):
        self.port, self.cookie = port, None

    def request(self, method, path, timeout=15.0):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={"Cookie": self.cookie} if self.cookie else {})
            response = connection.getresponse()
            body = json.loads(response.read())
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    self.cookie = value.split(";")[0]
            return response.status, body
        finally:
            connection.close()


class SessionStore(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)

    def end(self):
        result = self._outcome.result
        failed = Exception if result.errors or result.failures else None
        self.world.__exit__(failed, None, None)

    def start_app(self, picture):
        port = free_port()
        node = node_directory(self.world)
        app = self.world.run("session-app", ["node", node / "session_app.mjs", picture.port, port], port)
        wait_for("the application to answer", lambda: Visitor(port).request("GET", "/ping")[0] == 200)
        return app

    def sessions(self, server):
        with server.client() as client:
            return {key: json.loads(client.call("GET", key)) for key in client.call("KEYS", "sess:*")}

    def crash_under_visits(self, picture, visitor, count):
        """One visit after the other while the primary dies; returns the visits counted."""
        killed = picture.crash_primary()
        failures = 0
        while True:
            status, body = visitor.request("GET", "/visit")
            if status == 200:
                break
            # An error page for a while is what a crash costs; a lost session (401) is not.
            self.assertEqual(status, 503, body)
            failures += 1
            self.assertLess(time.time() - killed, RECOVERED_SECONDS, body)
        print(f"the visitor was served again {time.time() - killed:.2f} s after the kill; {failures} requests failed")
        self.assertLess(time.time() - killed, RECOVERED_SECONDS)
        # A visit that failed with an error page may have read and counted, but none is taken back.
        self.assertEqual(body["name"], "ada")
        self.assertGreater(body["count"], count)
        self.assertLessEqual(body["count"], count + 1 + failures)
        picture.wait_failover()
        return body["count"]

    def test_session_survives(self):
        picture = Picture(self.world)
        app = self.start_app(picture)
        visitor, guest = Visitor(app.port), Visitor(app.port)
        self.assertEqual(visitor.request("GET", "/visit")[0], 401)
        self.assertEqual(visitor.request("POST", "/login?name=ada"), (200, {"name": "ada", "count": 0}))
        self.assertEqual(guest.request("POST", "/login?name=bob")[0], 200)
        for count in range(1, 21):
            self.assertEqual(visitor.request("GET", "/visit"), (200, {"name": "ada", "count": count}))
        cookie = visitor.cookie

        count = self.crash_under_visits(picture, visitor, 20)
        self.assertEqual(visitor.cookie, cookie, "the application began a new session")
        stored = sorted(session["name"] for session in self.sessions(picture.primary).values())
        self.assertEqual(stored, ["ada", "bob"])
        for key in self.sessions(picture.primary):
            self.assertGreater(picture.primary.call("TTL", key), 3000)

        # The guest did not visit during the crash; a logout and a new login work on the new primary.
        self.assertEqual(guest.request("GET", "/visit"), (200, {"name": "bob", "count": 1}))
        self.assertEqual(guest.request("POST", "/logout")[0], 200)
        self.assertEqual(guest.request("GET", "/visit")[0], 401)
        self.assertEqual([s["name"] for s in self.sessions(picture.primary).values()], ["ada"])

        picture.bring_back()
        self.assertEqual([s["name"] for s in self.sessions(picture.replica).values()], ["ada"])
        count = self.crash_under_visits(picture, visitor, count)
        self.assertEqual(visitor.request("GET", "/visit"), (200, {"name": "ada", "count": count + 1}))
        self.assertTrue(app.running())


if __name__ == "__main__":
    unittest.main(verbosity=2)
