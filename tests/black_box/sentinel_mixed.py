#!/usr/bin/python3
"""Sentinels of both makes in one quorum, over data servers of both makes, and each starting from the other's file.

Usage: sentinel_mixed.py [--programs "ours ours original"]
"""
import argparse
import signal
import sys

from processes import HOLDFAST, World, wait_for, wait_synced

NAME = "mymaster"


def call(sentinel, *words):
    reply = sentinel.call("SENTINEL", *words)
    if isinstance(reply, str):
        raise AssertionError(f"{sentinel.name}: SENTINEL {' '.join(words)} answered {reply!r}")
    return reply


def fields(flat):
    words = [word.decode() for word in flat]
    return dict(zip(words[::2], words[1::2]))


def address(sentinel):
    return int(call(sentinel, "get-master-addr-by-name", NAME)[1])


def knows_everybody(sentinel, others):
    state = fields(call(sentinel, "master", NAME))
    replicas = [fields(replica) for replica in call(sentinel, "replicas", NAME)]
    return (int(state["num-other-sentinels"]) == others and "disconnected" not in state["flags"] and len(replicas) == 2
            and all(replica["flags"] == "slave" and replica["master-link-status"] == "ok" for replica in replicas))


def wait_settled(sentinels):
    for sentinel in sentinels:
        wait_for(f"{sentinel.name} to know everybody",
                 lambda s=sentinel: knows_everybody(s, len(sentinels) - 1), 45)


def crash_and_switch(servers, sentinels):
    """Kills the primary; returns the new one once all Sentinels agree on it and the others follow."""
    port = address(sentinels[0])
    primary = next(server for server in servers if server.port == port)
    primary.kill()
    for sentinel in sentinels:
        wait_for(f"{sentinel.name} to switch", lambda s=sentinel: address(s) != port, 45)
    ports = {address(sentinel) for sentinel in sentinels}
    assert len(ports) == 1, f"the Sentinels disagree: {ports}"
    epochs = {fields(call(sentinel, "master", NAME))["config-epoch"] for sentinel in sentinels}
    assert len(epochs) == 1, f"config epochs differ: {epochs}"
    chosen = next(server for server in servers if server.port in ports)
    wait_for(f"{chosen.name} to be a primary", lambda: chosen.info("replication")["role"] == "master")
    assert chosen.call("SET", "after", str(port)) == "OK"
    primary.start()
    primary.wait_ready()
    for server in servers:
        if server is not chosen:
            wait_for(f"{server.name} to follow {chosen.name}",
                     lambda s=server: s.info("replication").get("master_port") == str(chosen.port), 45)
            wait_synced(chosen, server, 30)
            assert server.call("GET", "after") == str(port).encode()
    return chosen


def swap_programs(sentinels):
    """Each Sentinel goes on as the other make, from the file its predecessor left."""
    before = {s.port: (s.call("SENTINEL", "MYID"), fields(call(s, "master", NAME))["config-epoch"]) for s in sentinels}
    for sentinel in sentinels:
        code = sentinel.stop()
        assert code == 0, f"{sentinel.name} ended with {code}"
    for sentinel in sentinels:
        conf = sentinel.argv[-1]
        ours = sentinel.argv[0] == str(HOLDFAST)
        sentinel.argv = ["redis-sentinel", conf] if ours else [str(HOLDFAST), "sentinel", conf]
        sentinel.start()
    for sentinel in sentinels:
        sentinel.wait_ready()
        after = (sentinel.call("SENTINEL", "MYID"), fields(call(sentinel, "master", NAME))["config-epoch"])
        assert after == before[sentinel.port], f"{sentinel.name}: {before[sentinel.port]} became {after}"


def check_events(sentinels):
    """The leader's log tells the whole story in the one legal order."""
    story = ["+sdown master", "+odown master", "+try-failover", "+elected-leader", "+failover-state-select-slave",
             "+selected-slave", "+failover-state-send-slaveof-noone", "+failover-state-wait-promotion", "+promoted-slave",
             "+failover-state-reconf-slaves", "+slave-reconf-sent", "+failover-end", "+switch-master"]
    leaders = [s for s in sentinels if "+elected-leader" in s.log_text()]
    assert leaders, "nobody was elected"
    for leader in leaders:
        text, at = leader.log_text(), 0
        for event in story:
            at = text.find(event, at)
            assert at >= 0, f"{leader.name}: {event} is missing or out of order"


def run(programs, server_kind):
    with World() as world:
        primary = world.server(server_kind)
        servers = [primary] + [world.replica(server_kind, primary) for _ in range(2)]
        for replica in servers[1:]:
            wait_synced(primary, replica)
        # The original needs a second to look at a new primary at all: with less patience it takes it for dead.
        sentinels = [world.sentinel(kind, primary, quorum=2, down_after=2500) for kind in programs]
        wait_settled(sentinels)
        crash_and_switch(servers, sentinels)
        check_events(sentinels)
        wait_settled(sentinels)
        swap_programs(sentinels)
        wait_settled(sentinels)
        crash_and_switch(servers, sentinels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", default="ours ours original")
    parser.add_argument("--servers", default="original ours")
    args = parser.parse_args()
    for server_kind in args.servers.split():
        run(args.programs.split(), server_kind)
        print(f"{args.programs} over {server_kind} servers: good")


if __name__ == "__main__":
    signal.alarm(280)
    sys.exit(main())
