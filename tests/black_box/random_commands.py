"""Random commands for the differential test: the same seed gives the same commands.

A row makes one command. Keys are few, so that types collide; values grow through the encodings. `spoiled()` damages some
commands: an argument missing, one too many, or one replaced. Rows of one family stand together.
"""
import random

KEYS = [f"k{i}" for i in range(12)] + ["", "key with spaces", "k\x00bin"]
FIELDS = [f"f{i}" for i in range(8)] + ["10", "-5", ""]
NUMBERS = ["0", "1", "-1", "2", "5", "-3", "100", "9223372036854775807", "-9223372036854775808", "abc", "1.5", "", " 1", "01"]
LEX_KEYS = ["lex1", "lex2"]  # sorted sets with one score only: ranges by member bytes are defined there
LEX_ENDS = ["-", "+", "[a", "(b", "[m5", "(m5", "[", "(", "[\xff", "m", ""]
SCORE_ENDS = ["-inf", "+inf", "0", "(0", "5", "(5", "-3", "1.5", "(1.5", "inf", "abc", "", "(", "1e3", "0x10", "nan"]
STREAM_IDS = ["0", "1", "2-1", "3-3", "5", "7-1", "9-*", "99999999999999-1", "$", ">", "-", "+", "(3", "x", "0-0", "1-x",
              "18446744073709551615-18446744073709551615"]
SPOILABLE = {"stream", "string", "list", "hash", "set", "zset", "lex", "bitmap", "hyperloglog", "geo", "keys"}
NEVER_SPOILED = {"SRANDMEMBER", "SPOP", "HRANDFIELD", "ZRANDMEMBER", "SCAN", "HSCAN", "SSCAN", "ZSCAN", "OBJECT", "SORT",
                 "GETEX", "EXPIRE", "PEXPIRE", "COPY", "SET", "SETEX", "PSETEX", "RESTORE"}
FLOATS = ["0.1", "1", "-2.5", "1e3", "3.0e-5", "inf", "nan", "abc", "1e400", "0x10"]


JUNK = ["", "0", "-1", "abc", "WITHSCORES", "LIMIT", "9223372036854775807", "-9223372036854775808", "1.5", "(", "REV", "COUNT"]
WEIGHTS = {"string": 5, "keys": 4, "list": 4, "hash": 4, "set": 4, "zset": 7, "lex": 2, "generic": 3, "bitmap": 3, "hyperloglog": 2, "geo": 3, "stream": 6, "blocking": 1,
           "connection": 2}


