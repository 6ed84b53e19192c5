// Scripts and functions with a host that keeps a few keys: conversions, errors, the sandbox, the four libraries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "script/functions.h"

namespace holdfast::script {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class FakeHost final : public Host {
 public:
  Called call(Words words, int resp) override {
    Called out;
    if (words[0] == "set") {
      values[std::string(words[1])] = words[2];
      reply = "+OK\r\n";
    } else if (words[0] == "get") {
      const auto at = values.find(words[1]);
      reply = at == values.end() ? (resp == 3 ? "_\r\n" : "$-1\r\n")
                                 : "$" + std::to_string(at->second.size()) + "\r\n" + at->second + "\r\n";
    } else if (words[0] == "raw") {
      reply = words[1];
    } else {
      out.refusal = "Unknown Redis command called from script";
    }
    out.reply = reply;
    return out;
  }
  std::optional<bool> may_call(Words words) override { return words[0] == "get"; }
  void log(LogLevel, std::string text) override { logged.push_back(std::move(text)); }
  void set_replication(unsigned bits) override { targets = bits; }
  bool go_on() override { return ++checks < checks_max; }

  std::map<std::string, std::string, std::less<>> values;
  std::vector<std::string> logged;
  std::string reply;
  unsigned targets = kReplicateAll;
  int checks = 0;
  int checks_max = 1000;
};

class Scripts : public ::testing::Test {
 protected:
  std::string run(std::string_view code, std::vector<std::string_view> keys = {},
                  std::vector<std::string_view> args = {}, int version = 2) {
    const auto script = scripts.load(code);
    if (!script) return "compile: " + script.error();
    OutQueue out;
    command::Reply reply(out, version);
    scripts.run(**script, keys, args, host, reply);
    return out.to_string();
  }
  EvalScripts scripts;
  FakeHost host;
};

TEST_F(Scripts, ValuesBecomeReplies) {
  EXPECT_EQ(run("return 3.99"), ":3\r\n");
  EXPECT_EQ(run("return 'a'"), "$1\r\na\r\n");
  EXPECT_EQ(run("return true"), ":1\r\n");
  EXPECT_EQ(run("return false"), "$-1\r\n");
  EXPECT_EQ(run("return {1, {2, 'x'}, nil, 4}"), "*2\r\n:1\r\n*2\r\n:2\r\n$1\r\nx\r\n");
  EXPECT_EQ(run("return {ok='fine'}"), "+fine\r\n");
  EXPECT_EQ(run("return {err='MY broken'}"), "-MY broken\r\n");
  EXPECT_EQ(run("return {KEYS[1], ARGV[1]}", {"k"}, {"a"}), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
  EXPECT_EQ(run("return {double=1.5}", {}, {}, 3), ",1.5\r\n");
  EXPECT_EQ(run("redis.setresp(3) return true", {}, {}, 3), "#t\r\n");
}

TEST_F(Scripts, RepliesBecomeValues) {
  EXPECT_EQ(run("redis.call('set', 'a', 1) return redis.call('get', 'a')"), "$1\r\n1\r\n");
  EXPECT_EQ(run("return redis.call('get', 'none') == false"), ":1\r\n");
  EXPECT_EQ(run("redis.setresp(3) return redis.call('get', 'none') == nil"), ":1\r\n");
  EXPECT_EQ(run("redis.setresp(3) return redis.call('raw', ARGV[1]).map.a", {}, {"%1\r\n$1\r\na\r\n:7\r\n"}), ":7\r\n");
  EXPECT_EQ(run("return #redis.call('raw', ARGV[1])", {}, {"*2\r\n:1\r\n*-1\r\n"}), ":2\r\n");
  EXPECT_EQ(run("redis.call('set', 'n', 1e15) return redis.call('get', 'n')"), "$16\r\n1000000000000000\r\n");
}

TEST_F(Scripts, ErrorsSayWhere) {
  EXPECT_THAT(run("return redis.call('nope')"), StartsWith("-ERR Unknown Redis command called from script script: "));
  EXPECT_THAT(run("\n\nerror('boom')"), HasSubstr("user_script:3: boom script: "));
  EXPECT_EQ(run("return redis.pcall('nope').err"), "$44\r\nERR Unknown Redis command called from script\r\n");
  EXPECT_EQ(run("local ok, e = pcall(redis.call, 'nope') return e"),
            "$44\r\nERR Unknown Redis command called from script\r\n");
  EXPECT_THAT(run("return redis.call()"), HasSubstr("Please specify at least one argument for this redis lib call"));
  EXPECT_THAT(run("return redis.call('set', {})"), HasSubstr("must be strings or integers"));
  EXPECT_THAT(run("return ("), StartsWith("compile: Error compiling script (new function): user_script:1:"));
  EXPECT_EQ(run("return {err='a\\r\\nb'}"), "-a  b\r\n");
}

// CVE-2022-24735, CVE-2022-0543, CVE-2025-46818: nobody changes what others run with, nobody gets out.
TEST_F(Scripts, SandboxCannotBeChanged) {
  for (const char* code : {"redis.call = nil", "_G.x = 1", "x = 1", "string.rep = nil", "rawset(_G, 'x', 1)",
                           "rawset(redis, 'call', nil)", "setmetatable(_G, {})", "getmetatable(_G).__index = {}",
                           "getmetatable('').__index = {}", "table.insert(redis, 1)", "cjson.null = 1"}) {
    EXPECT_THAT(run(code), HasSubstr("Attempt to modify a readonly table")) << code;
  }
  EXPECT_THAT(run("return nothing"), HasSubstr("Script attempted to access nonexistent global variable 'nothing'"));
  for (const char* name :
       {"print", "dofile", "loadfile", "require", "os", "io", "debug", "package", "newproxy", "setfenv", "getfenv"}) {
    EXPECT_THAT(run("return " + std::string(name)), HasSubstr("nonexistent global variable")) << name;
  }
  EXPECT_EQ(run("return ('x'):rep(3)"), "$3\r\nxxx\r\n");
  EXPECT_EQ(run("local n = 0 for k in pairs(redis) do n = n + 1 end return n > 10"), ":1\r\n");
  EXPECT_EQ(run("return rawget(redis, 'call') ~= nil"), ":1\r\n");
}

TEST_F(Scripts, BytecodeAndBoundsAreRefused) {
  EXPECT_THAT(run("return loadstring(string.dump(function() end))"), Not(HasSubstr("user_script:1: function")));
  EXPECT_EQ(run("return loadstring(string.dump(function() end)) == nil"), ":1\r\n");
  EXPECT_EQ(run("return load(function() return nil end) ~= nil"), ":1\r\n");
  for (const char* code : {"return unpack({}, -2147483648, 2147483647)", "return unpack({}, 1, 1e9)"}) {
    EXPECT_THAT(run(code), HasSubstr("too many results to unpack")) << code;
  }
  EXPECT_THAT(run("local t = {} t[1] = t return t"), HasSubstr("reached lua stack limit"));
}

TEST_F(Scripts, KilledInsidePcall) {
  host.checks_max = 10;
  EXPECT_THAT(run("while 1 do pcall(function() while 1 do end end) end"),
              HasSubstr("Script killed by user with SCRIPT KILL"));
  host.checks_max = INT32_MAX;
  EXPECT_EQ(run("return 1"), ":1\r\n");
}

TEST_F(Scripts, Shebang) {
  EXPECT_EQ(read_shebang("#!lua flags=no-writes,allow-stale\nreturn 1")->flags, kNoWrites | kAllowStale);
  EXPECT_EQ(read_shebang("return 1")->flags, kUndeclared);
  EXPECT_EQ(read_shebang("#!lua").error(), "Invalid script shebang");
  EXPECT_EQ(read_shebang("#!python\n").error(), "Unexpected engine in script shebang: #!python");
  EXPECT_EQ(read_shebang("#!lua x=1\n").error(), "Unknown lua shebang option: x=1");
  EXPECT_EQ(read_shebang("#!lua flags=a\n").error(), "Unexpected flag in script shebang: a");
  EXPECT_THAT(run("#!lua\nerror('x')"), HasSubstr("user_script:2: x"));
}

TEST_F(Scripts, RedisTable) {
  run("redis.log(redis.LOG_WARNING, 'a', 1) redis.set_repl(redis.REPL_AOF)");
  EXPECT_EQ(host.logged, std::vector<std::string>{"a 1"});
  EXPECT_EQ(host.targets, kReplicateToFile);
  EXPECT_EQ(run("return redis.sha1hex('abc')"), "$40\r\na9993e364706816aba3e25717850c26c9cd0d89d\r\n");
  EXPECT_EQ(run("return {redis.acl_check_cmd('get', 'k'), redis.acl_check_cmd('set', 'k', 'v')}"),
            "*2\r\n:1\r\n$-1\r\n");
  EXPECT_EQ(run("return redis.error_reply('MY bad')"), "-MY bad\r\n");
  EXPECT_EQ(run("return redis.status_reply('good')"), "+good\r\n");
  EXPECT_EQ(run("return redis.REDIS_VERSION_NUM >= 459264"), ":1\r\n");
}

TEST_F(Scripts, Json) {
  EXPECT_EQ(run("return cjson.encode({1, 2, {a = '\"/\\n'}})"), "$20\r\n[1,2,{\"a\":\"\\\"\\/\\n\"}]\r\n");
  EXPECT_EQ(run("return cjson.encode({})"), "$2\r\n{}\r\n");
  EXPECT_EQ(run("local t = cjson.decode(ARGV[1]) return {t.a[2], t.b == cjson.null, t.c}", {},
                {R"({"a":[1,2],"b":null,"c":"\u00e9\ud83d\ude00"})"}),
            "*3\r\n:2\r\n:1\r\n$6\r\n\xc3\xa9\xf0\x9f\x98\x80\r\n");
  EXPECT_THAT(run("return cjson.decode('[1,')"), HasSubstr("Expected value but found T_END at character 4"));
  EXPECT_THAT(run("return cjson.decode('{a}')"),
              HasSubstr("Expected object key string but found invalid token at character 2"));
  EXPECT_THAT(run("return cjson.encode({[1]=1,[1000]=1})"), HasSubstr("excessively sparse array"));
  EXPECT_THAT(run("local t = {} t.t = t return cjson.encode(t)"), HasSubstr("excessive depth (1001)"));
  EXPECT_THAT(run("return cjson.decode(string.rep('[', 100000))"),
              HasSubstr("Found too many nested data structures (1001)"));
  EXPECT_THAT(run("return cjson.encode(0/0)"), HasSubstr("must not be NaN or Inf"));
}

TEST_F(Scripts, MessagePack) {
  EXPECT_EQ(run("return cmsgpack.pack({1, -1, 'a', true, 0.5, {b = 300}})"),
            std::string("$17\r\n\x96\x01\xff\xa1"
                        "a\xc3\xca\x3f\x00\x00\x00\x81\xa1"
                        "b\xcd\x01\x2c\r\n",
                        24));
  EXPECT_EQ(run("return cmsgpack.unpack(cmsgpack.pack({1, 'x', {2}}))"), "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n:2\r\n");
  EXPECT_EQ(run("local at, v = cmsgpack.unpack_one(cmsgpack.pack(1, 2)) return {at, v}"), "*2\r\n:1\r\n:1\r\n");
  for (const char* bad :
       {"'\\221'", "'\\217'", "'\\219\\255\\255\\255\\255'", "'\\193'", "string.rep('\\145', 100000)"}) {
    EXPECT_THAT(run(std::string("return cmsgpack.unpack(") + bad + ")"), StartsWith("-ERR")) << bad;
  }
}

TEST_F(Scripts, StructAndBit) {
  EXPECT_EQ(run("return struct.pack('>I2 <i4 s', 258, -2, 'ab')"), std::string("$9\r\n\x01\x02\xfe\xff\xff\xff"
                                                                               "ab\0\r\n",
                                                                               15));
  EXPECT_EQ(run("return {struct.unpack('>I2 <i4 s', struct.pack('>I2 <i4 s', 258, -2, 'ab'))}"),
            "*4\r\n:258\r\n:-2\r\n$2\r\nab\r\n:10\r\n");
  EXPECT_EQ(run("return struct.size('!8 b d')"), ":16\r\n");
  for (const char* bad :
       {"struct.unpack('I4', 'ab')", "struct.unpack('c0', 'x')", "struct.pack('i33', 1)", "struct.pack('!3 d', 1)",
        "struct.unpack('I1c0', '\\255')", "struct.pack('i99999999999', 1)"}) {
    EXPECT_THAT(run(std::string("return ") + bad), StartsWith("-ERR")) << bad;
  }
  EXPECT_EQ(run("return {bit.band(255, 15), bit.lshift(1, 31), bit.bnot(0), bit.rol(0x12345678, 0)}"),
            "*4\r\n:15\r\n:-2147483648\r\n:-1\r\n:305419896\r\n");
  EXPECT_EQ(run("return {bit.tohex(255, 4), bit.tohex(255, -2147483648)}"), "*2\r\n$4\r\n00ff\r\n$8\r\n000000FF\r\n");
}

TEST(Functions, LoadingIsAllOrNothing) {
  Libraries libraries;
  const std::string code =
      "#!lua name=one\nredis.register_function('f', function(keys, args) return {keys[1], args[1]} end)";
  EXPECT_EQ(libraries.load(code, false).value(), "one");
  EXPECT_EQ(libraries.load(code, false).error(), "Library 'one' already exists");
  EXPECT_EQ(libraries.load("#!lua name=two\nredis.register_function('f', function() end)", false).error(),
            "Function f already exists");
  EXPECT_EQ(libraries.load("#!lua name=two\nreturn 1", false).error(), "No functions registered");
  EXPECT_EQ(libraries.load("return 1", false).error(), "Missing library metadata");
  EXPECT_EQ(libraries.load("#!lua name=a-b\n", false).error().substr(0, 13), "Library names");
  EXPECT_THAT(libraries.load("#!lua name=two\nredis.call('get', 'x')", false).error(),
              HasSubstr("Script attempted to access nonexistent global variable 'call'"));
  EXPECT_THAT(libraries.load("#!lua name=two\nwhile true do end", false).error(), HasSubstr("FUNCTION LOAD timeout"));
  EXPECT_EQ(libraries.all().size(), 1u);
  FakeHost host;
  OutQueue out;
  command::Reply reply(out, 2);
  const std::string_view keys[] = {"k"};
  const std::string_view args[] = {"a"};
  libraries.run(*libraries.find("f"), keys, args, host, reply);
  EXPECT_EQ(out.to_string(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
}

TEST(Functions, RestoreByPolicy) {
  Libraries libraries;
  const std::string one =
      "#!lua name=one\nredis.register_function{function_name='f', callback=function() return 1 end, "
      "flags={'no-writes'}}";
  const std::string other = "#!lua name=one\nredis.register_function('g', function() return 2 end)";
  const std::string broken = "#!lua name=two\n(";
  ASSERT_TRUE(libraries.load(one, false).has_value());
  EXPECT_EQ(libraries.find("f")->flags, kNoWrites);
  using Policy = Libraries::Policy;
  EXPECT_EQ(libraries.restore(std::vector{other}, Policy::kAppend), "Library one already exists");
  EXPECT_NE(libraries.restore(std::vector{other, broken}, Policy::kFlush), "");
  EXPECT_NE(libraries.find("f"), nullptr);
  EXPECT_EQ(libraries.restore(std::vector{other}, Policy::kReplace), "");
  EXPECT_EQ(libraries.find("f"), nullptr);
  EXPECT_NE(libraries.find("g"), nullptr);
  EXPECT_EQ(libraries.restore(std::vector{one}, Policy::kFlush), "");
  EXPECT_EQ(libraries.function_count(), 1u);
}

}  // namespace
}  // namespace holdfast::script
