// Context: everything one execution of a command may touch.
//
// A handler reads argv, works on the store, writes exactly one reply (or leaves it to a later event, see Services), and
// says what changed: `dirty` counts changes as rdb_changes_since_last_save does. A changed dataset is propagated as the
// command itself unless replace_effect() or drop_effect() said otherwise.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "command/args.h"
#include "command/reply.h"
#include "command/spec.h"
#include "family/services.h"
#include "family/session.h"
#include "family/state.h"
#include "store/keyspace.h"

namespace holdfast::family {

/// Classes of keyspace events; the bits of notify-keyspace-events, the letters are its flags.
enum NotifyClass : uint32_t {
  kNotifyKeyspace = 1u << 0,   // K
  kNotifyKeyevent = 1u << 1,   // E
  kNotifyGeneric = 1u << 2,    // g
  kNotifyString = 1u << 3,     // $
  kNotifyList = 1u << 4,       // l
  kNotifySet = 1u << 5,        // s
  kNotifyHash = 1u << 6,       // h
  kNotifySortedSet = 1u << 7,  // z
  kNotifyExpired = 1u << 8,    // x
  kNotifyEvicted = 1u << 9,    // e
  kNotifyStream = 1u << 10,    // t
  kNotifyKeyMiss = 1u << 11,   // m
  kNotifyModule = 1u << 12,    // d
  kNotifyNew = 1u << 13,       // n
};

struct Context {
  Context(State& state_in, Services& services_in, Session& session_in, const command::Spec& spec_in,
          std::span<const std::string_view> argv_in, command::Reply& reply_in, Now now_in)
      : state(state_in),
        services(services_in),
        session(session_in),
        spec(spec_in),
        argv(argv_in),
        reply(reply_in),
        now(now_in) {}

  State& state;
  Services& services;
  Session& session;
  const command::Spec& spec;
  std::span<const std::string_view> argv;
  command::Reply& reply;
  Now now;

  uint64_t dirty = 0;
  /// Set by Services::wait_for_keys: this run is not counted, the command runs again when it is served.
  bool runs_again = false;
  /// Out of EXEC's queue.
  bool in_transaction = false;
  /// Whether anybody keeps effects; where not, costly ones need not be told (replace_effect does no harm).
  bool propagating = true;
  /// The error answered is in the statistics already: a command inside a script made it.
  bool error_counted = false;

  store::Keyspace& db() const { return state.data->db(static_cast<size_t>(session.db)); }
  store::Key key(std::string_view bytes) const { return state.data->key(bytes); }
  int64_t now_ms() const { return unix_ms(now.wall); }
  command::Args args(size_t first = 1) const { return command::Args(argv, first); }

  /// Propagate these words instead of the command itself; several calls propagate several commands.
  void replace_effect(std::initializer_list<std::string_view> words);
  void replace_effect(std::vector<std::string> words);
  void drop_effect() { effects_replaced_ = true; }
  bool effects_replaced() const { return effects_replaced_; }
  std::vector<std::vector<std::string>>& effects() { return effects_; }

  /// To be called for every key whose value or existence changed (key_changed in lookup.h).
  void modified(std::string_view key_bytes) const;
  /// Publishes a keyspace event if its class is enabled.
  void notify(NotifyClass event_class, std::string_view event, std::string_view key_bytes) const;

 private:
  bool effects_replaced_ = false;
  std::vector<std::vector<std::string>> effects_;
};

using Handler = void (*)(Context&);

/// A handler and the command it serves: `get`, or `config|get` for a subcommand.
struct Binding {
  std::string_view name;
  Handler handler;
};

}  // namespace holdfast::family
