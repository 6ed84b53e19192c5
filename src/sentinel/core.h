// Core: what all parts of the Sentinel share: settings, the topology, the time of this input, and the ways to speak.
//
// One Core per Sentinel; parts hold a reference and call each other's public functions, never keep pointers into the
// topology across inputs. Invariant: current_epoch only grows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "acl/log.h"
#include "acl/users.h"
#include "base/machine.h"
#include "base/prng.h"
#include "conf/redis_tls.h"
#include "sentinel/connections.h"
#include "sentinel/event.h"
#include "sentinel/names.h"
#include "sentinel/periods.h"
#include "sentinel/saver.h"
#include "sentinel/scripts.h"
#include "sentinel/sentinel.h"
#include "sentinel/tilt.h"
#include "sentinel/topology.h"

namespace holdfast::sentinel {

/// What configuration files and SENTINEL CONFIG SET say about this Sentinel itself.
struct Settings {
  std::string myid;  // 40 characters; empty: to be made up
  uint64_t current_epoch = 0;
  std::string announce_ip;
  uint16_t announce_port = 0;  // 0 = our own
  bool deny_scripts_reconfig = true;
  AddressStyle style;
  std::string sentinel_user, sentinel_pass;

  uint16_t port = kDefaultPort;
  conf::RedisTls tls;
  std::vector<std::string> binds;  // as written; empty = every address
  std::string unixsocket;
  uint32_t unixsocket_mode = 0;
  std::string bind_source;
  std::string requirepass;
  std::vector<acl::UserLine> user_lines;  // of the file
  std::string aclfile;
  int64_t acllog_max_len = 128;
  int64_t maxclients = 10000;
  int64_t timeout_s = 0;
  int64_t tcp_backlog = 511;
  bool protected_mode = false;
  int client_default_resp = 2;
  std::string loglevel = "notice";
  bool has_pidfile = false;

  /// What others are told to connect to: the TLS port where Sentinels speak TLS.
  int64_t own_port() const { return tls.replication && tls.port != 0 ? tls.port : port; }
};

/// Failures an operator asked for (SENTINEL SIMULATE-FAILURE); values as INFO prints them.
enum SimulatedFailure : uint32_t { kCrashAfterElection = 1, kCrashAfterPromotion = 2 };

/// Carries published events to the subscribers of our port.
class Publisher {
 public:
  virtual ~Publisher() = default;
  virtual void publish(std::string_view channel, std::string_view payload) = 0;
};

struct Core {
  explicit Core(Options from);

  Options options;
  Settings settings;
  Periods periods;
  Now now;
  Mono started{};
  Prng prng;
  std::string runid;  // of this process
  std::vector<Action> actions;
  Connections connections{actions};
  Topology topology;
  Names names;
  Saver saver;
  Scripts scripts;
  Tilt tilt;
  acl::Users users{acl::Defaults{acl::Program::kSentinel, false}};
  acl::Log acl_log;
  bool users_in_file = false;               // the configuration file states them
  bool users_to_save = false;               // ACL SAVE: with the next write
  std::optional<std::string> users_read;    // ACL LOAD: what the file held
  std::optional<std::string> users_unread;  // or why it could not be read
  std::optional<JobId> users_job;           // ACL LOAD: on its way
  bool users_arrived = false;
  uint64_t secrets_given = 0;
  uint32_t simulated_failures = 0;
  bool exiting = false;
  Publisher* publisher = nullptr;  // owned beside the core

  template <typename A>
  void act(A&& action) {
    actions.emplace_back(std::forward<A>(action));
  }
  JobId new_job() { return JobId{++last_job_}; }
  /// Always, but in the simulator's proofs.
  bool keeps(Rule rule) const { return (options.left_out >> static_cast<uint32_t>(rule) & 1) == 0; }
  void log(LogLevel level, std::string text);

  /// Announces `event` about an instance; the payload is its description followed by `more`.
  void event(Event event, const Instance& about, std::string_view more = {});
  /// Announces with a payload of its own; `about` (may be null) only chooses the notification script.
  void event_text(Event event, const Instance* about, const std::string& payload);

  /// The epoch moved forward, by us or by somebody else: saved and announced.
  void adopt_epoch(uint64_t epoch, const Primary& about);
  /// Runs the primary's client-reconfig-script.
  void run_reconfig_script(const Primary& primary, std::string_view role, const NodeAddress& from,
                           const NodeAddress& to);

  const std::string& announced(const NodeAddress& address) const { return announced_host(address, settings.style); }
  /// Resolves with what is known now; ip stays empty if it is unknown.
  NodeAddress address_of(std::string_view host, uint16_t port) const;
  /// Is `host` (as somebody reported it) the host of this address?
  bool same_host(const NodeAddress& address, std::string_view host) const;
  void touch(Instance& instance) { topology.touch(instance); }
  void touch_link(const Link& link);
  void close_orphans();
  /// Every connection had a round trip since the stall: what we know is of today.
  bool tilt_is_over() const;
  Duration since(Mono then) const { return now.mono - then; }

 private:
  uint64_t last_job_ = 0;
};

}  // namespace holdfast::sentinel
