#include "repl/replica_link.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "codec/resp/encode.h"

namespace holdfast::repl {
namespace {

constexpr size_t kMarkSize = 40;
constexpr size_t kLineMax = 64 * 1024;
constexpr int64_t kFactsMax = 1 << 20;

}  // namespace

void ReplicaLink::connected(OutQueue& out) {
  state_ = State::kPing;
  codec::append_request(out, {"PING"});
}

void ReplicaLink::feed(std::string_view bytes) {
  if (held_.empty()) {
    current_ = bytes;
    current_is_held_ = false;
  } else {
    held_.append(bytes);
    current_ = held_;
    current_is_held_ = true;
  }
}

/// What is not complete waits for more.
void ReplicaLink::keep_rest() {
  if (current_is_held_) {
    held_.erase(0, held_.size() - current_.size());
  } else {
    held_.assign(current_);
  }
  current_ = {};
}

/// A line without CRLF (or LF, which primaries send as keep-alive). Nullopt: not all of it is here yet.
std::optional<std::string_view> ReplicaLink::take_line() {
  const size_t end = current_.find('\n');
  if (end == std::string_view::npos) {
    keep_rest();
    return std::nullopt;
  }
  std::string_view line = current_.substr(0, end);
  current_.remove_prefix(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

ReplicaLink::Step ReplicaLink::fail(std::string text) {
  state_ = State::kFailed;
  current_ = {};
  held_.clear();
  return {.kind = Step::Kind::kFailed, .text = std::move(text)};
}

ReplicaLink::Step ReplicaLink::next(OutQueue& out) {
  if (state_ == State::kFailed) return {};
  if (state_ == State::kStream) {
    Step step;
    if (current_.empty()) {
      held_.clear();
      return step;
    }
    step.kind = Step::Kind::kStream;
    step.bytes = current_;
    current_ = {};
    return step;
  }
  if (state_ == State::kPayload) return mark_.empty() ? take_payload() : take_marked_payload();
  while (true) {
    if (state_ == State::kFacts) return take_facts();
    const auto line = take_line();
    if (!line) return held_.size() > kLineMax ? fail("a reply line is too long") : Step{};
    if (line->empty()) continue;  // keep-alive
    if (state_ == State::kPayloadHeader) return on_payload_header(*line);
    if (state_ == State::kPsync) return on_psync_line(*line);
    Step step = on_handshake_line(*line, out);
    if (step.kind != Step::Kind::kNeedMore) return step;
  }
}

void ReplicaLink::send_psync(OutQueue& out) {
  state_ = State::kPsync;
  const std::string offset = std::to_string(options_.offset);
  options_.failover ? codec::append_request(out, {"PSYNC", options_.replication_id, offset, "FAILOVER"})
                    : codec::append_request(out, {"PSYNC", options_.replication_id, offset});
}

/// Moves to the next word of the handshake and sends it.
void ReplicaLink::send_next(OutQueue& out) {
  switch (state_) {
    case State::kPing:
      state_ = State::kAuth;
      if (!options_.password.empty()) {
        options_.user.empty() ? codec::append_request(out, {"AUTH", options_.password})
                              : codec::append_request(out, {"AUTH", options_.user, options_.password});
        return;
      }
      [[fallthrough]];
    case State::kAuth:
      state_ = State::kPort;
      codec::append_request(out, {"REPLCONF", "listening-port", std::to_string(options_.announced_port)});
      return;
    case State::kPort:
      state_ = State::kIp;
      if (!options_.announced_ip.empty()) {
        codec::append_request(out, {"REPLCONF", "ip-address", options_.announced_ip});
        return;
      }
      [[fallthrough]];
    case State::kIp:
      state_ = State::kCapa;
      // Primaries pass over capabilities they do not know.
      options_.ordered ? codec::append_request(out, {"REPLCONF", "capa", "eof", "capa", "psync2", "capa", kOrderedCapa})
                       : codec::append_request(out, {"REPLCONF", "capa", "eof", "capa", "psync2"});
      return;
    case State::kCapa:
      if (!options_.ask_facts) return send_psync(out);
      state_ = State::kFacts;
      codec::append_request(out, {"INFO"});
      return;
    case State::kFacts:
    case State::kPsync:
    case State::kPayloadHeader:
    case State::kPayload:
    case State::kStream:
    case State::kFailed:
      return;
  }
}

ReplicaLink::Step ReplicaLink::on_handshake_line(std::string_view line, OutQueue& out) {
  const bool error = line[0] == '-';
  if (state_ == State::kPing) {
    // A primary that wants a password or permission first is alive all the same.
    const bool alive = line[0] == '+' || line.starts_with("-NOAUTH") || line.starts_with("-NOPERM") ||
                       line.starts_with("-ERR operation not permitted");
    if (!alive) return fail(fmt::format("Error reply to PING from master: '{}'", line));
    send_next(out);
    return {.kind = Step::Kind::kNotice, .text = "Master replied to PING, replication can continue..."};
  }
  if (state_ == State::kAuth && error) return fail(fmt::format("Unable to AUTH to MASTER: {}", line));
  Step step;
  if (error) {
    step.kind = Step::Kind::kNotice;
    const std::string_view what = state_ == State::kPort ? "listening-port"
                                  : state_ == State::kIp ? "ip-address"
                                                         : "capa";
    step.text = fmt::format("(Non critical) Master does not understand REPLCONF {}: {}", what, line);
  }
  send_next(out);
  return step;
}

/// INFO's bulk string, or an error instead of it.
ReplicaLink::Step ReplicaLink::take_facts() {
  if (payload_left_ < 0) {
    const auto line = take_line();
    if (!line) return held_.size() > kLineMax ? fail("a reply line is too long") : Step{};
    const auto size = line->starts_with('$') ? parse_int64(line->substr(1)) : std::nullopt;
    if (!size) return {.kind = Step::Kind::kFacts};
    if (*size < 0 || *size > kFactsMax) return fail(fmt::format("Bad length of INFO from master: {}", *line));
    payload_left_ = *size + 2;  // with CRLF
  }
  const auto wanted = static_cast<size_t>(payload_left_);
  if (current_.size() < wanted) {
    keep_rest();
    return {};
  }
  Step step;
  step.kind = Step::Kind::kFacts;
  step.text = current_.substr(0, wanted - 2);
  current_.remove_prefix(wanted);
  payload_left_ = -1;
  return step;
}

ReplicaLink::Step ReplicaLink::on_psync_line(std::string_view line) {
  Step step;
  if (line.starts_with("+FULLRESYNC")) {
    const auto words = split(line, ' ');
    const auto offset = words.size() == 3 ? parse_int64(words[2]) : std::nullopt;
    if (!offset || words[1].size() != kMarkSize) {
      return fail(fmt::format("Master replied with wrong +FULLRESYNC syntax: {}", line));
    }
    state_ = State::kPayloadHeader;
    step.kind = Step::Kind::kFullResync;
    step.id = words[1];
    step.offset = *offset;
    return step;
  }
  if (line.starts_with("+CONTINUE")) {
    const auto words = split(line, ' ');
    state_ = State::kStream;
    step.kind = Step::Kind::kContinue;
    if (words.size() >= 2 && words[1].size() == kMarkSize) step.id = words[1];
    return step;
  }
  if (line.starts_with("-NOMASTERLINK") || line.starts_with("-LOADING")) {
    state_ = State::kFailed;
    step.kind = Step::Kind::kRetryLater;
    step.text = fmt::format("Master is currently unable to PSYNC but should be in the future: {}", line);
    return step;
  }
  return fail(fmt::format("Unexpected reply to PSYNC from master: {}", line));
}

ReplicaLink::Step ReplicaLink::on_payload_header(std::string_view line) {
  if (line[0] == '-') return fail(fmt::format("MASTER aborted replication with an error: {}", line.substr(1)));
  if (line[0] != '$') {
    return fail(
        fmt::format("Bad protocol from MASTER, the first byte is not '$' (we received '{}'), are you sure the host and "
                    "port are right?",
                    line));
  }
  if (line.starts_with("$EOF:") && line.size() == 5 + kMarkSize) {
    mark_ = line.substr(5);
    payload_left_ = payload_size_ = -1;
  } else {
    const auto size = parse_int64(line.substr(1));
    if (!size || *size < 0) return fail(fmt::format("Bad payload length from MASTER: {}", line));
    mark_.clear();
    payload_left_ = payload_size_ = *size;
  }
  state_ = State::kPayload;
  Step step;
  step.kind = Step::Kind::kNotice;
  step.text = mark_.empty()
                  ? fmt::format("MASTER <-> REPLICA sync: receiving {} bytes from master to parser", payload_size_)
                  : "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser";
  return step;
}

ReplicaLink::Step ReplicaLink::take_payload() {
  Step step;
  if (payload_left_ == 0) {
    state_ = State::kStream;
    step.kind = Step::Kind::kPayloadFinished;
    return step;
  }
  if (current_.empty()) {
    held_.clear();
    return step;
  }
  step.kind = Step::Kind::kPayload;
  step.bytes =
      current_.substr(0, static_cast<size_t>(std::min<int64_t>(payload_left_, static_cast<int64_t>(current_.size()))));
  current_.remove_prefix(step.bytes.size());
  payload_left_ -= static_cast<int64_t>(step.bytes.size());
  return step;
}

ReplicaLink::Step ReplicaLink::take_marked_payload() {
  // The end mark may be split between chunks: as many last bytes as a mark has are held back until more arrive.
  Step step;
  const size_t at = current_.find(mark_);
  if (at == 0) {
    current_.remove_prefix(kMarkSize);
    state_ = State::kStream;
    step.kind = Step::Kind::kPayloadFinished;
    return step;
  }
  const size_t ready = at != std::string_view::npos  ? at
                       : current_.size() > kMarkSize ? current_.size() - kMarkSize
                                                     : 0;
  if (ready == 0) {
    std::string rest(current_);
    held_ = std::move(rest);
    current_ = {};
    return step;
  }
  step.kind = Step::Kind::kPayload;
  step.bytes = current_.substr(0, ready);
  current_.remove_prefix(ready);
  return step;
}

}  // namespace holdfast::repl
