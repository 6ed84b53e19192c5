#include "sentinel/links.h"

#include <fmt/format.h>

#include "base/address.h"
#include "codec/resp/encode.h"
#include "sentinel/crash.h"
#include "sentinel/fast.h"
#include "sentinel/hello.h"

namespace holdfast::sentinel {
namespace {

/// The name a command goes by on this primary's nodes (SENTINEL SET rename-command).
std::string_view renamed(const Instance& instance, std::string_view command) {
  const auto& table = primary_of(instance).renamed_commands;
  if (table.empty()) return command;
  const auto at = table.find(std::string(command));
  return at == table.end() ? command : std::string_view(at->second);
}

}  // namespace

Link* Links::link_of(ConnId conn) {
  const Connection* connection = core_.connections.find(conn);
  return connection == nullptr ? nullptr : core_.topology.find_link(connection->link);
}

Channel* Links::channel_of(ConnId conn) {
  Link* link = link_of(conn);
  if (link == nullptr) return nullptr;
  if (link->commands.conn == conn) return &link->commands;
  return link->pubsub.conn == conn ? &link->pubsub : nullptr;
}

bool Links::has_room(const Instance& instance) const {
  const Link& link = core_.topology.link_of(instance);
  return link.commands.pending.size() < kPendingMax * link.owners.size();
}

void Links::maintain(Instance& instance, Agenda& agenda) {
  Link& link = core_.topology.link_of(instance);
  const bool complete = link.commands.conn && (!link.wants_pubsub || link.pubsub.conn);
  if (complete || instance.address.port == 0) return;
  if (link.resolving) {
    if (core_.names.pending(instance.address.hostname)) return;  // its answer touches us
  } else {
    Duration pause = core_.periods.ping;
    if (instance.former_primary && is_fast(core_, *instance.primary)) pause = std::min(pause, kFormerPrimaryRetry);
    if (link.last_attempt && !agenda.due(*link.last_attempt + pause)) return;
    link.last_attempt = agenda.now();
    // The clock of an unanswered ping starts with the attempt, as if the ping were already on its way.
    if (!link.commands.conn && !link.unanswered_since) link.unanswered_since = agenda.now();
  }
  if (link.commands.conn || address_ready(instance, link)) {
    if (!link.commands.conn) {
      connect(instance, link, link.commands, Use::kCommands);
      greet(instance, link.commands, "cmd");
      queue(instance, link.commands, Request::kPing, {"PING"});
      link.last_ping = agenda.now();
    }
    if (link.wants_pubsub && !link.pubsub.conn) {
      connect(instance, link, link.pubsub, Use::kPubsub);
      greet(instance, link.pubsub, "pubsub");
      queue(instance, link.pubsub, Request::kSubscribe, {"SUBSCRIBE", kHelloChannel});
      link.pubsub_activity = agenda.now();
    }
  }
  // Ask to be called again in case the attempt goes nowhere without the host telling.
  if (link.last_attempt && !link.resolving) agenda.due(*link.last_attempt + core_.periods.ping);
}

/// Looks a host name up again before every attempt: the node may have moved.
bool Links::address_ready(Instance& instance, Link& link) {
  if (!link.resolving && core_.names.request(core_, instance.address.hostname)) {
    link.resolving = true;
    return false;
  }
  link.resolving = false;
  if (const auto ip = core_.names.find(core_, instance.address.hostname)) instance.address.ip = *ip;
  if (!instance.address.ip.empty()) return true;
  core_.event(Event::kCommandLinkReconnection, instance, " #Failed to establish connection");
  return false;
}

void Links::connect(Instance& instance, Link& link, Channel& channel, Use use) {
  channel = Channel();
  channel.reader = codec::ReplyReader(kReplyBytesMax);
  channel.conn = core_.connections.open(use, link.id, false);
  channel.since = core_.now.mono;
  action::Connect action{channel.conn, {instance.address.ip, instance.address.port, {}}};
  if (!core_.settings.bind_source.empty()) action.source = Address{core_.settings.bind_source, 0, {}};
  core_.act(std::move(action));
}

void Links::greet(Instance& instance, Channel& channel, std::string_view suffix) {
  const Settings& settings = core_.settings;
  const Primary& primary = primary_of(instance);
  std::string_view user = primary.auth_user;
  std::string_view pass = primary.auth_pass;
  if (instance.kind == Kind::kSentinel) {
    // COMPAT: without sentinel-pass, Sentinels share requirepass.
    const bool own = settings.sentinel_pass.empty();
    user = own ? std::string_view() : std::string_view(settings.sentinel_user);
    pass = own ? settings.requirepass : settings.sentinel_pass;
  }
  if (!pass.empty() && user.empty()) queue(instance, channel, Request::kDiscard, {"AUTH", pass});
  if (!pass.empty() && !user.empty()) queue(instance, channel, Request::kDiscard, {"AUTH", user, pass});
  const std::string name = fmt::format("sentinel-{}-{}", settings.myid.substr(0, 8), suffix);
  queue(instance, channel, Request::kDiscard, {"CLIENT", "SETNAME", name});
  if (instance.kind == Kind::kSentinel)
    queue(instance, channel, Request::kExtension, {"SENTINEL", "EXT", "HELLO", "1"});
}

void Links::queue(Instance& instance, Channel& channel, Request request,
                  std::initializer_list<std::string_view> words) {
  std::string bytes;
  std::vector<std::string_view> mapped(words);
  mapped[0] = renamed(instance, mapped[0]);
  codec::append_request_words(bytes, mapped);
  core_.connections.send(channel.conn, bytes);
  channel.pending.push_back({request, instance.id, core_.now.mono});
}

void Links::send(Instance& instance, Request request, std::initializer_list<std::string_view> words) {
  Link& link = core_.topology.link_of(instance);
  HF_ASSERT(link.commands.established);
  queue(instance, link.commands, request, words);
}

bool Links::send_slaveof(Instance& instance, const NodeAddress* to) {
  if (!core_.topology.link_of(instance).commands.established) return false;
  const std::string host = to == nullptr ? "NO" : core_.announced(*to);
  const std::string port = to == nullptr ? "ONE" : std::to_string(to->port);
  send(instance, Request::kDiscard, {"MULTI"});
  send(instance, Request::kDiscard, {"SLAVEOF", host, port});
  send(instance, Request::kDiscard, {"CONFIG", "REWRITE"});
  send(instance, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "normal"});
  send(instance, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "pubsub"});
  send(instance, Request::kDiscard, {"EXEC"});
  return true;
}

