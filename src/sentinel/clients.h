// Clients: the connections to our own port: requests in, replies out, published events.
//
// Replies leave in the order of their requests. A reply that promises durable state (a vote, +OK after a change of the
// configuration) is *held* until that state is on disk, and everything behind it waits too.
// Bounds: kOutputBytesMax per client (the client is closed), maxclients, request sizes of codec::RequestLimits.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/resp/request.h"
#include "command/reply.h"
#include "pubsub/hub.h"
#include "sentinel/agenda.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

inline constexpr size_t kOutputBytesMax = 32 * 1024 * 1024;

struct Client {
  struct Held {
    uint64_t generation = 0;  // 0 = only waits for those before it
    std::string bytes;
    std::string instead;  // sent if the state could not be saved; empty: `bytes` anyway
    bool failed = false;
  };
  ConnId conn;
  uint64_t id = 0;
  std::string peer, local;
  codec::RequestStream in;
  int resp = 2;
  bool authenticated = false;
  acl::UserId user = acl::kDefaultUser;
  bool closing = false;  // nothing more is read
  enum class Replies : uint8_t { kOn, kOff, kSkipNext, kSkipThis } replies = Replies::kOn;
  bool no_evict = false;
  std::string name, lib_name, lib_ver;
  std::string last_command = "NULL";
  Mono since{};
  Mono last_seen{};
  std::deque<Held> held;
  size_t held_bytes = 0;
  // A command that needs a host name's address: run again when the answer is there.
  std::string waiting_for;
  std::vector<std::string> waiting_command;
  std::deque<std::vector<std::string>> queued_commands;  // came in behind it
};

/// One command on its way: where its reply goes and what the reply waits for.
struct CommandContext {
  Client& client;
  command::Reply reply;
  uint64_t barrier = 0;  // generation the reply waits for
  std::string instead;   // see Client::Held
  bool close_after = false;
  std::string wait_for_name;  // not empty: run this command again once the name is resolved
};

/// What executes commands; implemented by Commands.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void execute(CommandContext& context, const std::vector<std::string_view>& args) = 0;
};

struct ClientStats {
  int64_t connections_received = 0;
  int64_t connections_rejected = 0;
  int64_t commands_processed = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t error_replies = 0;
};

class Clients final : public Publisher {
 public:
  explicit Clients(Core& core) : core_(core) {}
  void set_executor(Executor& executor) { executor_ = &executor; }

  ConnId accept(const Accepted& from);
  void receive(ConnId conn, std::string_view bytes);
  void closed(ConnId conn);
  void publish(std::string_view channel, std::string_view payload) override;
  /// A write of the configuration ended: everything up to `generation` is done.
  void saved(uint64_t generation, bool ok);
  /// A host name was answered.
  void name_answered(const std::string& host);
  /// Closes idle clients (`timeout`).
  void close_idle(Agenda& agenda);
  /// Sends bytes behind what is already waiting.
  void emit(Client& client, std::string_view bytes);
  /// Ends a connection after its output.
  void close(Client& client, action::CloseMode mode);

  Client* find(uint64_t id);
  const std::map<uint64_t, std::unique_ptr<Client>>& all() const { return clients_; }
  pubsub::Hub& hub() { return hub_; }
  const ClientStats& stats() const { return stats_; }
  static bool subscribed(const pubsub::Hub& hub, const Client& client) { return hub.count_of(client.id) > 0; }

 private:
  Client* find(ConnId conn);
  bool refuse(ConnId conn, const Accepted& from);
  void process(Client& client);
  void refuse_http(Client& client);
  void run(uint64_t id, const std::vector<std::string_view>& args);
  void deliver(Client& client, CommandContext& context, OutQueue& out);
  void flush_held(Client& client);

  Core& core_;
  Executor* executor_ = nullptr;  // owned beside us
  pubsub::Hub hub_;
  std::map<uint64_t, std::unique_ptr<Client>> clients_;
  std::map<ConnId, uint64_t> by_conn_;
  uint64_t last_id_ = 0;
  ClientStats stats_;
  Mono next_http_warning_ = Mono::min();  // one line a minute, however many connections try
};

}  // namespace holdfast::sentinel
