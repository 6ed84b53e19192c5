// Sessions: the life of every proxied connection, from accept to its one end.
//
// accept -> frontend -> backend -> (queue) -> connect with retries and redispatch -> bytes both ways -> end(reason).
// A session pairs two connections; bytes are appended once to the other side's output queue; reading pauses while that
// queue is long. Ends happen in end() only, with one reason, which decides the termination code and the log line.
// Invariants: `client` is set while the session exists; a server is counted (`sessions`, `counters.current`) exactly
// while `server_held`; output queues are bounded by bufsize plus one received chunk.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"
#include "proxy/suspicion.h"

namespace holdfast::proxy {

enum class SessionState : uint8_t {
  kFree,
  kHeld,        // the frontend is full
  kHeader,      // waits for a PROXY header, or for the end of a TLS handshake
  kInspecting,  // waits for bytes that content rules look at
  kQueued,
  kConnecting,
  kTurnaround,
  kEstablished,
};

enum class EndReason : uint8_t {
  kClean,
  kClientAbort,
  kServerAbort,
  kClientIdle,
  kServerIdle,
  kConnectFailed,
  kConnectTimeout,
  kQueueTimeout,
  kQueueFull,
  kNoServer,
  kFrontendFull,
  kMarkedDown,
  kMarkedUp,
  kKilled,
  kDenied,       // by a content rule
  kDeniedEarly,  // by a connection or session rule, or for a bad PROXY header: not logged
  kResponseDenied,
};

struct SessionSide {
  ConnId conn;
  OutQueue out;         // bytes for this side
  Mono last{};          // its last activity
  bool ended = false;   // it finished sending
  bool paused = false;  // we do not read it
};

/// What only sessions under rules have.
struct SessionExtras {
  struct Track {
    uint32_t table = kNoIndex;
    std::string key;
    int64_t bytes_in = 0;  // already counted
    int64_t bytes_out = 0;
  };
  std::array<Track, 3> tracks;
  std::map<std::string, Value> variables;
  bool expects_header = false;
  bool inspected_frontend = false;  // its content rules are done
  bool inspected_backend = false;
  bool response_seen = false;
  std::string header;             // a PROXY header that is not whole yet
  bool shaking = false;           // kHeader: the handshake is under way
  std::unique_ptr<TlsFacts> tls;  // of the client's connection
};

struct Session {
  uint32_t generation = 0;
  SessionState state = SessionState::kFree;
  bool server_held = false;
  bool redispatched = false;
  bool request_pending = false;  // at its end: the client had sent what the server never got
  uint16_t rule = 0;             // the use_backend line that chose the backend, from 1; 0 = default_backend
  uint32_t frontend = kNoIndex;
  uint32_t backend = kNoIndex;
  uint32_t server = kNoIndex;
  uint32_t queued_on = kNoIndex;  // server whose queue holds it, while kQueued
  uint32_t listener = 0;
  int retries_left = 0;
  int retries = 0;
  int queue_position = 0;         // in the backend's queue when it entered, 0 = never waited
  int server_queue_position = 0;  // in a server's queue
  SessionSide client;
  SessionSide peer;        // the server
  Mono deadline = kNever;  // of the state, where it has one
  Mono queued_until = kNever;
  Mono accepted{};
  Mono assigned = kNever;  // a server was chosen
  Mono connected = kNever;
  Wall accepted_wall{};
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  Address source;
  Address destination;
  std::unique_ptr<SessionExtras> extras;  // null = none
};

// What an idle connection costs here: the session and its two connection slots; queues hold nothing while empty.
static_assert(sizeof(Session) + 2 * sizeof(ConnSlot) <= 1024);

enum class RuleVerdict : uint8_t { kPass, kReject, kWait, kExpectHeader };
class SampleContext;

class Sessions final : public SessionControl {
 public:
  explicit Sessions(Runtime& runtime) : runtime_(runtime) {}
  /// Failed and successful connections are reported here (`observe layer4`).
  void set_states(ServerStates* states) { states_ = states; }

