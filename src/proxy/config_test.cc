#include "proxy/config_parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/command_line.h"

namespace holdfast::proxy {
namespace {

using ::testing::HasSubstr;

class FakeNames final : public NameLookup {
 public:
  std::vector<std::string> lookup(const std::string& host) override {
    if (host == "localhost") return {"127.0.0.1"};
    return {};
  }
};

ParseOutcome parse(const std::string& text) {
  FakeNames names;
  ParseOptions options;
  options.names = &names;
  return parse_config({{"t.cfg", text}}, options);
}
std::string said(const ParseOutcome& outcome) {
  std::string all;
  for (const auto& item : outcome.diagnostics.items()) all += item.text + "\n";
  return all;
}

std::string article(const std::string& line_end) {
  return "defaults REDIS\nmode tcp\ntimeout connect 3s\ntimeout server 6s\ntimeout client 6s\n"
         "frontend ft_redis\nbind *:6378 name redis\ndefault_backend bk_redis\n"
         "backend bk_redis\noption tcp-check\ntcp-check connect\ntcp-check send PING" +
         line_end + "\ntcp-check expect string +PONG\ntcp-check send info\\ replication" + line_end +
         "\ntcp-check expect string role:master\ntcp-check send QUIT" + line_end +
         "\ntcp-check expect string +OK\nserver redis_6379 localhost:6379 check inter 1s\n"
         "server redis_6380 localhost:6380 check inter 1s\n";
}

TEST(Config, TheArticleAsMeant) {
  const ParseOutcome outcome = parse(article("\\r\\n"));
  EXPECT_EQ(outcome.exit_code, 0) << said(outcome);
  EXPECT_EQ(said(outcome), "");
  const auto& proxies = outcome.config.proxies;
  ASSERT_EQ(proxies.size(), 2u);
  EXPECT_EQ(proxies[0].id, 2u);
  EXPECT_EQ(proxies[0].timeouts.client, 6s);
  EXPECT_EQ(proxies[0].binds.at(0).address.host, "*");
  EXPECT_EQ(proxies[0].binds.at(0).address.port, 6378);
  EXPECT_EQ(proxies[1].servers.at(1).address.host, "127.0.0.1");
  EXPECT_EQ(proxies[1].servers.at(1).check.inter, 1s);
  EXPECT_EQ(proxies[1].check_program.rules.at(3).data, "info replication\r\n");
}

TEST(Config, TheArticleAsPrintedParsesToo) {
  const ParseOutcome outcome = parse(article("\\\\r\\\\n"));
  EXPECT_EQ(outcome.exit_code, 0) << said(outcome);
  EXPECT_EQ(outcome.config.proxies.at(1).check_program.rules.at(1).data, "PING\\r\\n");
}

TEST(Config, ReportsEveryErrorOfAFileWithItsLine) {
  const ParseOutcome outcome = parse(
      "global\n bogus 1\ndefaults\n timeout foo 3\n timeout client 1x\nfrontend f\n bind 127.0.0.1\n default_backend\n"
      "backend b\n server a 1.2.3.4:5 weight 300\n server a\n option foo\n");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(said(outcome),
            "config : parsing [t.cfg:2] : unknown keyword 'bogus' in 'global' section\n"
            "config : parsing [t.cfg:4] : 'timeout' supports 'client', 'server', 'connect', 'check', 'queue', "
            "'http-keep-alive', 'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got 'foo')\n"
            "config : parsing [t.cfg:5] : unexpected character 'x' in 'timeout client'\n"
            "config : parsing [t.cfg:7] : 'bind' : missing port specification in '127.0.0.1'\n"
            "config : parsing [t.cfg:8] : 'default_backend' expects a backend name.\n"
            "config : [t.cfg:10] : 'server b/a' : weight of server a is not within 0 and 256 (300)..\n"
            "config : [t.cfg:11] : 'server' expects <name> and <addr>[:<port>] as arguments.\n"
            "config : parsing [t.cfg:12] : unknown option 'foo'.\n"
            "config : Error(s) found in configuration file : t.cfg\n"
            "config : Fatal errors found in configuration.\n");
}

TEST(Config, ReferencesAndResolution) {
  EXPECT_THAT(said(parse("frontend f\n bind :1\n timeout client 1\n default_backend xx\n")),
              HasSubstr("Proxy 'f': unable to find required default_backend: 'xx'."));
  const ParseOutcome unresolved =
      parse("listen l\n bind :1\n timeout client 1\n timeout connect 1\n timeout server 1\n server a foo.invalid:80\n");
  EXPECT_EQ(unresolved.exit_code, 1);
  EXPECT_THAT(said(unresolved),
              HasSubstr("config : [t.cfg:6] : 'server l/a' : could not resolve address 'foo.invalid'."));
}

TEST(Config, ExitCodesAndStartupReport) {
  const StartupReport none = startup_report(parse("backend b\n"), true, false, 7, "/x");
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_EQ(none.standard_output, "Configuration file has no error but will not start (no listener) => exit(2).\n");
  const StartupReport warned = startup_report(parse("listen l\n bind :1\n"), true, false, 7, "/x");
  EXPECT_EQ(warned.exit_code, 0);
  EXPECT_EQ(warned.standard_output, "Warnings were found.\nConfiguration file is valid\n");
  EXPECT_THAT(warned.standard_error,
              HasSubstr("[WARNING]  (7) : config : missing timeouts for proxy 'l'.\n   | While"));
  const ParseOutcome truncated = parse("listen l\n bind :1");
  EXPECT_EQ(truncated.exit_code, 1);
  EXPECT_THAT(said(truncated),
              HasSubstr("parsing [t.cfg:2]: Missing LF on last line, file might have been truncated at "
                        "position 9."));
}

TEST(Config, AnInheritedCheckIsReplacedNotExtended) {
  const ParseOutcome outcome = parse(
      "defaults\n option tcp-check\n tcp-check send a\n tcp-check expect string b\nlisten l\n bind :1\n"
      " timeout client 1\n tcp-check send c\nlisten m\n bind :2\n timeout client 1\n");
  ASSERT_EQ(outcome.exit_code, 0) << said(outcome);
  EXPECT_EQ(outcome.config.proxies.at(0).check_program.rules.size(), 2u);  // connect, send c
  EXPECT_EQ(outcome.config.proxies.at(1).check_program.rules.size(), 3u);  // connect, send a, expect b
}

TEST(Config, UnknownLogVariablesAreRefused) {
  const std::string head = "listen l\n bind :1\n log 127.0.0.1 local0\n timeout client 1\n log-format ";
  EXPECT_THAT(
      said(parse(head + "%foo\n")),
      HasSubstr("config : Parsing [t.cfg:5]: failed to parse log-format : no such format variable 'foo'. If you "
                "wanted to emit the '%' character verbatim, you need to use '%%'."));
  EXPECT_EQ(parse(head + "%ci:%cp\\ [%t]\\ %{+Q}b\\ 100%%\n").exit_code, 0);
}

TEST(Config, ExtensionsHideBehindAFeature) {
  const std::string tail = ".endif\nlisten l\n bind :1\n timeout client 1\n";
  EXPECT_EQ(parse(".if feature(NO_SUCH_THING)\nnonsense here\n" + tail).exit_code, 0);
  EXPECT_EQ(parse(".if feature(REDIS_AWARE)\nnonsense here\n" + tail).exit_code, 1);
}

TEST(CommandLine, TheUsualSwitches) {
  const auto result =
      parse_command_line({"-f", "a.cfg", "-c", "-db", "-n", "100", "-sf", "12", "13", "-dW", "--", "b.cfg"});
  ASSERT_FALSE(result.answer.has_value());
  EXPECT_THAT(result.command_line.config_paths, ::testing::ElementsAre("a.cfg", "b.cfg"));
  EXPECT_TRUE(result.command_line.check_only && result.command_line.foreground && result.command_line.zero_warning);
  EXPECT_EQ(result.command_line.maxconn, 100);
  EXPECT_THAT(result.command_line.finish_pids, ::testing::ElementsAre(12, 13));
  EXPECT_EQ(parse_command_line({}).answer->exit_code, 1);
  EXPECT_EQ(parse_command_line({"-zz"}).answer->exit_code, 1);
  EXPECT_EQ(parse_command_line({"-f"}).answer->exit_code, 1);
  EXPECT_TRUE(parse_command_line({"-v"}).answer->standard_output.starts_with("HAProxy version 3.4.0-holdfast "));
  EXPECT_THAT(parse_command_line({"-vv"}).answer->standard_output, HasSubstr("\n  TARGET  = linux-glibc\n"));
}

TEST(Config, LintsKnownTrapsWhenAsked) {
  const std::string text =
      "backend b\n option tcp-check\n tcp-check send PING\\\\r\\\\n\n tcp-check expect string 10.0.0.1\n"
      " tcp-check send ROLE\\r\\n\n tcp-check expect string master\n server s 127.0.0.1:1 check\n";
  auto said = [&](bool lint) {
    std::string all;
    ParseOptions options;
    options.diagnostic_mode = lint;
    const ParseOutcome outcome = parse_config({{"t.cfg", text}}, options);
    for (const auto& item : outcome.diagnostics.items()) all += item.text + "\n";
    return all;
  };
  EXPECT_EQ(said(false).find("step"), std::string::npos);
  EXPECT_NE(said(true).find("step 1 : the string ends in a literal \\r\\n"), std::string::npos);
  EXPECT_NE(said(true).find("step 2 : '10.0.0.1' is found inside longer addresses"), std::string::npos);
  EXPECT_NE(said(true).find("step 4 : 'master' is found in a replica's answer"), std::string::npos);
  EXPECT_NE(said(true).find("server 's' has no 'on-marked-down shutdown-sessions'"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::proxy