bool Links::send_promotion(Instance& instance) {
  if (!core_.topology.link_of(instance).commands.established) return false;
  send(instance, Request::kDiscard, {"MULTI"});
  send(instance, Request::kDiscard, {"SLAVEOF", "NO", "ONE"});
  send(instance, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "normal"});
  send(instance, Request::kDiscard, {"CLIENT", "KILL", "TYPE", "pubsub"});
  send(instance, Request::kPromotion, {"EXEC"});
  return true;
}

void Links::established(ConnId conn, const Address& local) {
  Channel* channel = channel_of(conn);
  HF_ASSERT(channel != nullptr);
  channel->established = true;
  channel->local_host = local.host;
  core_.connections.established(conn);
  Link& link = *link_of(conn);
  core_.touch_link(link);
  if (channel != &link.commands) return;
  if (link.wants_pubsub && !link.pubsub.conn) retry_promptly(link);
  for (const InstanceId owner : link.owners) {
    Instance* instance = core_.topology.instance(owner);
    if (instance == nullptr) continue;
    if (instance->kind == Kind::kPrimary) note_connected(static_cast<Primary&>(*instance));
    if (instance->monitored() && instance->info_at && is_fast(core_, primary_of(*instance))) {
      instance->info_wanted = true;  // it was away: who is it now?
    }
  }
}

/// Forgets a channel's connection; replies that will not come any more are no longer waited for.
void Links::reset(Channel& channel) {
  for (const PendingReply& pending : channel.pending) {
    Instance* instance = core_.topology.instance(pending.instance);
    if (instance == nullptr) continue;
    if (pending.request == Request::kInfo) instance->info_in_flight = false;
    if (pending.request == Request::kHello) instance->hello_in_flight = false;
    if (pending.request == Request::kAsk) instance->asks_in_flight = 0;
  }
  channel = Channel();
}