  void set_suspicions(SuspicionSink* sink) { suspicions_ = sink; }

  ConnId accept(uint32_t listener, const Accepted& from);
  void connected(ConnSlot slot);
  /// The handshake of either side is over.
  void secured(ConnSlot slot, const TlsFacts& facts);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot, Closed why);
  void drained(ConnSlot slot);
  void timer(uint32_t index, uint32_t generation);
  OutQueue& output(ConnSlot slot);

  void shutdown_server(uint32_t backend, uint32_t server, bool marked_up) override;
  int64_t requeue_server(uint32_t backend, uint32_t server) override;
  int64_t serve_queue(uint32_t backend) override;
  void wake_turnarounds(uint32_t backend) override;
  bool kill(uint32_t index, uint32_t generation);
  /// Lets held sessions in after a limit was raised.
  void admit_held(uint32_t frontend);
  /// Those that waited for `rate-limit sessions`.
  void rate_timer(uint32_t frontend);

  size_t count() const { return live_; }
  const std::deque<Session>& all() const { return sessions_; }
  void check_invariants() const;

 private:
  uint32_t allocate();
  bool has_room(uint32_t listener) const;
  bool rate_limited(uint32_t frontend);
  void admit(uint32_t index);
  // session_rules.cc
  static SessionExtras& extras(Session& session);
  SampleContext context_of(const Session& session, const std::string& request, bool final) const;
  bool admitted_by_rules(uint32_t index);
  void begin(uint32_t index);
  void receive_header(uint32_t index, std::string_view bytes);
  void after_header(uint32_t index);
  void route(uint32_t index, bool final);
  bool inspect(uint32_t index, const ProxyConfig& config, bool final);
  RuleVerdict run_rules(Session& session, const ProxyConfig& config, RuleStage stage, bool final,
                        std::string_view response = {});
  void apply_rule(Session& session, const ProxyConfig& config, const TcpRule& rule, const std::optional<Value>& value);
  void track(Session& session, int slot, const std::string& table_name, const Value& value);
  void untrack(Session& session);
  template <typename F>
  void for_tracked(Session& session, F each);
  uint32_t wanted_server(Session& session);
  void store_sticky(Session& session);
  bool inspect_response(uint32_t index, std::string_view bytes);
  std::string proxy_header(const Session& session) const;
  void announce_client(Session& session);
  // session_tls.cc
  /// True: the handshake with the client has begun; `received` is its beginning.
  bool secure_client(uint32_t index, std::string_view received);
  bool secure_server(Session& session);
  void established(uint32_t index);
  void log_refused(const Session& session, std::string_view why);

  uint32_t choose_backend(Session& session) const;
  void assign(uint32_t index, uint32_t avoid);
  void give_server(uint32_t index, uint32_t server);
  void enqueue(uint32_t index, uint32_t server);
  void dequeue(Session& session, uint32_t index);
  void connect(uint32_t index, uint32_t server);
  void connect_failed(uint32_t index, bool timed_out);
  void release_server(Session& session);
  void end(uint32_t index, EndReason reason);
  void account_end(Session& session, EndReason reason);
  void close_sides(Session& session, EndReason reason);
  void finish_if_done(uint32_t index);
  void arm(uint32_t index);
  Mono deadline_of(const Session& session) const;
  Duration idle_limit(const Session& session, bool client_side) const;
  void log(const Session& session, EndReason reason, bool early);
  void log_accepted(const Session& session);
  void observe(ServerState& server, bool success);
  void suspect(const Session& session);

  Runtime& runtime_;
  ServerStates* states_ = nullptr;
  SuspicionSink* suspicions_ = nullptr;
  std::deque<Session> sessions_;  // stable places, reused
  std::vector<uint32_t> free_;
  size_t live_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace holdfast::proxy
