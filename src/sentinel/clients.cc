#include "sentinel/clients.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::sentinel {
namespace {

constexpr Duration kHttpWarningEvery = 60s;

bool is_http(std::string_view command) {
  return equal_ignoring_case(command, "post") || equal_ignoring_case(command, "host:");
}

constexpr std::string_view kDenied =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    "from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
    "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    "same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. "
    "Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by "
    "editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    "server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' "
    "option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above "
    "things in order for the server to start accepting connections from the outside.\r\n";

}  // namespace

bool Clients::refuse(ConnId conn, const Accepted& from) {
  std::string_view why;
  if (clients_.size() >= static_cast<size_t>(core_.settings.maxclients)) {
    why = "-ERR max number of clients reached\r\n";
  } else if (core_.settings.protected_mode && core_.users.default_is_open() && !is_loopback(from.peer)) {
    why = kDenied;
  }
  if (why.empty()) return false;
  ++stats_.connections_rejected;
  core_.connections.send(conn, why);
  core_.connections.close(conn, action::CloseMode::kFlush);
  return true;
}

ConnId Clients::accept(const Accepted& from) {
  const ConnId conn = core_.connections.open(Use::kClient, LinkId::kNone, true);
  ++stats_.connections_received;
  if (refuse(conn, from)) return conn;
  auto client = std::make_unique<Client>();
  client->conn = conn;
  client->id = ++last_id_;
  client->peer = to_string(from.peer);
  client->local = to_string(from.local);
  client->resp = core_.settings.client_default_resp;
  client->authenticated = core_.users.default_is_open();
  client->since = core_.now.mono;
  client->last_seen = core_.now.mono;
  by_conn_[conn] = client->id;
  clients_[client->id] = std::move(client);
  return conn;
}

Client* Clients::find(uint64_t id) {
  const auto at = clients_.find(id);
  return at == clients_.end() ? nullptr : at->second.get();
}

Client* Clients::find(ConnId conn) {
  const auto at = by_conn_.find(conn);
  return at == by_conn_.end() ? nullptr : find(at->second);
}

void Clients::closed(ConnId conn) {
  Client* client = find(conn);
  if (client == nullptr) return;
  const uint64_t id = client->id;
  hub_.forget(id);
  by_conn_.erase(conn);
  clients_.erase(id);
  core_.connections.forget(conn);
}

void Clients::close(Client& client, action::CloseMode mode) {
  client.closing = true;
  if (mode == action::CloseMode::kFlush && !client.held.empty()) return;  // closed when the last reply has left
  const ConnId conn = client.conn;
  hub_.forget(client.id);
  by_conn_.erase(conn);
  core_.connections.close(conn, mode);
  clients_.erase(client.id);
}

void Clients::receive(ConnId conn, std::string_view bytes) {
  Client* client = find(conn);
  if (client == nullptr || client->closing) return;
  stats_.bytes_in += static_cast<int64_t>(bytes.size());
  client->last_seen = core_.now.mono;
  client->in.feed(bytes);
  process(*client);
  client = find(conn);
  if (client != nullptr) client->in.finish();
}

void Clients::process(Client& client) {
  const uint64_t id = client.id;
  const ConnId conn = client.conn;
  while (true) {
    Client* still = find(conn);
    if (still == nullptr || still->closing || core_.exiting) return;
    codec::RequestLimits limits;
    limits.authenticated = still->authenticated;
    switch (still->in.next(limits)) {
      case codec::RequestParser::Status::kNeedMore:
        return;
      case codec::RequestParser::Status::kError:
        ++stats_.error_replies;
        {
          OutQueue out;
          command::Reply(out, still->resp).error("ERR " + still->in.error());
          emit(*still, out.to_string());
        }
        if (find(id) != nullptr) close(*still, action::CloseMode::kFlush);
        return;
      case codec::RequestParser::Status::kRequest:
        if (still->in.args().empty()) continue;
        if (is_http(still->in.args()[0])) return refuse_http(*still);
        if (still->waiting_for.empty()) {
          run(id, still->in.args());
        } else if (still->queued_commands.size() < 1024) {
          still->queued_commands.emplace_back(still->in.args().begin(), still->in.args().end());
        } else {
          return close(*still, action::CloseMode::kNow);
        }
    }
  }
}

/// A browser made to talk to us by a foreign page: what stands behind its headers must not be carried out.
void Clients::refuse_http(Client& client) {
  if (core_.now.mono >= next_http_warning_) {
    core_.log(
        LogLevel::kWarning,
        fmt::format(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. "
            "This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis "
            "instance. Connection from {} aborted.",
            client.peer));
    next_http_warning_ = core_.now.mono + kHttpWarningEvery;
  }
  close(client, action::CloseMode::kNow);
}

