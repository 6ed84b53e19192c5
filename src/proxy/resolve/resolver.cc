#include "proxy/resolve/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace holdfast::proxy {
namespace {

constexpr size_t kRecordLeast = 6;  // bytes: the bound on the answers of a message of a given size

NameStatus status_of(codec::DnsVerdict verdict) {
  using codec::DnsVerdict;
  switch (verdict) {
    case DnsVerdict::kValid:
      return NameStatus::kValid;
    case DnsVerdict::kInvalid:
    case DnsVerdict::kQuestionCount:
    case DnsVerdict::kWrongName:
      return NameStatus::kInvalid;
    case DnsVerdict::kNoSuchName:
      return NameStatus::kNoSuchName;
    case DnsVerdict::kRefused:
      return NameStatus::kRefused;
    case DnsVerdict::kOtherError:
    case DnsVerdict::kNoAnswer:
    case DnsVerdict::kBadAlias:
    case DnsVerdict::kTruncated:
      return NameStatus::kOther;
  }
  return NameStatus::kOther;
}

int64_t NameserverCounters::* counter_of(codec::DnsVerdict verdict) {
  using codec::DnsVerdict;
  switch (verdict) {
    case DnsVerdict::kValid:
      return &NameserverCounters::valid;
    case DnsVerdict::kInvalid:
    case DnsVerdict::kQuestionCount:
    case DnsVerdict::kWrongName:
      return &NameserverCounters::invalid;
    case DnsVerdict::kNoSuchName:
      return &NameserverCounters::no_such_name;
    case DnsVerdict::kRefused:
      return &NameserverCounters::refused;
    case DnsVerdict::kOtherError:
      return &NameserverCounters::other;
    case DnsVerdict::kNoAnswer:
      return &NameserverCounters::empty;
    case DnsVerdict::kBadAlias:
      return &NameserverCounters::alias_errors;
    case DnsVerdict::kTruncated:
      return &NameserverCounters::truncated;
  }
  return &NameserverCounters::other;
}

}  // namespace

Resolver::Resolver(Runtime& runtime) : runtime_(runtime) {
  for (const ResolversConfig& section : runtime.config.resolvers) counters_.emplace_back(section.nameservers.size());
}

const ResolversConfig& Resolver::section_of(const Resolution& resolution) const {
  return runtime_.config.resolvers[resolution.section];
}

