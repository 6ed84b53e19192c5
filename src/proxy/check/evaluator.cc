#include "proxy/check/evaluator.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "proxy/check/redis_role.h"

namespace holdfast::proxy {
namespace {

constexpr size_t kInfoMax = 127;

std::string hex_of(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string first_line(std::string_view bytes) { return std::string(bytes.substr(0, bytes.find_first_of("\r\n"))); }

}  // namespace

CompiledCheck::CompiledCheck(CheckProgram program) : program_(std::move(program)) {
  for (const CheckRule& rule : program_.rules) {
    regexes_.emplace_back();
    if (rule.kind != CheckRule::Kind::kExpect) continue;
    if (rule.match != MatchKind::kRegex && rule.match != MatchKind::kBinaryRegex) continue;
    auto regex = Regex::compile(rule.data);
    HF_ASSERT(regex.has_value());  // compiled once already when the line was parsed
    regexes_.back() = std::make_unique<Regex>(std::move(*regex));
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
  if (matched == rule.negated) return mismatch(rule);
  return next();
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
  }
  return false;
}

CheckStep CheckEvaluator::mismatch(const CheckRule& rule) const {
  std::string text;
  if (!rule.on_error.empty()) {
    text = rule.on_error;
  } else if (rule.report_payload) {
    text = first_line(buffer_);
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
      return done(rule.ok_status, rule.on_success.empty() ? program.success_info : rule.on_success);
    case CheckRule::Kind::kConnect:
      return done(CheckStatus::kL4Ok, rule.step < 0 ? "" : program.success_info);
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

CheckStep CheckEvaluator::timed_out(bool was_connected) {
  const CheckRule& rule = check_->program().rules[at_];
  if (!was_connected) return done(CheckStatus::kL4Timeout, place());
  const bool expecting = rule.kind == CheckRule::Kind::kExpect;
  return done(expecting ? rule.timeout_status : CheckStatus::kL7Timeout, place());
}

CheckStep CheckEvaluator::done(CheckStatus status, std::string info) const {
  if (info.size() > kInfoMax) info.resize(kInfoMax);
  return {CheckStep::Want::kDone, nullptr, {.status = status, .info = std::move(info)}};
}

}  // namespace holdfast::proxy
