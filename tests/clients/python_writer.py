#!/usr/bin/env python3
"""Numbered writes with python3-redis, through a proxy or by its Sentinel support (see README.md)."""
import sys
import time

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

OPTIONS = {
    "socket_timeout": 2.0,
    "socket_connect_timeout": 2.0,
    "retry": Retry(ExponentialBackoff(cap=0.25, base=0.01), 60),
    "retry_on_error": [BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError],
}


def client_of(mode, arguments):
    if mode == "proxy":
        return redis.Redis(port=int(arguments[0]), **OPTIONS)
    sentinel = Sentinel([("127.0.0.1", int(port)) for port in arguments[1:]], socket_timeout=1.0)
    return sentinel.master_for(arguments[0], **OPTIONS)


def main(prefix, mode, *arguments):
    client = client_of(mode, arguments)
    number = 0
    while True:
        try:
            client.set(f"{prefix}:{number}", number)
            print(f"ok {number} {time.time() * 1000:.0f}", flush=True)
            number += 1
        except redis.RedisError as error:
            print(f"error {error!r} {time.time() * 1000:.0f}", flush=True)
        time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
