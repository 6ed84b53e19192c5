#include "server/migration.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/text.h"
#include "codec/resp/encode.h"
#include "family/lookup.h"
#include "persist/dump.h"
#include "server/engine.h"

namespace holdfast::server {
namespace {

using family::Context;
using family::Session;

constexpr size_t kLineMax = 1024;  // of the target; longer ones come from no server we know
constexpr Duration kDefaultTimeout = 1s;
constexpr std::string_view kConnectError = "IOERR error or timeout connecting to the client";
constexpr std::string_view kWriteError = "IOERR error or timeout writing to target instance";
constexpr std::string_view kReadError = "IOERR error or timeout reading to target instance";

}  // namespace

bool Migration::parse(Context& context, Request& out) {
  const auto argv = context.argv;
  out.keys = {argv[3]};
  for (size_t i = 6; i < argv.size(); ++i) {
    const size_t more = argv.size() - 1 - i;
    if (equal_ignoring_case(argv[i], "copy")) {
      out.copy = true;
    } else if (equal_ignoring_case(argv[i], "replace")) {
      out.replace = true;
    } else if (equal_ignoring_case(argv[i], "auth") && more >= 1) {
      out.login = {"AUTH", argv[i + 1]};
      ++i;
    } else if (equal_ignoring_case(argv[i], "auth2") && more >= 2) {
      out.login = {"AUTH", argv[i + 1], argv[i + 2]};
      i += 2;
    } else if (equal_ignoring_case(argv[i], "keys")) {
      if (!argv[3].empty()) {
        context.reply.error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return false;
      }
      out.keys.assign(argv.begin() + static_cast<std::ptrdiff_t>(i) + 1, argv.end());
      break;
    } else {
      return context.reply.error(command::kSyntaxError), false;
    }
  }
  const auto timeout = parse_int64(argv[5]);
  const auto db = parse_int64(argv[4]);
  if (!timeout || !db) return context.reply.error(command::kNotAnInteger), false;
  constexpr int64_t kLongestMs = 1000LL * 3600 * 24;
  out.timeout = *timeout <= 0 ? kDefaultTimeout : from_ms(std::min(*timeout, kLongestMs));
  out.db = *db;
  out.host = argv[1];
  // COMPAT: a port that is no number is none, and cannot be reached.
  const auto port = parse_int64(argv[2]);
  out.port = port && *port > 0 && *port <= 65535 ? static_cast<uint16_t>(*port) : 0;
  return true;
}

/// False: none of the keys is there.
bool Migration::encode(Context& context, const Request& request, Run& run) const {
  if (!request.login.empty()) codec::append_request_words(run.commands, request.login);
  const std::string db = std::to_string(request.db);
  const bool select = request.db != -1;  // COMPAT: that is where it takes a new connection to be
  if (select) codec::append_request_words(run.commands, std::vector<std::string_view>{"SELECT", db});
  run.answers_before_keys = (request.login.empty() ? 0u : 1u) + (select ? 1u : 0u);
  for (const std::string_view name : request.keys) {
    const store::Entry* entry = family::lookup_read(context, context.key(name));
    if (entry == nullptr) continue;
    const int64_t left = entry->has_expiry() ? std::max<int64_t>(1, entry->expires_at_ms() - context.now_ms()) : 0;
    const std::string ttl = std::to_string(left);
    const std::string value = persist::dump(*entry);
    std::vector<std::string_view> words = {"RESTORE", name, ttl, value};
    if (request.replace) words.emplace_back("REPLACE");
    codec::append_request_words(run.commands, words);
    run.keys.emplace_back(name);
  }
  return !run.keys.empty();
}

void Migration::command(Context& context) {
  Request request;
  if (!parse(context, request)) return;
  if (context.in_transaction || context.session.in_script || context.session.role != family::Role::kNormal) {
    return context.reply.error("ERR MIGRATE has to wait for another server, which a transaction or a script cannot");
  }
  // It is a write: the pause of the first holds a second one back, but for a moment in which both are over.
  if (run_) return context.reply.error(kConnectError);
  Run run;
  run.client = context.session.id;
  run.target = {request.host, request.port, {}};
  run.timeout = request.timeout;
  run.db = context.session.db;
  run.copy = request.copy;
  if (!encode(context, request, run)) return context.reply.raw("+NOKEY\r\n");
  if (request.port == 0) return context.reply.error(kWriteError);
  run_ = std::move(run);
  context.session.blocked = true;
  wait_on(context.now);
  if (is_numeric_host(request.host)) return connect(request.host, context.now);
  run_->lookup = engine_.next_job();
  engine_.act(action::Resolve{*run_->lookup, request.host});
}

void Migration::wait_on(Now now) {
  run_->deadline = now.mono + run_->timeout;
  engine_.pause(Engine::PauseReason::kMigration, run_->deadline + run_->timeout, true);
}

bool Migration::resolved(JobId job, const std::vector<std::string>& addresses, Now now) {
  if (!run_ || run_->lookup != job) return false;
  run_->lookup.reset();
  addresses.empty() ? finish(kConnectError, now) : connect(addresses.front(), now);
  return true;
}

void Migration::connect(const std::string& address, Now now) {
  Session& link = engine_.clients_.open(now);
  link.role = family::Role::kTarget;
  link.authenticated = true;
  link.peer = run_->target;
  link.peer.host = address;
  run_->link = link.conn;
  engine_.act(action::Connect{.conn = link.conn, .to = link.peer});
}

void Migration::connected(Session& link, Now now) {
  if (!run_ || run_->link != link.conn) return;
  run_->connected = true;
  engine_.output_of(link).append(std::exchange(run_->commands, {}));
  wait_on(now);
}

void Migration::received(Session& link, std::string_view bytes, Now now) {
  if (!run_ || run_->link != link.conn) return;
  wait_on(now);
  run_->partial += bytes;
  size_t begin = 0;
  bool last = false;
  for (size_t end = 0; !last && (end = run_->partial.find("\r\n", begin)) != std::string::npos; begin = end + 2) {
    last = !answer(std::string_view(run_->partial).substr(begin, end - begin));
  }
  run_->partial.erase(0, begin);
  if (last) return finish({}, now);
  if (run_->partial.size() > kLineMax) finish(kReadError, now);
}

bool Migration::answer(std::string_view line) {
  Run& run = *run_;
  const bool refused = line.starts_with('-');
  if (refused && run.error.empty()) {
    run.error = fmt::format("ERR Target instance replied with error: {}", line.substr(1));
  }
  if (run.answers_before_keys > 0) {
    --run.answers_before_keys;
    run.turned_away |= refused;
    return true;
  }
  // COMPAT: after a failed AUTH or SELECT no answer counts; after a failed RESTORE those of other keys do.
  if (!refused && !run.turned_away) run.taken.push_back(run.keys[run.answered]);
  return ++run.answered < run.keys.size();
}

void Migration::closed(const Session& link, Closed why, Now now) {
  if (!run_ || run_->link != link.conn) return;
  // COMPAT: who refuses a connection is told of as one who cannot be written to.
  const std::string_view error = run_->connected                       ? kReadError
                                 : why.reason == CloseReason::kRefused ? kWriteError
                                                                       : kConnectError;
  run_->link = {};
  finish(error, now);
}

void Migration::work(Now now) {
  if (run_ && now.mono >= run_->deadline) finish(run_->connected ? kReadError : kConnectError, now);
}

void Migration::finish(std::string_view error, Now now) {
  Run run = std::move(*run_);
  run_.reset();
  if (Session* link = run.link ? engine_.clients_.find(run.link) : nullptr) {
    engine_.drop_session(*link, action::CloseMode::kNow, now);
  }
  if (!run.copy && !run.taken.empty()) delete_taken(run, now);
  engine_.unpause(Engine::PauseReason::kMigration);
  engine_.unblock(run.client, [&](command::Reply& reply) {
    if (!run.error.empty()) return reply.error(run.error);
    error.empty() ? reply.ok() : reply.error(error);
  });
  if (!engine_.paused(false)) engine_.release_paused(now);
}

void Migration::delete_taken(Run& run, Now now) {
  family::State& state = engine_.state_;
  if (state.replication.is_replica) return;  // somebody else's data by now
  std::vector<std::string> effect = {"DEL"};
  store::Keyspace& db = state.data->db(static_cast<size_t>(run.db));
  for (const std::string& name : run.taken) {
    if (!db.erase(state.data->key(name))) continue;
    family::key_changed(state, engine_, run.db, name, run.client);
    family::notify_event(state, engine_, run.db, family::kNotifyGeneric, "del", name);
    ++state.saving.changes_since_save;
    effect.push_back(name);
  }
  if (effect.size() > 1) engine_.propagate(run.db, std::move(effect));
  engine_.flush_effects(now);
}

}  // namespace holdfast::server