void Clients::run(uint64_t id, const std::vector<std::string_view>& args) {
  Client& client = *find(id);
  OutQueue out;
  const bool muted = client.replies == Client::Replies::kOff || client.replies == Client::Replies::kSkipThis;
  if (client.replies == Client::Replies::kSkipThis) client.replies = Client::Replies::kOn;
  CommandContext context{client, command::Reply(out, client.resp, muted)};
  const uint64_t before = core_.saver.requested();
  ++stats_.commands_processed;
  HF_ASSERT(executor_ != nullptr);
  executor_->execute(context, args);
  if (find(id) == nullptr) return;  // it closed itself
  if (client.replies == Client::Replies::kSkipNext) client.replies = Client::Replies::kSkipThis;
  if (!context.wait_for_name.empty()) {
    client.waiting_for = context.wait_for_name;
    client.waiting_command.assign(args.begin(), args.end());
    return;
  }
  if (core_.saver.requested() != before) context.barrier = core_.saver.requested();
  stats_.error_replies += static_cast<int64_t>(context.reply.errors());
  deliver(client, context, out);
}

void Clients::deliver(Client& client, CommandContext& context, OutQueue& out) {
  const uint64_t id = client.id;
  const bool must_wait = context.barrier != 0 && !core_.saver.done(context.barrier);
  std::string bytes = out.to_string();
  if (must_wait || !client.held.empty()) {
    client.held_bytes += bytes.size();
    client.held.push_back({must_wait ? context.barrier : 0, std::move(bytes), std::move(context.instead)});
    if (client.held_bytes > kOutputBytesMax) return close(client, action::CloseMode::kNow);
  } else if (!bytes.empty()) {
    emit(client, bytes);
  }
  if (context.close_after && find(id) != nullptr) close(client, action::CloseMode::kFlush);
}

void Clients::emit(Client& client, std::string_view bytes) {
  if (!client.held.empty()) {
    client.held_bytes += bytes.size();
    client.held.push_back({0, std::string(bytes), {}});
    if (client.held_bytes > kOutputBytesMax) close(client, action::CloseMode::kNow);
    return;
  }
  stats_.bytes_out += static_cast<int64_t>(bytes.size());
  core_.connections.send(client.conn, bytes);
  if (core_.connections.output(client.conn).size() > kOutputBytesMax) close(client, action::CloseMode::kNow);
}

void Clients::saved(uint64_t generation, bool ok) {
  std::vector<uint64_t> ids;
  for (const auto& [id, client] : clients_) {
    if (!client->held.empty()) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    Client& client = *find(id);
    for (Client::Held& held : client.held) {
      if (held.generation == 0 || held.generation > generation) continue;
      held.generation = 0;
      held.failed = !ok;
    }
    flush_held(client);
  }
}

void Clients::flush_held(Client& client) {
  const uint64_t id = client.id;
  while (!client.held.empty() && client.held.front().generation == 0) {
    Client::Held held = std::move(client.held.front());
    client.held.pop_front();
    client.held_bytes -= held.bytes.size();
    const std::string_view bytes = held.failed && !held.instead.empty() ? held.instead : held.bytes;
    if (bytes.empty()) continue;
    stats_.bytes_out += static_cast<int64_t>(bytes.size());
    core_.connections.send(client.conn, bytes);
    if (core_.connections.output(client.conn).size() > kOutputBytesMax) return close(client, action::CloseMode::kNow);
  }
  if (find(id) != nullptr && client.held.empty() && client.closing) close(client, action::CloseMode::kFlush);
}

void Clients::publish(std::string_view channel, std::string_view payload) {
  std::vector<pubsub::Hub::Delivery> deliveries;
  hub_.route(channel, deliveries);
  struct Message {
    uint64_t who;
    std::string bytes;
  };
  std::vector<Message> messages;  // sending may close a client and so change the hub
  for (const auto& delivery : deliveries) {
    const Client* client = find(delivery.who);
    if (client == nullptr) continue;
    OutQueue out;
    command::Reply reply(out, client->resp);
    reply.push(delivery.by_pattern ? 4 : 3);
    reply.bulk(delivery.by_pattern ? "pmessage" : "message");
    if (delivery.by_pattern) reply.bulk(delivery.pattern);
    reply.bulk(channel);
    reply.bulk(payload);
    messages.push_back({delivery.who, out.to_string()});
  }
  for (const Message& message : messages) {
    if (Client* client = find(message.who)) emit(*client, message.bytes);
  }
}

void Clients::name_answered(const std::string& host) {
  std::vector<uint64_t> ids;
  for (const auto& [id, client] : clients_) {
    if (client->waiting_for == host) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    Client* client = find(id);
    if (client == nullptr) continue;
    client->waiting_for.clear();
    client->queued_commands.push_front(std::move(client->waiting_command));
    while ((client = find(id)) != nullptr && client->waiting_for.empty() && !client->queued_commands.empty()) {
      const std::vector<std::string> command = std::move(client->queued_commands.front());
      client->queued_commands.pop_front();
      run(id, std::vector<std::string_view>(command.begin(), command.end()));
    }
  }
}

void Clients::close_idle(Agenda& agenda) {
  if (core_.settings.timeout_s == 0) return;
  const auto timeout = std::chrono::seconds(core_.settings.timeout_s);
  std::vector<uint64_t> idle;
  for (const auto& [id, client] : clients_) {
    if (subscribed(hub_, *client)) continue;
    if (agenda.due(client->last_seen + timeout)) idle.push_back(id);
  }
  for (const uint64_t id : idle) close(*find(id), action::CloseMode::kNow);
}

}  // namespace holdfast::sentinel