uint32_t Resolver::join(uint32_t section, const std::string& labels, codec::DnsType preferred,
                        const NameRequester& requester) {
  for (uint32_t i = 0; i < resolutions_.size(); ++i) {
    Resolution& other = resolutions_[i];
    if (!other.used || other.section != section || other.preferred != preferred || other.labels != labels) continue;
    other.requesters.push_back(requester);
    return i;
  }
  if (free_.empty()) {
    resolutions_.emplace_back();
    free_.push_back(static_cast<uint32_t>(resolutions_.size() - 1));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Resolution& fresh = resolutions_[index];
  const uint32_t generation = fresh.generation + 1;
  fresh = Resolution{};
  fresh.generation = generation;
  fresh.used = true;
  fresh.section = section;
  fresh.labels = labels;
  fresh.preferred = fresh.type = preferred;
  fresh.last_valid = runtime_.now.mono;
  fresh.requesters.push_back(requester);
  arm(index);
  return index;
}

void Resolver::leave(uint32_t index, const NameRequester& requester) {
  Resolution& resolution = resolutions_[index];
  HF_ASSERT(resolution.used);
  std::erase(resolution.requesters, requester);
  if (!requester.srv) resolution.answers.release(requester.server);
  if (!resolution.requesters.empty()) return;
  drop_questions(index);
  resolution.used = resolution.running = false;
  resolution.answers.clear();
  ++resolution.generation;
  free_.push_back(index);
}

Mono Resolver::due(const Resolution& resolution) const {
  const ResolversConfig& section = section_of(resolution);
  if (resolution.running) return resolution.last_query + section.retry;
  return resolution.ended ? *resolution.ended + section.resolve : runtime_.now.mono;
}

void Resolver::arm(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  if (!resolution.used || runtime_.stopping) return;
  runtime_.timers.arm(TimerKind::kName, index, resolution.generation, due(resolution), &resolution.queued_until);
}

void Resolver::timer(uint32_t index, uint32_t generation) {
  Resolution& resolution = resolutions_[index];
  if (!resolution.used || resolution.generation != generation || runtime_.stopping) return;
  resolution.queued_until = kNever;
  if (due(resolution) > runtime_.now.mono) return arm(index);
  if (resolution.running) {
    retry(index);
  } else {
    begin(index);
  }
}

void Resolver::begin(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  drop_questions(index);
  resolution.id = static_cast<uint16_t>(runtime_.random.below(65536));
  resolution.running = true;
  resolution.type = resolution.preferred;
  resolution.tries = section_of(resolution).retries - 1;
  send(index);
}

void Resolver::send(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  resolution.asked = resolution.answered = 0;
  resolution.last_query = runtime_.now.mono;
  const size_t nameservers = section_of(resolution).nameservers.size();
  for (uint32_t i = 0; i < nameservers; ++i) ask(index, i);
  arm(index);
}

void Resolver::ask(uint32_t index, uint32_t nameserver) {
  Resolution& resolution = resolutions_[index];
  const ResolversConfig& section = section_of(resolution);
  const NameserverConfig& target = section.nameservers[nameserver];
  // A nameserver slower than `timeout retry` may still answer an earlier try; only so many are waited for.
  if (resolution.questions.size() >= kQuestionsMax) drop_question(resolution.questions.front());
  if (free_questions_.empty()) {
    questions_.emplace_back();
    free_questions_.push_back(static_cast<uint32_t>(questions_.size() - 1));
  }
  const uint32_t number = free_questions_.back();
  free_questions_.pop_back();
  Question& question = questions_[number];
  question.resolution = index;
  question.generation = resolution.generation;
  question.nameserver = nameserver;
  question.id = resolution.id;
  question.conn = runtime_.open(ConnKind::kName, number);
  resolution.questions.push_back(number);
  const std::string message =
      codec::encode_dns_question(resolution.id, resolution.labels, resolution.type, section.payload_size);
  if (target.stream) {
    question.out.append(std::string{static_cast<char>(message.size() >> 8), static_cast<char>(message.size() & 255)});
  }
  question.out.append(message);
  ++resolution.asked;
  ++counters_[resolution.section][nameserver].sent;
  action::Connect connect{.conn = question.conn, .to = target.address, .source = {}, .tcp_keepalive = false};
  connect.datagram = !target.stream;
  runtime_.act(std::move(connect));
}

void Resolver::connected(ConnSlot slot) {
  Question& question = questions_[slot.owner];
  if (!question.out.empty()) runtime_.act(action::Flush{question.conn});
}

void Resolver::receive(ConnSlot slot, std::string_view bytes) {
  Question& question = questions_[slot.owner];
  const Resolution& resolution = resolutions_[question.resolution];
  const NameserverConfig& nameserver = section_of(resolution).nameservers[question.nameserver];
  if (!nameserver.stream) return message(slot.owner, bytes);
  question.input.append(bytes);
  if (question.input.size() < 2) return;
  const size_t length = static_cast<size_t>(static_cast<unsigned char>(question.input[0])) << 8 |
                        static_cast<unsigned char>(question.input[1]);
  if (question.input.size() < 2 + length) return;
  const std::string whole = question.input.substr(2, length);
  question.input.clear();
  message(slot.owner, whole);
}

void Resolver::message(uint32_t number, std::string_view bytes) {
  const Question& question = questions_[number];
  const uint32_t index = question.resolution;
  Resolution& resolution = resolutions_[index];
  const ResolversConfig& section = section_of(resolution);
  NameserverCounters& counters = counters_[resolution.section][question.nameserver];
  if (bytes.size() > section.payload_size) {
    ++counters.too_big;
    return;
  }
  const auto id = codec::dns_message_id(bytes);
  if (!id) {
    ++counters.invalid;
    return;
  }
  if (!resolution.running || *id != question.id || *id != resolution.id) {
    ++counters.outdated;
    if (*id == question.id) drop_question(number);
    return;
  }
  const uint32_t nameserver = question.nameserver;
  const size_t most = (section.payload_size - codec::kDnsHeaderSize) / kRecordLeast;
  const codec::DnsReply reply = codec::parse_dns_reply(bytes, resolution.labels, most);
  drop_question(number);
  conclude(index, nameserver, reply);
}

void Resolver::conclude(uint32_t index, uint32_t nameserver, const codec::DnsReply& reply) {
  Resolution& resolution = resolutions_[index];
  ++resolution.answered;
  resolution.status = status_of(reply.verdict);
  ++(counters_[resolution.section][nameserver].*counter_of(reply.verdict));
  if (reply.verdict == codec::DnsVerdict::kValid) return succeed(index, nameserver, reply);
  if (resolution.answered < resolution.asked) return;  // another nameserver may know better
  if (resolution.preferred != resolution.type) {
    if (resolution.tries <= 0) fail(index);
    return;
  }
  if (fall_back(resolution)) send(index);
}

bool Resolver::fall_back(Resolution& resolution) {
  if (resolution.preferred == codec::DnsType::kA) {
    resolution.type = codec::DnsType::kAaaa;
  } else if (resolution.preferred == codec::DnsType::kAaaa) {
    resolution.type = codec::DnsType::kA;
  } else {
    return false;
  }
  return true;
}

/// `timeout retry` is over.
void Resolver::retry(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  if (resolution.tries <= 0) {
    if (resolution.answered == 0) resolution.status = NameStatus::kTimeout;
    return fail(index);
  }
  if (resolution.answered == 0 || resolution.preferred != resolution.type) {
    resolution.type = resolution.preferred;
    --resolution.tries;
  } else if (!fall_back(resolution)) {
    --resolution.tries;
  }
  send(index);
}

void Resolver::succeed(uint32_t index, uint32_t nameserver, const codec::DnsReply& reply) {
  Resolution& resolution = resolutions_[index];
  const uint32_t generation = resolution.generation;
  const ResolversConfig& section = section_of(resolution);
  NameserverCounters& counters = counters_[resolution.section][nameserver];
  resolution.answers.merge(reply, runtime_.now.mono);
  listener_->records_expired(resolution.answers.expire(section.hold.obsolete, runtime_.now.mono));
  resolution.last_valid = runtime_.now.mono;
  const std::vector<NameRequester> requesters = resolution.requesters;
  for (const NameRequester& requester : requesters) {
    if (requester.srv) listener_->services_seen(requester.request, resolution.answers);
  }
  // COMPAT: the first requester has it from the nameserver, the others from the cache.
  std::string updater = fmt::format("{}/{}", section.name, section.nameservers[nameserver].name);
  bool first = true;
  for (const NameRequester& requester : requesters) {
    const bool changed = !requester.srv && listener_->addresses_seen(requester.server, resolution.answers,
                                                                     std::exchange(updater, "DNS cache"));
    if (first && changed) ++counters.updates;
    first = false;
  }
  if (resolution.used && resolution.generation == generation) finish(index);
}

void Resolver::fail(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  const uint32_t generation = resolution.generation;
  bool holds = false;
  const std::vector<NameRequester> requesters = resolution.requesters;
  for (const NameRequester& requester : requesters) {
    holds =
        listener_->resolution_failed(requester, resolution.status, resolution.last_valid, resolution.answers) || holds;
  }
  if (!resolution.used || resolution.generation != generation) return;
  if (!holds) resolution.answers.clear();
  finish(index);
}

void Resolver::finish(uint32_t index) {
  Resolution& resolution = resolutions_[index];
  resolution.running = false;
  resolution.tries = 0;
  resolution.type = resolution.preferred;
  resolution.ended = runtime_.now.mono;
  arm(index);
}

void Resolver::forget(uint32_t number) {
  Question& question = questions_[number];
  std::erase(resolutions_[question.resolution].questions, number);
  question = Question{};
  free_questions_.push_back(number);
}

void Resolver::drop_question(uint32_t number) {
  Question& question = questions_[number];
  runtime_.close(question.conn, action::CloseMode::kNow, std::move(question.out));
  forget(number);
}

void Resolver::drop_questions(uint32_t index) {
  while (!resolutions_[index].questions.empty()) drop_question(resolutions_[index].questions.back());
}

void Resolver::eof(ConnSlot slot) { drop_question(slot.owner); }

void Resolver::closed(ConnSlot slot, const Closed& why) {
  const Question& question = questions_[slot.owner];
  if (why.reason != CloseReason::kEof) {
    ++counters_[resolutions_[question.resolution].section][question.nameserver].send_errors;
  }
  runtime_.forget(question.conn);
  forget(slot.owner);
}

void Resolver::stop() {
  for (uint32_t i = 0; i < resolutions_.size(); ++i) drop_questions(i);
}

}  // namespace holdfast::proxy
