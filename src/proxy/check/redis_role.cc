#include "proxy/check/redis_role.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "codec/resp/reply.h"
#include "codec/resp/request.h"
#include "command/catalogue.h"

namespace holdfast::proxy {
namespace {

/// The catalogue's row for what is sent, or kNoSpec; exactly one request, nothing behind it.
command::SpecIndex command_of(std::string_view sent) {
  codec::RequestParser parser;
  if (parser.parse(sent, {}) != codec::RequestParser::Status::kRequest) return command::kNoSpec;
  if (parser.args().empty() || parser.consumed() != sent.size()) return command::kNoSpec;
  return command::find_command(parser.args()[0]);
}

}  // namespace

CheckProgram redis_primary_program() {
  CheckProgram program;
  program.generated = true;
  program.success_info = "Redis server is primary";
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kConnect, .step = -1});
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kSend, .step = 0, .data = "*1\r\n$4\r\nROLE\r\n"});
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kExpect,
                                    .step = 1,
                                    .data = "*3\r\n$6\r\nmaster\r\n",
                                    .match = MatchKind::kString,
                                    .error_status = CheckStatus::kL7Status,
                                    .on_error = "Redis server is not primary"});
  return program;
}

void authenticate(CheckProgram& program, const RedisAuth& auth) {
  std::string request = auth.user.empty() ? "*2\r\n$4\r\nAUTH\r\n" : "*3\r\n$4\r\nAUTH\r\n";
  for (const std::string& word : {auth.user, auth.password}) {
    if (!word.empty()) request += fmt::format("${}\r\n{}\r\n", word.size(), word);
  }
  std::vector<CheckRule> rules;
  for (CheckRule& rule : program.rules) {
    const bool connects = rule.kind == CheckRule::Kind::kConnect;
    rules.push_back(std::move(rule));
    if (!connects) continue;
    rules.push_back(CheckRule{.kind = CheckRule::Kind::kSend, .step = -1, .data = request});
    rules.push_back(CheckRule{.kind = CheckRule::Kind::kExpect,
                              .step = -1,
                              .data = "+OK\r\n",
                              .match = MatchKind::kString,
                              .min_recv = 0,
                              .error_status = CheckStatus::kL7Status,
                              .error_from = 0});
  }
  program.rules = std::move(rules);
}

bool is_redis_command(std::string_view sent) { return command_of(sent) != command::kNoSpec; }

bool is_complete_reply(std::string_view received) {
  codec::ReplyFramer framer;
  return framer.scan(received) == codec::ReplyFramer::Status::kComplete && framer.length() == received.size();
}

bool is_role_question(std::string_view sent) {
  const command::SpecIndex command = command_of(sent);
  if (command == command::kNoSpec) return false;
  const std::string_view name = command::spec_at(command).name;
  return name == "info" || name == "role";
}

bool asks_redis_role(const CheckProgram& program) {
  for (size_t i = 0; i + 1 < program.rules.size(); ++i) {
    const CheckRule& rule = program.rules[i];
    if (rule.kind != CheckRule::Kind::kSend || program.rules[i + 1].kind != CheckRule::Kind::kExpect) continue;
    if (is_role_question(rule.data)) return true;
  }
  return false;
}

}  // namespace holdfast::proxy
