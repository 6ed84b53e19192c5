// Links: connecting to instances, and requests and replies on the connections.
//
// Source: redis-sentinel 7.2: AUTH, CLIENT SETNAME and PING right after connecting; one attempt per ping period per
// link. Ours beyond that: a connection that worked and broke is tried again at once, kPromptAttempts times per ping
// period, so that a crash is told from a dropped connection without a blind second; and another Sentinel is asked
// whether it understands our extensions (it answers an error if not).
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "sentinel/agenda.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

/// Requests waiting for their replies on one link, per owner; more are not sent.
inline constexpr size_t kPendingMax = 100;
/// Attempts to connect again at once after a working connection broke, per ping period; and the pause before the second
/// of them.
inline constexpr int kPromptAttempts = 20;
inline constexpr Duration kPromptPause = 5ms;
/// The largest reply a node may send.
inline constexpr size_t kReplyBytesMax = 4 * 1024 * 1024;

class Links {
 public:
  explicit Links(Core& core) : core_(core) {}

  /// Connects what is missing, as often as the rules allow.
  void maintain(Instance& instance, Agenda& agenda);
  /// Queues a request whose reply will come back as `request`. The command link must be established.
  void send(Instance& instance, Request request, std::initializer_list<std::string_view> words);
  /// MULTI, SLAVEOF, CONFIG REWRITE, CLIENT KILL of normal and pubsub clients, EXEC. `to` null: NO ONE.
  /// False: there is no connection.
  bool send_slaveof(Instance& instance, const NodeAddress* to);
  /// The same in one round trip, without CONFIG REWRITE and with an INFO behind it; the reply comes as kPromotion.
  bool send_promotion(Instance& instance);
  bool has_room(const Instance& instance) const;

  void established(ConnId conn, const Address& local);
  /// A connection the host reports as closed or refused.
  void lost(ConnId conn, CloseReason reason);
  void close_commands(Link& link);
  void close_pubsub(Link& link);

  struct Incoming {
    bool pubsub = false;
    InstanceId instance = InstanceId::kNone;
    Request request = Request::kDiscard;
    Mono sent{};
    codec::Reply reply;
  };
  void feed(ConnId conn, std::string_view bytes);
  /// The next reply or message of a connection; nullopt: none, or the connection is gone.
  std::optional<Incoming> next(ConnId conn);

 private:
  std::optional<Incoming> next_of_pubsub(Link& link, codec::Reply reply);
  Link* link_of(ConnId conn);
  Channel* channel_of(ConnId conn);
  bool address_ready(Instance& instance, Link& link);
  void connect(Instance& instance, Link& link, Channel& channel, Use use);
  void queue(Instance& instance, Channel& channel, Request request, std::initializer_list<std::string_view> words);
  void greet(Instance& instance, Channel& channel, std::string_view suffix);
  void reset(Channel& channel);
  void retry_promptly(Link& link);

  Core& core_;
};

}  // namespace holdfast::sentinel
