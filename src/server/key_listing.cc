#include "server/key_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"
#include "server/accounting.h"
#include "server/engine.h"

namespace holdfast::server {

using family::Session;

namespace {
constexpr size_t kAtOnceMax = 20'000;  // keys: a millisecond or two
constexpr size_t kPerTurn = 4'000;
constexpr size_t kHeadBytes = 24;

/// Without copying, where nothing waits to be sent before it.
void move_to_end(OutQueue& out, OutQueue&& bytes) {
  if (out.empty()) {
    out = std::move(bytes);
    return;
  }
  std::string_view piece;
  while (bytes.peek({&piece, 1}) == 1) {
    out.append(piece);
    bytes.consume(piece.size());
  }
}
}  // namespace

bool KeyListing::begin(family::Context& context) {
  const bool can_wait = !context.in_transaction && !context.session.in_script && !context.state.loading &&
                        context.session.role == family::Role::kNormal;
  if (!can_wait || context.db().size() <= kAtOnceMax) return false;
  requests_.push_back(
      {context.session.id, context.session.db, std::string(context.argv[1]), context.session.last_command});
  context.session.blocked = true;
  context.runs_again = true;  // counted when it is answered
  if (requests_.size() == 1) start(context.now);
  return true;
}

void KeyListing::start(Now now) {
  const Request& request = requests_.front();
  HF_ASSERT(names_.empty() && !walk_);
  found_ = 0;
  head_ = names_.reserve(kHeadBytes);
  names_.commit(kHeadBytes);
  at_ms_ = unix_ms(now.wall);
  store::KeyWalk::Reader& reader = *this;
  walk_ = std::make_unique<store::KeyWalk>(engine_.state_.data->db(static_cast<size_t>(request.db)).keys(), reader);
}

void KeyListing::see(const store::Entry& entry) {
  const std::string_view pattern = requests_.front().pattern;
  if (entry.is_expired(at_ms_) || (pattern != "*" && !glob_match(pattern, entry.key()))) return;
  ++found_;
  codec::append_bulk(names_, entry.key());
}

void KeyListing::work(Now now) {
  HF_ASSERT(running());
  Session* const session = engine_.clients_.find_by_id(requests_.front().client);
  HF_ASSERT(session != nullptr);
  if (!walk_) start(now);
  const int64_t began_ns = clock_ns(engine_.state_);
  const bool complete = walk_->step(kPerTurn);
  session->spent_ns += clock_ns(engine_.state_) - began_ns;
  // A reply that would be thrown away is not made any longer: the end of the turn closes its client.
  const size_t limit = engine_.state_.settings.output_limit_normal.hard_bytes;
  if (complete || (limit > 0 && names_.size() > limit)) answer(now);
}

void KeyListing::answer(Now now) {
  const Request request = std::move(requests_.front());
  requests_.pop_front();
  walk_.reset();
  OutQueue reply = std::move(names_);
  const std::string head = fmt::format("*{}\r\n", found_);
  std::memcpy(head_ + kHeadBytes - head.size(), head.data(), head.size());
  reply.consume(kHeadBytes - head.size());
  Session& session = *engine_.clients_.find_by_id(request.client);
  const std::array<std::string_view, 2> words = {"KEYS", request.pattern};
  ++session.commands;
  count_run(engine_.state_, session, request.spec, words, false, now);
  engine_.unblock(request.client, [&](command::Reply&) { move_to_end(engine_.output_of(session), std::move(reply)); });
}

void KeyListing::session_gone(family::ClientId client) {
  if (requests_.empty()) return;
  if (requests_.front().client == client) {
    walk_.reset();
    names_.clear();
  }
  std::erase_if(requests_, [&](const Request& request) { return request.client == client; });
}

void KeyListing::data_goes() {
  walk_.reset();
  names_.clear();
}

}  // namespace holdfast::server
