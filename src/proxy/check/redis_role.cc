#include "proxy/check/redis_role.h"

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
