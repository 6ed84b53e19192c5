#include "server/client_table.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "server/client_memory.h"

namespace holdfast::server {

using family::Session;

Session& ClientTable::open(Now now) {
  const ConnId conn = ids_.allocate();
  if (slots_.size() <= conn.index) slots_.resize(conn.index + 1);
  auto session = std::make_unique<Session>();
  session->id = next_id_++;
  session->conn = conn;
  session->created = session->last_interaction = now.mono;
  Session& out = *session;
  slots_[conn.index] = std::move(session);
  by_id_.emplace(out.id, &out);
  return out;
}

Session* ClientTable::find_by_id(family::ClientId id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

Session& ClientTable::at(ConnId conn) {
  HF_ASSERT(conn.index < slots_.size() && slots_[conn.index] && slots_[conn.index]->conn == conn);
  return *slots_[conn.index];
}

void ClientTable::close(Session& session) {
  HF_ASSERT(!session.closing);
  session.closing = true;
  by_id_.erase(session.id);
  closed_.push_back(session.conn);
}

void ClientTable::purge() {
  for (const ConnId conn : closed_) {
    slots_[conn.index].reset();
    ids_.release(conn);
  }
  closed_.clear();
}

void ClientTable::visit(store::FunctionRef<void(Session&)> visit) {
  // By id and not by iterator: the visitor may close sessions.
  for (auto at = by_id_.begin(); at != by_id_.end();) {
    const family::ClientId id = at->first;
    visit(*at->second);
    at = by_id_.upper_bound(id);
  }
}

void ClientTable::visit(store::FunctionRef<void(const Session&)> visit) const {
  for (const auto& [id, session] : by_id_) visit(*session);
}

namespace {

std::string local_name(const Session& session) {
  return session.local.is_unix() ? session.local.unix_path + ":0" : to_string(session.local);
}

}  // namespace

std::string client_line(const family::State& state, const Session& session, Now now) {
  std::string flags;
  const size_t subscriptions = family::subscriptions_of(state, session.id);
  if (session.monitor) flags += 'O';
  if (session.role == family::Role::kReplica) flags += 'S';
  if (session.role == family::Role::kPrimary) flags += 'M';
  if (subscriptions > 0) flags += 'P';
  if (session.transaction.open) flags += 'x';
  if (session.blocked) flags += 'b';
  if (session.tracking) flags += 't';
  if (session.tracking && session.tracking->broken_redirect) flags += 'R';
  if (session.tracking && session.tracking->broadcast) flags += 'B';
  if (session.transaction.dirty_watch) flags += 'd';
  if (session.close_after_reply) flags += 'c';
  if (session.local.is_unix()) flags += 'U';
  if (session.no_evict) flags += 'e';
  if (session.no_touch) flags += 'T';
  if (flags.empty()) flags = "N";
  const bool has_command = session.last_command != command::kNoSpec;
  const ClientMemory memory = memory_of(state, session);
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} qbuf={} "
      "qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user={} "
      "redir={} resp={} lib-name={} lib-ver={}",
      session.id, family::peer_name(session), local_name(session), session.conn.index + 8, session.name,
      to_ms(now.mono - session.created) / 1000, to_ms(now.mono - session.last_interaction) / 1000, flags, session.db,
      state.hub.channel_count_of(session.id), state.hub.pattern_count_of(session.id),
      state.shard_hub.channel_count_of(session.id),
      session.transaction.open ? static_cast<int64_t>(session.transaction.queue.size()) : -1, memory.input,
      memory.input_free, memory.arguments, memory.queue, ClientMemory::kFirstOutput, memory.first_output(),
      memory.first_output(), memory.output_blocks(), memory.more_output(), memory.total,
      memory.output == 0 ? "r" : "rw",
      has_command ? command::full_name(command::spec_at(session.last_command)) : "NULL",
      state.users.at(session.user).name(), session.tracking ? static_cast<int64_t>(session.tracking->redirect) : -1,
      session.protocol, session.lib_name, session.lib_version);
}

}  // namespace holdfast::server
