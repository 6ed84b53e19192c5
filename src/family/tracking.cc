#include "family/tracking.h"

#include <algorithm>

#include "base/assert.h"
#include "base/prng.h"
#include "command/key_finder.h"
#include "command/reply.h"
#include "family/scripting.h"
#include "family/services.h"
#include "family/state.h"

namespace holdfast::family {
namespace {

constexpr size_t kGivenUpPerRequest = 100;
constexpr std::string_view kChannel = "__redis__:invalidate";

/// What a message says has changed: a key, several (protocol already), or all.
struct Changed {
  std::optional<std::string_view> key;
  std::string_view protocol;
};

void write_changed(command::Reply& reply, const Changed& changed) {
  if (!changed.key) return reply.raw(changed.protocol);
  reply.array(1);
  reply.bulk(*changed.key);
}

/// To `session` or to whom it redirects; a client of RESP2 that has no subscription cannot be told.
void tell(State& state, Services& services, Session& session, const Changed& changed) {
  Session* target = &session;
  TrackingMode& mode = *session.tracking;
  if (mode.redirect != 0) {
    target = services.find_session(mode.redirect);
    if (target == nullptr) {
      mode.broken_redirect = true;
      if (session.protocol < 3) return;
      command::Reply reply(services.output_of(session), session.protocol);
      reply.push(2);
      reply.bulk("tracking-redir-broken");
      return reply.integer(static_cast<int64_t>(mode.redirect));
    }
  }
  const bool subscribed = mode.redirect != 0 && subscriptions_of(state, target->id) > 0;
  if (target->protocol < 3 && !subscribed) return;
  command::Reply reply(services.output_of(*target), target->protocol);
  if (target->protocol >= 3) {
    reply.push(2);
    reply.bulk("invalidate");
  } else {
    reply.push(3);
    reply.bulk("message");
    reply.bulk(kChannel);
  }
  write_changed(reply, changed);
}

/// COMPAT: in the protocol of the client that tracks, also when another one is told.
Changed all_keys(const Session& session) {
  return {.key = {}, .protocol = session.protocol == 2 ? "$-1\r\n" : "_\r\n"};
}

bool is_client(command::SpecIndex index) { return command::spec_at(index).parent == "client"; }

std::string list_of(const std::map<std::string, ClientId, std::less<>>& changed, ClientId but_of) {
  size_t count = 0;
  std::string keys;
  for (const auto& [key, writer] : changed) {
    if (but_of != 0 && writer == but_of) continue;
    ++count;
    keys += '$' + std::to_string(key.size()) + "\r\n" + key + "\r\n";
  }
  return count == 0 ? std::string() : '*' + std::to_string(count) + "\r\n" + keys;
}

void tell_readers(State& state, Services& services, std::string_view key) {
  Tracking& tracking = state.tracking;
  for (const ClientId id : tracking.read_keys->take(key)) {
    Session* session = services.find_session(id);
    if (session == nullptr || !session->tracking || session->tracking->broadcast) continue;
    const bool current = id == tracking.current;
    if (current && session->tracking->no_loop) continue;
    if (current && tracking.in_handler) {
      tracking.waiting.emplace_back(key);
    } else {
      tell(state, services, *session, {.key = key, .protocol = {}});
    }
  }
}

}  // namespace

void ReadKeys::remember(std::string_view key, ClientId reader) {
  auto at = readers_.find(key);
  if (at == readers_.end()) {
    at = readers_.emplace(std::string(key), Row{{}, names_.size()}).first;
    names_.push_back(&at->first);
  }
  std::vector<ClientId>& readers = at->second.readers;
  const auto place = std::lower_bound(readers.begin(), readers.end(), reader);
  if (place != readers.end() && *place == reader) return;
  readers.insert(place, reader);
  ++items_;
}

std::vector<ClientId> ReadKeys::take(std::string_view key) {
  const auto at = readers_.find(key);
  if (at == readers_.end()) return {};
  std::vector<ClientId> readers = std::move(at->second.readers);
  const size_t place = at->second.place;
  names_[place] = names_.back();
  readers_.find(*names_[place])->second.place = place;
  names_.pop_back();
  readers_.erase(at);
  items_ -= readers.size();
  return readers;
}

const std::string& ReadKeys::pick(Prng& prng) const { return *names_[prng.below(names_.size())]; }

void ReadKeys::clear() {
  readers_.clear();
  names_.clear();
  items_ = 0;
}

void ReadKeys::check_invariants() const {
  HF_ASSERT(names_.size() == readers_.size());
  size_t items = 0;
  for (const auto& [key, row] : readers_) {
    HF_ASSERT(names_[row.place] == &key && !row.readers.empty());
    HF_ASSERT(std::is_sorted(row.readers.begin(), row.readers.end()));
    items += row.readers.size();
  }
  HF_ASSERT(items == items_);
}

void Tracking::check_invariants() const {
  if (read_keys) read_keys->check_invariants();
  for (const auto& [prefix, row] : prefixes) HF_ASSERT(!row.clients.empty() && row.clients.size() <= clients);
  HF_ASSERT(waiting.empty() || current != 0);
}

CurrentClient::CurrentClient(Tracking& tracking, ClientId id) : tracking_(tracking), before_(tracking.current) {
  tracking_.current = id;
}
CurrentClient::~CurrentClient() { tracking_.current = before_; }

void tracking_off(State& state, Session& session) {
  if (!session.tracking) return;
  for (const std::string& prefix : session.tracking->prefixes) {
    const auto at = state.tracking.prefixes.find(prefix);
    at->second.clients.erase(session.id);
    if (at->second.clients.empty()) state.tracking.prefixes.erase(at);
  }
  session.tracking.reset();
  --state.tracking.clients;
}

void remember_read_keys(State& state, Services& services, const command::Spec& spec,
                        std::span<const std::string_view> words) {
  if (!spec.is(command::kReadonly) || spec.is(command::kPubsub) || runs_script(spec)) return;
  const Session* session = services.find_session(state.tracking.current);
  if (session == nullptr || !session->tracking || session->tracking->broadcast) return;
  const TrackingMode& mode = *session->tracking;
  if ((mode.opt_in && !mode.caching) || (mode.opt_out && mode.caching)) return;
  const auto keys = command::find_keys(spec, words);
  if (!keys) return;
  for (const command::KeyAt& at : *keys) state.tracking.read_keys->remember(words[at.position], session->id);
}

void tell_changed_key(State& state, Services& services, std::string_view key, ClientId writer) {
  Tracking& tracking = state.tracking;
  for (auto& [prefix, row] : tracking.prefixes) {
    if (key.starts_with(prefix)) row.changed.insert_or_assign(std::string(key), writer);
  }
  if (tracking.read_keys) tell_readers(state, services, key);
}

void tell_all_changed(State& state, Services& services) {
  Tracking& tracking = state.tracking;
  if (tracking.clients > 0) {
    services.visit_sessions([&](Session& session) {
      if (!session.tracking) return;
      if (session.id == tracking.current && tracking.in_handler) {
        tracking.waiting.emplace_back();
      } else {
        tell(state, services, session, all_keys(session));
      }
    });
  }
  if (tracking.read_keys) tracking.read_keys->clear();
}

void end_tracked_request(State& state, Services& services, Session& session) {
  Tracking& tracking = state.tracking;
  if (tracking.in_handler) return;  // a script of another client was left in the middle: what waits is for that one
  for (const auto& key : std::exchange(tracking.waiting, {})) {
    if (!session.tracking || session.closing) break;  // it has switched tracking off in the same transaction
    tell(state, services, session, key ? Changed{.key = *key, .protocol = {}} : all_keys(session));
  }
  if (!session.tracking || session.transaction.open) return;
  const bool client_command = session.last_command != command::kNoSpec && is_client(session.last_command);
  if (!client_command) session.tracking->caching = false;
}

void tell_prefixes(State& state, Services& services) {
  for (auto& [prefix, row] : state.tracking.prefixes) {
    if (row.changed.empty()) continue;
    const auto changed = std::exchange(row.changed, {});
    const std::string for_all = list_of(changed, 0);
    for (const ClientId id : row.clients) {
      Session* session = services.find_session(id);
      HF_ASSERT(session != nullptr && session->tracking);
      const std::string list = session->tracking->no_loop ? list_of(changed, id) : for_all;
      if (!list.empty()) tell(state, services, *session, {.key = {}, .protocol = list});
    }
  }
}

void bound_read_keys(State& state, Services& services) {
  Tracking& tracking = state.tracking;
  const auto bound = static_cast<size_t>(state.settings.tracking_table_max_keys);
  if (bound == 0 || !tracking.read_keys || tracking.read_keys->keys() <= bound) {
    tracking.over_bound = 0;
    return;
  }
  for (size_t i = 0; i < kGivenUpPerRequest * (tracking.over_bound + 1); ++i) {
    const std::string key = tracking.read_keys->pick(state.prng);
    tell_readers(state, services, key);
    if (tracking.read_keys->keys() <= bound) return;
  }
  ++tracking.over_bound;
}

}  // namespace holdfast::family