class Generator:
    def __init__(self, seed, family=None):
        """`family`: four commands of five are of this one; without, they come as WEIGHTS say."""
        self.random = random.Random(seed)
        self.weights = dict(WEIGHTS)
        if family:
            self.weights[family] = 4 * sum(weight for name, weight in WEIGHTS.items() if name != family)
        self.made = {name: 0 for name in WEIGHTS}  # commands, by family
        self.ms = 0  # of stream ids: they ascend, mostly

    def next_ms(self):
        self.ms += self.random.choice([0, 0, 1, 1, 2])
        return self.ms

    def key(self):
        return self.random.choice(KEYS)

    def field(self):
        return self.random.choice(FIELDS)

    def value(self):
        r = self.random
        kind = r.randrange(6)
        if kind == 0:
            return str(r.randrange(-1000, 1000))
        if kind == 1:
            return r.choice(NUMBERS + FLOATS)
        if kind == 2:
            return bytes(r.randrange(256) for _ in range(r.randrange(12)))
        if kind == 3:
            return "x" * r.choice([0, 1, 44, 45, 63, 64, 65, 200, 1000])
        return f"v{r.randrange(20)}"

    def number(self):
        return self.random.choice(NUMBERS) if self.random.random() < 0.3 else str(self.random.randrange(-12, 12))

    def some(self, make, low=1, high=4):
        return [make() for _ in range(self.random.randint(low, high))]

    def pairs(self, a, b, low=1, high=4):
        return [x for _ in range(self.random.randint(low, high)) for x in (a(), b())]

    def options(self, *choices):
        out = []
        for choice in choices:
            if self.random.random() < 0.3:
                out += [w() if callable(w) else w for w in choice]
        return out

    def command(self):
        r, k, f, v, n = self.random, self.key, self.field, self.value, self.number
        far = lambda: str(r.choice([5000, 100000, 10**9, 0, -1, 2**62]))
        score = lambda: r.choice([str(r.randrange(-20, 20)), "1.5", "0.1", "-inf", "+inf", "3e10", "1e-7", "123456789.125", "1e22"])
        member = lambda: f"m{r.randrange(12)}"
        end = lambda: r.choice(SCORE_ENDS)
        lex = lambda: r.choice(LEX_KEYS)
        lexend = lambda: r.choice(LEX_ENDS)
        weights = lambda count: self.options(["WEIGHTS", *[r.choice(["1", "2", "-0.5", "0", "inf", "x"])] * count],
                                             ["AGGREGATE", r.choice(["SUM", "MIN", "MAX", "AVG"])])
        sortable = lambda: r.choice(["sortable1", "sortable2", "sortable3"])
        pattern = lambda: r.choice(["k*", "f*", "k*->f1", "*->", "nosort", "#", "k1*->10"])
        bit = lambda: r.choice([str(r.randrange(0, 200)), "7", "#3", "-1", "4294967296", "x"] if r.random() < 0.2
                               else [str(r.randrange(0, 100))])
        field_type = lambda: r.choice(["u1", "i1", "u8", "i8", "u63", "i64", "i5", "u13"] if r.random() < 0.95
                                      else ["u64", "i65", "x8", "i0"])
        field_value = lambda: r.choice([str(r.randrange(-300, 300)), "9223372036854775807", "-9223372036854775808"])
        field_step = lambda: r.choice([
            lambda: ["GET", field_type(), bit()], lambda: ["SET", field_type(), bit(), field_value()],
            lambda: ["INCRBY", field_type(), bit(), field_value()], lambda: ["INCRBY", field_type(), "#1", field_value()],
            lambda: ["OVERFLOW", r.choice(["WRAP", "SAT", "FAIL"])]])()
        # Scores that are no positions mean nothing: what the original makes of them is left to its compiler.
        # Not `sortable1`: what SORT makes of equal weights in a sorted set is the original's hash order.
        geo = lambda: r.choice(["geo1", "geo2", "k1"] if r.random() < 0.3 else ["geo1", "geo2"])
        unit = lambda: r.choice(["m", "km", "ft", "mi", "km", "km", "x"] if r.random() < 0.3 else ["km", "mi"])
        place = lambda: [f"{r.uniform(-180, 180):.6f}", f"{r.uniform(-86, 85):.6f}"] if r.random() < 0.5 else \
            [f"{13 + r.random():.5f}", f"{52 + r.random():.5f}"]
        around = lambda: ["FROMMEMBER", member()] if r.random() < 0.5 else ["FROMLONLAT", *place()]
        within = lambda: ["BYRADIUS", str(r.choice([0, 10, 100, 1000, 6000, 20000])), unit()] if r.random() < 0.5 else \
            ["BYBOX", str(r.choice([10, 200, 3000])), str(r.choice([10, 200, 3000, 15000])), unit()]
        geo_options = lambda: self.options(["ASC"], ["DESC"], ["COUNT", n], ["COUNT", "3", "ANY"])
        # Ids are told, never made from the clock, which differs; one in three keys collides with other types.
        log = lambda: k() if r.random() < 0.05 else r.choice(["log1", "log2", "log3"])
        any_id = lambda: r.choice(STREAM_IDS) if r.random() < 0.3 else f"{r.randrange(60)}-{r.randrange(4)}"
        new_id = lambda: f"{r.randrange(40, 90)}" if r.random() < 0.1 else r.choice(STREAM_IDS) if r.random() < 0.03 else \
            f"{self.next_ms()}-{r.choice([0, 1, 5, '*', '*'])}"
        group = lambda: r.choice(["g1", "g2", "g1", "nogroup"])
        consumer = lambda: r.choice(["c1", "c2", "c3"])
        keep = lambda: self.options(["MAXLEN", lambda: str(r.randrange(60))], ["MAXLEN", "~", lambda: str(r.randrange(60))],
                                    ["MINID", "~", any_id], ["MINID", "=", any_id], ["LIMIT", n])[:r.choice([0, 0, 2, 3, 9])]
        hll = lambda: r.choice(["hll1", "hll2", "hll3", k()])
        table = {
            "string": [
                lambda: ["SET", k(), v(), *self.options(["NX"], ["XX"], ["GET"], ["KEEPTTL"], ["EX", far], ["PX", far])],
                lambda: ["GET", k()], lambda: ["GETSET", k(), v()], lambda: ["GETDEL", k()],
                lambda: ["GETEX", k(), *self.options(["PERSIST"], ["EX", far], ["PX", far])],
                lambda: ["SETNX", k(), v()], lambda: ["SETEX", k(), far(), v()], lambda: ["PSETEX", k(), far(), v()],
                lambda: ["APPEND", k(), v()], lambda: ["STRLEN", k()], lambda: ["INCR", k()], lambda: ["DECR", k()],
                lambda: ["INCRBY", k(), n()], lambda: ["DECRBY", k(), n()],
                lambda: ["INCRBYFLOAT", k(), r.choice(FLOATS)],
                lambda: ["GETRANGE", k(), n(), n()], lambda: ["SUBSTR", k(), n(), n()],
                lambda: ["SETRANGE", k(), str(r.choice([0, 1, 5, 50, -1])), v()],
                lambda: ["MSET", *self.pairs(k, v)], lambda: ["MSETNX", *self.pairs(k, v)], lambda: ["MGET", *self.some(k)],
            ],
            "keys": [
                lambda: ["DEL", *self.some(k)], lambda: ["UNLINK", *self.some(k)], lambda: ["EXISTS", *self.some(k)],
                lambda: ["TYPE", k()], lambda: ["TTL", k()], lambda: ["PTTL", k()], lambda: ["PERSIST", k()],
                lambda: ["EXPIRE", k(), far(), *self.options(["NX"], ["XX"], ["GT"], ["LT"])],
                lambda: ["PEXPIRE", k(), far(), *self.options(["NX"], ["XX"], ["GT"], ["LT"], ["BAD"])],
                lambda: ["EXPIREAT", k(), str(r.choice([1, 4102444800, 10**12]))],
                lambda: ["PEXPIREAT", k(), str(r.choice([1, 4102444800000]))],
                lambda: ["EXPIRETIME", k()], lambda: ["PEXPIRETIME", k()],
                lambda: ["RENAME", k(), k()], lambda: ["RENAMENX", k(), k()],
                lambda: ["COPY", k(), k(), *self.options(["REPLACE"], ["DB", n])], lambda: ["MOVE", k(), n()],
                lambda: ["TOUCH", *self.some(k)], lambda: ["KEYS", r.choice(["*", "k?", "k[1-3]*", "*\x00*", "k[^1]"])],
                lambda: ["DBSIZE"], lambda: ["SELECT", r.choice(["0", "1", "15", "16", "-1", "x"])],
                lambda: ["OBJECT", "ENCODING", k()], lambda: ["SCAN", "0", "COUNT", "1000", *self.options(["MATCH", "k*"])],
                lambda: ["SWAPDB", n(), n()], lambda: ["OBJECT", "REFCOUNT", "none"],
            ],
            "list": [
                lambda: [r.choice(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"]), k(), *self.some(v)],
                lambda: [r.choice(["LPOP", "RPOP"]), k(), *self.options([n])], lambda: ["LLEN", k()],
                lambda: ["LRANGE", k(), n(), n()], lambda: ["LINDEX", k(), n()], lambda: ["LSET", k(), n(), v()],
                lambda: ["LINSERT", k(), r.choice(["BEFORE", "AFTER", "X"]), v(), v()], lambda: ["LREM", k(), n(), v()],
                lambda: ["LTRIM", k(), n(), n()],
                lambda: ["LPOS", k(), v(), *self.options(["RANK", n], ["COUNT", n], ["MAXLEN", n])],
                lambda: ["LMOVE", k(), k(), r.choice(["LEFT", "RIGHT"]), r.choice(["LEFT", "RIGHT", "UP"])],
                lambda: ["RPOPLPUSH", k(), k()],
                lambda: ["LMPOP", r.choice(["1", "2", "0", "x"]), k(), k(), r.choice(["LEFT", "RIGHT"]),
                         *self.options(["COUNT", n])],
            ],
            "hash": [
                lambda: [r.choice(["HSET", "HMSET"]), k(), *self.pairs(f, v)], lambda: ["HSETNX", k(), f(), v()],
                lambda: ["HGET", k(), f()], lambda: ["HMGET", k(), *self.some(f)], lambda: ["HGETALL", k()],
                lambda: ["HKEYS", k()], lambda: ["HVALS", k()], lambda: ["HDEL", k(), *self.some(f)], lambda: ["HLEN", k()],
                lambda: ["HEXISTS", k(), f()], lambda: ["HSTRLEN", k(), f()], lambda: ["HINCRBY", k(), f(), n()],
                lambda: ["HINCRBYFLOAT", k(), f(), r.choice(FLOATS)],
                lambda: ["HSCAN", k(), "0", "COUNT", "1000"], lambda: ["HRANDFIELD", k(), "100"],
                lambda: ["HSET", k(), *self.some(f, 1, 3)],
            ],
            "set": [
                lambda: ["SADD", k(), *self.some(lambda: r.choice([f(), n(), v()]), 1, 6)],
                lambda: ["SREM", k(), *self.some(f)], lambda: ["SISMEMBER", k(), f()], lambda: ["SMISMEMBER", k(), *self.some(f)],
                lambda: ["SCARD", k()], lambda: ["SMEMBERS", k()], lambda: ["SMOVE", k(), k(), f()],
                lambda: [r.choice(["SINTER", "SUNION", "SDIFF"]), *self.some(k)],
                lambda: [r.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), *self.some(k, 2, 4)],
                lambda: ["SINTERCARD", r.choice(["1", "2", "0", "5"]), k(), k(), *self.options(["LIMIT", n])],
                lambda: ["SRANDMEMBER", k(), "100"], lambda: ["SPOP", k(), "100"], lambda: ["SSCAN", k(), "0", "COUNT", "1000"],
            ],
            "zset": [
                lambda: ["ZADD", k(), *self.options(["NX"], ["XX"], ["GT"], ["LT"], ["CH"]), *self.pairs(score, f, 1, 6)],
                lambda: ["ZADD", k(), *self.pairs(score, member, 1, 12)],
                lambda: ["ZADD", k(), *self.options(["NX"], ["XX"], ["GT"], ["LT"]), "INCR", score(), f()],
                lambda: ["ZADD", k(), r.choice(FLOATS), f()], lambda: ["ZINCRBY", k(), r.choice(FLOATS + [n()]), f()],
                lambda: ["ZREM", k(), *self.some(f)], lambda: ["ZCARD", k()], lambda: ["ZSCORE", k(), f()],
                lambda: ["ZMSCORE", k(), *self.some(f)], lambda: [r.choice(["ZRANK", "ZREVRANK"]), k(), f()],
                lambda: ["ZCOUNT", k(), end(), end()],
                lambda: [r.choice(["ZRANGE", "ZREVRANGE"]), k(), n(), n(), *self.options(["WITHSCORES"])],
                lambda: ["ZRANGE", k(), end(), end(), "BYSCORE", *self.options(["REV"], ["LIMIT", n, n], ["WITHSCORES"])],
                lambda: ["ZRANGE", k(), n(), n(), *self.options(["REV"], ["LIMIT", n, n], ["WITHSCORES"], ["BYLEX"])],
                lambda: [r.choice(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), k(), end(), end(),
                         *self.options(["WITHSCORES"], ["LIMIT", n, n])],
                lambda: ["ZRANGESTORE", k(), k(), n(), n(), *self.options(["REV"])],
                lambda: ["ZRANGESTORE", k(), k(), end(), end(), "BYSCORE", *self.options(["REV"], ["LIMIT", n, n])],
                lambda: ["ZREMRANGEBYRANK", k(), n(), n()] if r.random() < 0.4 else ["ZCARD", k()],
                lambda: ["ZREMRANGEBYSCORE", k(), end(), end()] if r.random() < 0.4 else ["ZCARD", k()],
                lambda: [r.choice(["ZPOPMIN", "ZPOPMAX"]), k(), *self.options([n])],
                lambda: ["ZMPOP", r.choice(["1", "2", "0", "x"]), k(), k(), r.choice(["MIN", "MAX"]), *self.options(["COUNT", n])],
                lambda: [r.choice(["ZUNION", "ZINTER", "ZDIFF"]), "2", k(), k(), *self.options(["WITHSCORES"])],
                lambda: [r.choice(["ZUNION", "ZINTER"]), "3", k(), k(), k(), *weights(3), "WITHSCORES"],
                lambda: [r.choice(["ZUNIONSTORE", "ZINTERSTORE"]), k(), "2", k(), k(), *weights(2)],
                lambda: ["ZDIFFSTORE", k(), "2", k(), k()],
                lambda: ["ZINTERCARD", r.choice(["1", "2", "3", "0"]), k(), k(), *self.options(["LIMIT", n])],
                lambda: ["ZRANDMEMBER", k(), "100", *self.options(["WITHSCORES"])], lambda: ["ZSCAN", k(), "0", "COUNT", "1000"],
            ],
            "lex": [
                lambda: ["ZADD", lex(), *self.pairs(lambda: "0", lambda: r.choice([member(), f()]), 1, 8)],
                lambda: [r.choice(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), lex(), lexend(), lexend(), *self.options(["LIMIT", n, n])],
                lambda: ["ZRANGE", lex(), lexend(), lexend(), "BYLEX", *self.options(["REV"], ["LIMIT", n, n])],
                lambda: ["ZRANGESTORE", k(), lex(), lexend(), lexend(), "BYLEX", *self.options(["REV"], ["LIMIT", n, n])],
                lambda: ["ZLEXCOUNT", lex(), lexend(), lexend()], lambda: ["ZREM", lex(), member()],
                lambda: ["ZREMRANGEBYLEX", lex(), lexend(), lexend()] if r.random() < 0.4 else ["ZCARD", lex()],
            ],
            "generic": [
                lambda: ["SORT", k(), *self.options(["ALPHA"], ["ALPHA"], ["DESC"], ["LIMIT", n, n], ["GET", "#"], ["GET", "k*"])],
                lambda: ["SORT", sortable(), *self.options(["BY", pattern], ["DESC"], ["GET", pattern], ["LIMIT", n, n])],
                lambda: ["SORT", "sortable1", "ALPHA", *self.options(["BY", pattern], ["GET", pattern]), "STORE", k()],
                lambda: ["SORT_RO", sortable(), "BY", "nosort", *self.options(["DESC"], ["LIMIT", n, n], ["STORE", k])],
                lambda: ["RPUSH", "sortable1", *self.some(lambda: r.choice([*"123456789", "f1", "10", "x"]), 1, 4)],
                lambda: ["ZADD", "sortable2", *self.pairs(score, lambda: r.choice([*"123456789", "10"]), 1, 4)],
                lambda: ["DEL", "sortable1"] if r.random() < 0.1 else ["TYPE", "sortable1"],
                lambda: ["SADD", "sortable3", *self.some(lambda: r.choice([*"123456789", "10"]), 1, 4)],
                lambda: ["LCS", k(), k(), *self.options(["LEN"], ["IDX"], ["MINMATCHLEN", n], ["WITHMATCHLEN"], ["X"])],
                lambda: ["RESTORE", k(), r.choice(["0", "-1", "x", "5000"]), v(), *self.options(["REPLACE"], ["IDLETIME", n], ["FREQ", n])],
                lambda: ["OBJECT", r.choice(["IDLETIME", "FREQ", "REFCOUNT"]), k()],
                lambda: ["COMMAND", "GETKEYS", *self.command()], lambda: ["DUMP", "none"],
            ],
            "blocking": [  # a wait ends within milliseconds
                lambda: ["BLPOP", k(), r.choice(["x", "-1"])], lambda: ["BLMPOP", "0.01", "0", k(), "LEFT"],
                lambda: ["BLMPOP", "0.001", r.choice(["1", "2", "x"]), k(), k(), r.choice(["LEFT", "UP"]), *self.options(["COUNT", n])],
                lambda: [r.choice(["BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"]), k(), k(), "0.001"],
                lambda: ["BLMOVE", k(), k(), "LEFT", r.choice(["RIGHT", "UP"]), "0.001"], lambda: ["BRPOPLPUSH", k(), k(), "0.001"],
                lambda: ["BZMPOP", "0.001", r.choice(["1", "2", "0"]), k(), k(), r.choice(["MIN", "MAX"]), *self.options(["COUNT", n])],
                lambda: ["CLIENT", "UNBLOCK", r.choice(["0", "x", "99999"]), *self.options(["TIMEOUT"], ["BAD"])],
            ],
            "geo": [
                lambda: ["GEOADD", geo(), *self.options(["NX"], ["XX"], ["CH"]), *[w for _ in range(r.randint(1, 4))
                         for w in (*place(), member())]],
                lambda: ["GEOPOS", geo(), member(), member()], lambda: ["GEOHASH", geo(), member(), member()],
                lambda: ["GEODIST", geo(), member(), member(), *self.options([unit])],
                lambda: ["GEOSEARCH", geo(), *around(), *within(), *geo_options(), *self.options(["WITHCOORD"], ["WITHDIST"], ["WITHHASH"])],
                lambda: ["GEOSEARCHSTORE", k(), geo(), *around(), *within(), *geo_options(), *self.options(["STOREDIST"])],
                lambda: [r.choice(["GEORADIUS", "GEORADIUS_RO"]), geo(), *place(), *within()[1:3], *geo_options(),
                         *self.options(["WITHCOORD"], ["STORE", k])],
                lambda: [r.choice(["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]), geo(), member(), str(r.randrange(5000)), unit(),
                         *geo_options(), *self.options(["WITHDIST"], ["STOREDIST", k])],
                lambda: ["ZREM", geo(), member()],
            ],
            "stream": [
                lambda: ["XADD", log(), *self.options(["NOMKSTREAM"]), *keep(), new_id(), *self.pairs(f, v)],
                lambda: ["XADD", log(), new_id(), "f1", v(), "f2", v()], lambda: ["XADD", log(), new_id(), "f1", v(), "f2", n()],
                lambda: ["XADD", log(), new_id(), "f1", v(), "f2", v()], lambda: ["XLEN", log()],
                lambda: ["XTRIM", log(), *keep()], lambda: ["XDEL", log(), *self.some(any_id)],
                lambda: ["XRANGE", log(), any_id(), any_id(), *self.options(["COUNT", n])],
                lambda: ["XREVRANGE", log(), any_id(), any_id(), *self.options(["COUNT", n])],
                lambda: ["XRANGE", log(), "-", "+"], lambda: ["XINFO", "STREAM", log(), *self.options(["FULL"], ["COUNT", n])],
                lambda: ["XREAD", *self.options(["COUNT", n]), "STREAMS", log(), log(), any_id(), any_id()],
                lambda: ["XREAD", *self.options(["COUNT", n], ["NOACK"]), "STREAMS", log(), any_id()],
                lambda: ["XREADGROUP", "GROUP", group(), consumer(), *self.options(["COUNT", n], ["NOACK"]), "STREAMS", log(),
                         r.choice([">", ">", ">", any_id()])],
                lambda: ["XREADGROUP", "GROUP", group(), consumer(), "COUNT", "5", "STREAMS", log(), log(), ">", ">"],
                lambda: ["XGROUP", "CREATE", log(), group(), any_id(), *self.options(["MKSTREAM"], ["ENTRIESREAD", n])],
                lambda: ["XGROUP", "CREATE", log(), "g1", "0", "MKSTREAM"],
                lambda: ["XGROUP", "SETID", log(), group(), any_id(), *self.options(["ENTRIESREAD", n])],
                lambda: ["XGROUP", r.choice(["DESTROY", "CREATECONSUMER", "DELCONSUMER"]), log(), group(), *self.options([consumer])],
                lambda: ["XGROUP", r.choice(["CREATECONSUMER", "DELCONSUMER"]), log(), group(), consumer()],
                lambda: ["XACK", log(), group(), *self.some(any_id)],
                lambda: ["XPENDING", log(), group()],
                lambda: ["XPENDING", log(), group(), *self.options(["IDLE", "0"]), any_id(), any_id(), n(), *self.options([consumer])],
                lambda: ["XPENDING", log(), group(), "-", "+", "100"],
                lambda: ["XCLAIM", log(), group(), consumer(), "0", *self.some(any_id), *self.options(
                    ["FORCE"], ["JUSTID"], ["RETRYCOUNT", n], ["LASTID", any_id], ["TIME", n], ["IDLE", n])],
                lambda: ["XAUTOCLAIM", log(), group(), consumer(), r.choice(["0", "100000000"]), any_id(), *self.options(["COUNT", n], ["JUSTID"])],
                lambda: ["XINFO", "GROUPS", log()], lambda: ["XINFO", "CONSUMERS", log(), group()],
                lambda: ["XSETID", log(), f"{self.next_ms()}-9", *self.options(["ENTRIESADDED", n], ["MAXDELETEDID", any_id])] if r.random() < 0.2
                else ["XLEN", log()],
                lambda: ["DEL", log()] if r.random() < 0.1 else ["TYPE", log()], lambda: ["COPY", log(), log(), "REPLACE"]
                if r.random() < 0.3 else ["OBJECT", "ENCODING", log()],
                lambda: ["DEBUG", "DIGEST-VALUE", log(), log()],
                lambda: ["XREAD", "BLOCK", "1", "STREAMS", log(), r.choice(["$", "99-9"])],
            ],
            "hyperloglog": [
                lambda: ["PFADD", hll(), *self.some(lambda: r.choice([v(), str(r.random())]), 0, 6)],
                lambda: ["PFADD", "hll1", *[f"{r.randrange(10**6)}" for _ in range(r.choice([50, 300]))]],
                lambda: ["PFCOUNT", *self.some(hll)], lambda: ["PFCOUNT", hll()], lambda: ["PFMERGE", hll(), *self.some(hll)],
            ],
            "bitmap": [
                lambda: ["SETBIT", k(), bit(), r.choice(["0", "1", "1", "2", "x"])], lambda: ["GETBIT", k(), bit()],
                lambda: ["BITCOUNT", k(), *r.choice([[], [n(), n()], [n(), n(), "BIT"], [n(), n(), "BYTE"], [n()]])],
                lambda: ["BITPOS", k(), r.choice("01"), *r.choice([[], [n()], [n(), n()], [n(), n(), "BIT"], [n(), n(), "BYTE"]])],
                lambda: ["BITOP", r.choice(["AND", "OR", "XOR"]), k(), *self.some(k)], lambda: ["BITOP", "NOT", k(), k()],
                lambda: ["BITFIELD", k(), *[w for _ in range(r.randint(0, 4)) for w in field_step()]],
                lambda: ["BITFIELD_RO", k(), "GET", field_type(), bit(), *self.options(["SET", "u8", "0", "1"])],
            ],
            "connection": [
                lambda: ["PING", *self.options([v])], lambda: ["ECHO", v()], lambda: ["MULTI"], lambda: ["EXEC"],
                lambda: ["EXEC"], lambda: ["DISCARD"], lambda: ["WATCH", k()], lambda: ["UNWATCH"],
                lambda: ["CLIENT", r.choice(["SETNAME", "GETNAME", "ID", "NOSUCH"]), *self.options([f])],
                lambda: ["NOSUCHCOMMAND", *self.some(v, 0, 3)], lambda: ["GET"], lambda: ["SET", k()],
                lambda: ["PUBLISH", k(), v()], lambda: ["PUBSUB", r.choice(["NUMSUB", "CHANNELS", "NUMPAT"])],
                lambda: ["CONFIG", "SET", "nosuch", "1"], lambda: ["CONFIG", "GET", "maxmemory-policy"],
                lambda: ["CONFIG", "SET", "maxmemory", r.choice(["0", "100gb", "x"])], lambda: ["OBJECT", "NOSUCH", k()],
                lambda: ["AUTH", "a"], lambda: ["AUTH", "default", "x"], lambda: ["HELLO", "5"], lambda: ["HELLO", "x"],
                lambda: ["WAIT", n(), "1"], lambda: ["REPLICAOF", "NO", "ONE"], lambda: ["ROLE"][:1],
                lambda: ["FLUSHDB"] if r.random() < 0.02 else ["PING"], lambda: ["FLUSHALL", "BAD"],
                lambda: ["DEBUG", "RELOAD"] if r.random() < 0.1 else ["PING"],
            ],
        }
        family = r.choices(list(table), weights=[self.weights[name] for name in table])[0]
        self.made[family] += 1
        words = r.choice(table[family])()
        spoil = family in SPOILABLE and words[0] not in NEVER_SPOILED and r.random() < 0.04
        spoil &= family not in ("lex", "geo") or words[0] != "ZADD"  # their scores stay equal
        return self.spoiled(words) if spoil else words

    def spoiled(self, words):
        """The command with one argument taken out, added or replaced."""
        r = self.random
        at = r.randrange(1, len(words)) if len(words) > 1 else 1
        kind = r.randrange(3)
        return words[:at] + ([] if kind == 0 else [r.choice(JUNK)]) + words[at + (kind != 1):]