void Links::lost(ConnId conn, CloseReason reason) {
  Link* link = link_of(conn);
  Channel* channel = channel_of(conn);
  if (channel == nullptr) return;
  const bool worked = channel->established;
  const Mono now = core_.now.mono;
  // A command link that breaks is silence from this moment, whenever the next attempt may come.
  const bool commands = channel == &link->commands;
  if (worked && commands && !link->unanswered_since) link->unanswered_since = now;
  reset(*channel);
  core_.connections.forget(conn);
  if (commands) {
    for (const InstanceId owner : link->owners) {
      Instance* instance = core_.topology.instance(owner);
      if (instance == nullptr || instance->kind != Kind::kPrimary) continue;
      note_lost(core_, static_cast<Primary&>(*instance), worked, reason);
    }
  }
  // Somebody was there and hung up, maybe on everybody, as the end of a promotion does. A process that just starts may
  // have refused one of the two.
  const bool hung_up = worked || reason == CloseReason::kEof || reason == CloseReason::kReset;
  if (hung_up || (!commands && link->commands.established)) retry_promptly(*link);
  core_.touch_link(*link);
}

/// The first attempt of a window follows at once, the next ones after a short pause: a process that dies may still
/// accept on one descriptor what it has closed on another.
void Links::retry_promptly(Link& link) {
  const Mono now = core_.now.mono;
  if (now - link.prompt_window >= core_.periods.ping) {
    link.prompt_window = now;
    link.prompt_attempts = 0;
  }
  if (++link.prompt_attempts == 1) link.last_attempt.reset();
  if (link.prompt_attempts > 1 && link.prompt_attempts <= kPromptAttempts) {
    link.last_attempt = now + kPromptPause - core_.periods.ping;
  }
}

void Links::close_commands(Link& link) {
  if (!link.commands.conn) return;
  core_.connections.close(link.commands.conn, action::CloseMode::kNow);
  reset(link.commands);
}

void Links::close_pubsub(Link& link) {
  if (!link.pubsub.conn) return;
  core_.connections.close(link.pubsub.conn, action::CloseMode::kNow);
  reset(link.pubsub);
}

void Links::feed(ConnId conn, std::string_view bytes) {
  if (Channel* channel = channel_of(conn)) channel->reader.feed(bytes);
}

std::optional<Links::Incoming> Links::next(ConnId conn) {
  Channel* channel = channel_of(conn);
  if (channel == nullptr) return std::nullopt;
  Link& link = *link_of(conn);
  std::optional<codec::Reply> reply = channel->reader.next();
  if (!reply) {
    if (!channel->reader.failed()) return std::nullopt;
    // Not the protocol we know: as good as a broken connection.
    if (channel == &link.commands) {
      close_commands(link);
    } else {
      close_pubsub(link);
    }
    core_.touch_link(link);
    return std::nullopt;
  }
  if (channel == &link.pubsub) {
    core_.touch_link(link);
    return next_of_pubsub(link, std::move(*reply));
  }
  if (channel->pending.empty()) {  // a reply to nothing
    close_commands(link);
    core_.touch_link(link);
    return std::nullopt;
  }
  const PendingReply pending = channel->pending.front();
  channel->pending.pop_front();
  // A Sentinel's link serves all primaries it watches: most replies are about one of them.
  Instance* const about = core_.topology.instance(pending.instance);
  if (about == nullptr || pending.request == Request::kPing || pending.request == Request::kExtension) {
    core_.touch_link(link);
  } else {
    core_.touch(*about);
  }
  return Incoming{false, pending.instance, pending.request, pending.sent, std::move(*reply)};
}

/// First the replies to the greeting and to SUBSCRIBE, then a stream of messages.
std::optional<Links::Incoming> Links::next_of_pubsub(Link& link, codec::Reply reply) {
  if (!link.pubsub.pending.empty()) {
    const Request request = link.pubsub.pending.front().request;
    link.pubsub.pending.pop_front();
    if (request == Request::kSubscribe && reply.is_error()) {  // no password, no permission: of no use
      close_pubsub(link);
      return std::nullopt;
    }
  }
  return Incoming{true, link.owners.front(), Request::kDiscard, core_.now.mono, std::move(reply)};
}

}  // namespace holdfast::sentinel
