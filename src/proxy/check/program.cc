#include "proxy/check/program.h"

namespace holdfast::proxy {

CheckProgram finish_tcp_check(const CheckProgram& lines) {
  CheckProgram program = lines;
  program.rules.clear();
  // A comment stands before the rules it explains: every rule without one of its own, up to one of another kind.
  std::string pending;
  CheckRule::Kind pending_kind = CheckRule::Kind::kComment;  // kComment = no rule followed yet
  bool connected = false;
  for (const CheckRule& line : lines.rules) {
    if (line.kind == CheckRule::Kind::kComment) {
      pending = line.comment;
      pending_kind = CheckRule::Kind::kComment;
      continue;
    }
    if (pending_kind == CheckRule::Kind::kComment) pending_kind = line.kind;
    if (pending_kind != line.kind) pending.clear();
    CheckRule rule = line;
    if (rule.comment.empty()) rule.comment = pending;
    if (!connected && rule.kind != CheckRule::Kind::kConnect) {
      program.rules.insert(program.rules.begin(), CheckRule{.kind = CheckRule::Kind::kConnect, .step = -1});
    }
    connected = true;
    program.rules.push_back(std::move(rule));
  }
  if (program.rules.empty()) program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kConnect, .step = -1});
  return program;
}

CheckProgram redis_check_program() {
  CheckProgram program;
  program.generated = true;
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kConnect, .step = -1});
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kSend, .step = 0, .data = "*1\r\n$4\r\nPING\r\n"});
  program.rules.push_back(CheckRule{.kind = CheckRule::Kind::kExpect,
                                    .step = 1,
                                    .data = "+PONG\r\n",
                                    .match = MatchKind::kString,
                                    .error_status = CheckStatus::kL7Status,
                                    .on_success = "Redis server is ok",
                                    .error_from = 0,
                                    .pattern_text = "+PONG\r\n"});
  return program;
}

}  // namespace holdfast::proxy
