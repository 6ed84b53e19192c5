#include "proxy/check/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"
#include "proxy/check/protocol_match.h"
#include "proxy/check/redis_role.h"

namespace holdfast::proxy {
namespace {

constexpr size_t kMysqlVersionAt = 5;  // behind the packet's header and the protocol's number
constexpr size_t kInfoMax = 127;

std::string hex_of(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

/// Null where the rule has no pattern; patterns were compiled once already when their line was parsed.
std::unique_ptr<Regex> compiled(bool wanted, const std::string& pattern) {
  if (!wanted) return nullptr;
  auto regex = Regex::compile(pattern);
  HF_ASSERT(regex.has_value());
  return std::make_unique<Regex>(std::move(*regex));
}

bool has_regex(const CheckRule& rule) {
  return rule.match == MatchKind::kRegex || rule.match == MatchKind::kBinaryRegex ||
         rule.match == MatchKind::kHttpStatusRegex || rule.match == MatchKind::kHttpBodyRegex ||
         (rule.match == MatchKind::kHttpHeader && rule.value_match == TextMatch::kRegex);
}

}  // namespace

CompiledCheck::CompiledCheck(CheckProgram program) : program_(std::move(program)) {
  for (const CheckRule& rule : program_.rules) {
    const bool expects = rule.kind == CheckRule::Kind::kExpect;
    regexes_.push_back(compiled(expects && has_regex(rule), rule.data));
    const bool by_name = rule.match == MatchKind::kHttpHeader && rule.name_match == TextMatch::kRegex;
    name_regexes_.push_back(compiled(expects && by_name, rule.header_name));
  }
}

CheckStep CheckEvaluator::start() {
  HF_ASSERT(!started_ && !check_->program().rules.empty());
  started_ = true;
  const CheckRule& rule = check_->program().rules[0];
  HF_ASSERT(rule.kind == CheckRule::Kind::kConnect);
  return {CheckStep::Want::kConnect, &rule, {}};
}

CheckStep CheckEvaluator::next() {
  const auto& rules = check_->program().rules;
  ++at_;
  if (at_ >= rules.size()) {
    at_ = rules.size() - 1;
    return finish_ok();
  }
  const CheckRule& rule = rules[at_];
  switch (rule.kind) {
    case CheckRule::Kind::kConnect:
      buffer_.clear();
      last_read_ = false;
      return {CheckStep::Want::kConnect, &rule, {}};
    case CheckRule::Kind::kSend:
      buffer_.clear();
      awaits_reply_ = check_->program().conclude_on_reply && is_redis_command(rule.data);
      asked_role_ = awaits_reply_ && is_role_question(rule.data);
      return {CheckStep::Want::kSend, &rule, {}};
    case CheckRule::Kind::kExpect:
      return evaluate();
    case CheckRule::Kind::kComment:
      break;
  }
  HF_UNREACHABLE();
}

CheckStep CheckEvaluator::received(std::string_view bytes) {
  buffer_.append(bytes.substr(0, kBufferMax - buffer_.size()));
  if (check_->program().rules[at_].kind != CheckRule::Kind::kExpect) return {CheckStep::Want::kReceive, nullptr, {}};
  return evaluate();
}

CheckStep CheckEvaluator::ended() {
  last_read_ = true;
  if (check_->program().rules[at_].kind != CheckRule::Kind::kExpect) return {CheckStep::Want::kReceive, nullptr, {}};
  return evaluate();
}

CheckStep CheckEvaluator::evaluate() {
  const CheckRule& rule = check_->program().rules[at_];
  const CheckStep wait{CheckStep::Want::kReceive, &rule, {}};
  const bool last = last_read_ || buffer_.size() >= kBufferMax;
  if (is_protocol_match(rule.match) && !(last && buffer_.empty())) return evaluate_protocol(rule, last);
  if (!last) {
    const bool fixed = rule.match == MatchKind::kString || rule.match == MatchKind::kBinary;
    const bool too_short = fixed && buffer_.size() < rule.data.size() && !(awaits_reply_ && is_complete_reply(buffer_));
    if (buffer_.empty() || too_short) return wait;
    if (rule.min_recv > 0 && buffer_.size() < static_cast<size_t>(rule.min_recv)) return wait;
  } else if (buffer_.empty()) {
    std::string text = fmt::format("TCPCHK got an empty response at step {}", rule.step + 1);
    if (!rule.comment.empty()) text += fmt::format(" comment: '{}'", rule.comment);
    return done(rule.error_status, std::move(text));
  }
  const bool matched = matches(rule);
  const bool may_match_later = !last && !(awaits_reply_ && is_complete_reply(buffer_));
  if (!matched && !rule.negated && may_match_later && rule.min_recv == -1) return wait;
  if (rule.code_from_payload) code_ = std::atoi(buffer_.substr(0, 3).c_str());
  if (matched == rule.negated) return mismatch(rule);
  return next();
}

CheckStep CheckEvaluator::evaluate_protocol(const CheckRule& rule, bool last) {
  const bool stoppable = server_up_ && check_->program().disable_on_404;
  const ProtocolVerdict verdict = match_protocol(rule, {.bytes = buffer_,
                                                        .last = last,
                                                        .regex = check_->regex(at_),
                                                        .name_regex = check_->name_regex(at_),
                                                        .accepts_404 = stoppable});
  switch (verdict.kind) {
    case ProtocolVerdict::Kind::kWait:
      return {CheckStep::Want::kReceive, &rule, {}};
    case ProtocolVerdict::Kind::kPass:
      code_ = verdict.code;
      protocol_status_ = verdict.status;
      return next();
    case ProtocolVerdict::Kind::kFail:
      break;
  }
  code_ = verdict.code;
  std::string text = verdict.info;
  if (!rule.comment.empty()) text += fmt::format(" comment: {}", rule.comment);
  return done(verdict.status, std::move(text));
}

/// What was received from `offset` on, without blanks in front, up to the end of its line.
std::string CheckEvaluator::payload_from(int offset) const {
  std::string_view rest = std::string_view(buffer_).substr(std::min(buffer_.size(), static_cast<size_t>(offset)));
  if (offset > 0) rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

bool CheckEvaluator::matches(const CheckRule& rule) const {
  switch (rule.match) {
    case MatchKind::kString:
    case MatchKind::kBinary:
      return buffer_.find(rule.data) != std::string::npos;
    case MatchKind::kRegex:
      return check_->regex(at_)->matches(buffer_);
    case MatchKind::kBinaryRegex:
      return check_->regex(at_)->matches(hex_of(buffer_));
    default:
      HF_UNREACHABLE();
  }
  return false;
}

CheckStep CheckEvaluator::mismatch(const CheckRule& rule) const {
  std::string text;
  if (!rule.on_error.empty()) {
    text = rule.on_error;
  } else if (rule.error_from >= 0) {
    text = payload_from(rule.error_from);
  } else if (check_->program().generated) {
    text.clear();  // a protocol's own check says no more than its status
  } else {
    text = rule.negated ? "TCPCHK matched unwanted content" : "TCPCHK did not match content";
    switch (rule.match) {
      case MatchKind::kString:
        text += fmt::format(" '{}'", rule.pattern_text);
        break;
      case MatchKind::kBinary:
        text += " (binary)";
        break;
      case MatchKind::kRegex:
        text += " (regex)";
        break;
      case MatchKind::kBinaryRegex:
        text += " (binary regex)";
        break;
      default:
        break;
    }
    text += fmt::format(" at step {}", rule.step + 1);
  }
  if (!rule.comment.empty()) text += fmt::format(" comment: {}", rule.comment);
  CheckStep step = done(rule.error_status, std::move(text));
  // An error reply (-LOADING, -BUSY, -NOAUTH) says nothing about the role.
  step.outcome.other_role = asked_role_ && !buffer_.starts_with('-') && is_complete_reply(buffer_);
  return step;
}

CheckStep CheckEvaluator::finish_ok() const {
  const CheckProgram& program = check_->program();
  const CheckRule& rule = program.rules.back();
  switch (rule.kind) {
    case CheckRule::Kind::kExpect:
      if (rule.success_from >= 0) return done(rule.ok_status, payload_from(rule.success_from));
      if (is_protocol_match(rule.match)) {
        const bool own = protocol_status_ == CheckStatus::kUnknown;
        const bool mysql = rule.match == MatchKind::kMysqlGreeting || rule.match == MatchKind::kMysqlOk;
        // The server's version stands at the beginning of its greeting.
        const std::string info = mysql ? buffer_.substr(std::min(buffer_.size(), kMysqlVersionAt)) : rule.on_success;
        return done(own ? rule.ok_status : protocol_status_, info);
      }
      return done(rule.ok_status, rule.on_success.empty() ? program.success_info : rule.on_success);
    case CheckRule::Kind::kConnect:
      return done(secure_ ? CheckStatus::kL6Ok : CheckStatus::kL4Ok, rule.step < 0 ? "" : program.success_info);
    case CheckRule::Kind::kSend:
      return done(CheckStatus::kL7Ok, program.success_info);
    case CheckRule::Kind::kComment:
      break;
  }
  HF_UNREACHABLE();
}

std::string CheckEvaluator::place() const {
  const CheckProgram& program = check_->program();
  if (program.generated) return "";
  const CheckRule& rule = program.rules[at_];
  if (rule.step < 0) return " at initial connection step of tcp-check";
  std::string text = fmt::format(" at step {} of tcp-check", rule.step + 1);
  switch (rule.kind) {
    case CheckRule::Kind::kConnect:
      text += rule.port ? fmt::format(" (connect port {})", *rule.port) : " (connect)";
      break;
    case CheckRule::Kind::kSend:
      text += " (send)";
      break;
    case CheckRule::Kind::kExpect:
      switch (rule.match) {
        case MatchKind::kString:
          text += fmt::format(" (expect string '{}')", rule.pattern_text);
          break;
        case MatchKind::kBinary:
          text += fmt::format(" (expect binary '{}')", rule.pattern_text);
          break;
        case MatchKind::kRegex:
          text += " (expect regex)";
          break;
        case MatchKind::kBinaryRegex:
          text += " (expect binary regex)";
          break;
        default:
          text += " (expect HTTP)";
          break;
      }
      break;
    case CheckRule::Kind::kComment:
      break;
  }
  if (!rule.comment.empty()) text += fmt::format(" comment: '{}'", rule.comment);
  return text;
}

CheckStep CheckEvaluator::failed(std::string_view error, bool was_connected) {
  return done(was_connected ? CheckStatus::kSocketError : CheckStatus::kL4Connection,
              fmt::format("{}{}", error, place()));
}

CheckStep CheckEvaluator::handshake_failed() {
  return done(CheckStatus::kL6Response, "SSL handshake failure" + place());
}
CheckStep CheckEvaluator::handshake_timed_out() { return done(CheckStatus::kL6Timeout, place()); }

CheckStep CheckEvaluator::timed_out(bool was_connected) {
  const CheckRule& rule = check_->program().rules[at_];
  if (!was_connected) return done(CheckStatus::kL4Timeout, place());
  const bool expecting = rule.kind == CheckRule::Kind::kExpect;
  return done(expecting ? rule.timeout_status : CheckStatus::kL7Timeout, place());
}

CheckStep CheckEvaluator::done(CheckStatus status, std::string info) const {
  info.resize(std::min({info.size(), info.find('\0'), kInfoMax}));  // COMPAT: a text ends at a NUL
  return {CheckStep::Want::kDone, nullptr, {.status = status, .code = code_, .info = std::move(info)}};
}

}  // namespace holdfast::proxy
