#!/usr/bin/env python3
"""The redis-aware backend with real processes: our proxy, our and original servers and Sentinels, kill -9 and switch-overs.

What is measured is printed; what is asserted leaves room for a busy machine: from the Sentinel's +switch-master to the
first acknowledged write through the proxy."""
import threading
import time
import unittest

from processes import Client, Error, World, free_port, link_up, sees, wait_for, wait_synced

ROOM = 0.5  # seconds


class Writer(threading.Thread):
    """Numbers through a port, each on a connection that is kept as long as it works."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.acknowledged, self.refused, self.stopping = port, [], 0, threading.Event()
        self.start()

    def run(self):
        client, number = None, 0
        while not self.stopping.is_set():
            try:
                client = client or Client(self.port, timeout=2.0)
                reply = client.call("SET", f"n{number}", number)
                if isinstance(reply, Error):
                    self.refused += 1
                    raise OSError(reply)
                self.acknowledged.append((number, time.monotonic()))
                number += 1
            except (OSError, EOFError):
                if client:
                    client.close()
                client = None
            time.sleep(0.001)

    def first_after(self, moment):
        return wait_for("a write after the switch", lambda: next((at for _, at in self.acknowledged if at > moment), 0), 20)

    def finish(self):
        self.stopping.set()
        self.join(10)


class Announcements(threading.Thread):
    def __init__(self, sentinel):
        super().__init__(daemon=True)
        self.client, self.times = Client(sentinel.port, timeout=60), []
        self.client.call("SUBSCRIBE", "+switch-master")
        self.start()

    def run(self):
        try:
            while True:
                self.client.read()
                self.times.append(time.monotonic())
        except (OSError, EOFError):
            pass


class RedisAware(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.end)

    def end(self):
        result = self._outcome.result
        self.world.__exit__(Exception if result.errors or result.failures else None, None, None)

    def picture(self, servers, sentinels, password=None):
        world = self.world
        secret = ["--requirepass", password, "--masterauth", password] if password else []
        self.primary = world.server(servers[0], *secret)
        self.replica = world.replica(servers[1], self.primary, *secret)
        if not password:
            wait_synced(self.primary, self.replica)
        extra = f"sentinel auth-pass mymaster {password}\n" if password else ""
        self.sentinels = [world.sentinel(kind, self.primary, quorum=len(sentinels) // 2 + 1, extra=extra)
                          for kind in sentinels]
        for sentinel in self.sentinels:
            wait_for("the Sentinels to know everybody",
                     lambda s=sentinel: sees(s, "mymaster", replicas=1, sentinels=len(sentinels) - 1))
        self.port = free_port()
        lines = "".join(f" sentinel s{s.port} 127.0.0.1:{s.port}\n" for s in self.sentinels)
        auth = ""
        if password:
            (world.directory / "pass").write_text(f"default {password}\n")
            auth = f" redis-auth-file {world.directory}/pass\n"
        config = (f"sentinels city\n{lines}listen redis\n mode tcp\n bind 127.0.0.1:{self.port}\n timeout connect 1s\n"
                  f" timeout client 60s\n timeout server 60s\n redis-primary city/mymaster\n{auth}"
                  f" server r1 127.0.0.1:{self.primary.port}\n server r2 127.0.0.1:{self.replica.port}\n")
        self.proxy = world.proxy("ours", config, self.port)

    def leads_to(self, server):
        with Client(self.port, timeout=2.0) as client:
            return client.info("server").get("tcp_port") == str(server.port)

    def switch(self, what, planned):
        wait_for("the proxy to lead to the primary", lambda: self.leads_to(self.primary))
        news = Announcements(self.sentinels[0])
        writer = Writer(self.port)
        self.addCleanup(writer.finish)
        wait_for("writes", lambda: len(writer.acknowledged) > 100)
        began = time.monotonic()
        if planned:
            self.assertEqual(self.sentinels[0].call("SENTINEL", "FAILOVER", "mymaster"), "OK")
        else:
            self.primary.kill()
        wait_for("+switch-master", lambda: news.times, 30)
        first = writer.first_after(news.times[0])
        times = [at for _, at in writer.acknowledged]
        gap = max(after - before for before, after in zip(times, times[1:]))
        print(f"{what}: {'planned' if planned else 'kill -9'}: +switch-master after {news.times[0] - began:.3f} s, first write "
              f"{(first - news.times[0]) * 1000:.1f} ms later, {gap:.3f} s without, {writer.refused} refused")
        self.assertLess(first - news.times[0], ROOM)
        self.assertTrue(self.leads_to(self.replica))
        writer.finish()
        self.primary, self.replica = self.replica, self.primary

    def test_ours(self):
        self.picture(("ours", "ours"), ("ours", "ours", "ours"))
        self.switch("ours, 3 Sentinels", planned=True)
        wait_for("the old primary to follow", lambda: link_up(self.replica), 40)
        self.switch("ours, 3 Sentinels", planned=False)
        # The old primary comes back a primary by its own word: no connection may reach it.
        self.replica.start()
        self.replica.wait_ready()
        for _ in range(50):
            self.assertTrue(self.leads_to(self.primary))

    def test_originals(self):
        self.picture(("original", "original"), ("original", "original", "original"))
        self.switch("originals, 3 Sentinels", planned=False)

    def test_one_sentinel_and_a_password(self):
        self.picture(("original", "ours"), ("original",), password="a-long-secret")
        def through(server):
            with Client(self.port, timeout=2.0) as client:
                if client.call("AUTH", "a-long-secret") != "OK":
                    return False
                return client.info("server").get("tcp_port") == str(server.port)
        wait_for("the proxy to lead to the primary", lambda: through(self.primary))
        self.primary.kill()
        wait_for("the proxy to lead to the replica", lambda: through(self.replica), 20)
        self.assertNotIn("a-long-secret", self.proxy.log_text())


if __name__ == "__main__":
    unittest.main()
