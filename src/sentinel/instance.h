// Instance: everything a Sentinel knows about one primary, replica or other Sentinel.
//
// Times are Mono; an unset optional means "never". Kind, health and progress are separate fields; the wire's flag list
// is composed in api_instances.cc. Owner of all instances and links: Topology. Source of the fields: the replies of
// SENTINEL MASTERS, REPLICAS and SENTINELS of redis-sentinel 7.2.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "codec/resp/reply.h"

namespace holdfast::sentinel {

enum class InstanceId : uint32_t { kNone = 0 };
enum class LinkId : uint32_t { kNone = 0 };

enum class Kind : uint8_t { kPrimary, kReplica, kSentinel };
/// The role a node claims in INFO.
enum class Role : uint8_t { kUnknown, kPrimary, kReplica };

/// Where a node is. `hostname` is what was configured or announced (a literal if no name); `ip` is empty while the name
/// is not resolved.
struct NodeAddress {
  std::string hostname;
  std::string ip;
  uint16_t port = 0;
  bool operator==(const NodeAddress&) const = default;
};

/// What a request on a command link was, so that its reply finds its reader.
enum class Request : uint8_t { kDiscard, kPing, kInfo, kHello, kAsk, kSubscribe, kExtension, kPromotion };
struct PendingReply {
  Request request = Request::kDiscard;
  InstanceId instance = InstanceId::kNone;  // kNone: the instance is gone, ignore the reply
  Mono sent{};
};

/// One connection of a link.
struct Channel {
  ConnId conn;  // none: not connected and not connecting
  bool established = false;
  Mono since{};            // when the connection was asked for
  std::string local_host;  // our end's address, once established
  codec::ReplyReader reader = codec::ReplyReader();
  std::deque<PendingReply> pending;
};

/// The connections to one process: shared by all instances that are the same Sentinel.
struct Link {
  LinkId id = LinkId::kNone;
  std::vector<InstanceId> owners;  // never empty
  bool wants_pubsub = false;
  Channel commands;
  Channel pubsub;
  std::optional<Mono> unanswered_since;  // of the oldest ping without a valid reply
  Mono last_ping{};
  Mono round_trip{};  // when the last ping was sent that was answered
  bool ping_wanted = false;
  Mono last_reply{};      // to a ping, whatever it was
  Mono last_available{};  // valid reply to a ping
  Mono pubsub_activity{};
  std::optional<Mono> last_attempt;  // of connecting
  Mono prompt_window{};              // attempts made early because a working connection broke: since when
  int prompt_attempts = 0;           // and how many
  bool resolving = false;
  bool extended = false;  // the peer understands SENTINEL EXT: it is one of ours

  bool ready() const { return commands.established && (!wants_pubsub || pubsub.established); }
};

/// What a primary's broken connections tell (crash.h).
struct CrashEvidence {
  std::optional<Mono> lost_at;        // a working connection broke, none was made since
  std::optional<Mono> first_refused;  // since then
  int refused = 0;
  bool evident = false;  // provably gone: the process, not the way to it
};

/// Whose history a node's data is, as INFO prints it (lineage.h).
struct Lineage {
  std::string replid;   // empty: not known
  std::string replid2;  // empty: none
  int64_t second_offset = -1;
  bool operator==(const Lineage&) const = default;
};

/// A primary came back as another process, with another history (wipe.h).
struct Rebirth {
  Lineage former;
  Mono seen_at{};
};

/// `sentinel fast-failover NAME auto|yes|no` (fast.h).
enum class FastFailover : uint8_t { kAuto, kYes, kNo };

enum class ReconfProgress : uint8_t { kNone, kSent, kInProgress, kDone };

enum class FailoverState : uint8_t {
  kNone,
  kWaitStart,
  kSelectReplica,
  kSendPromotion,
  kWaitPromotion,
  kReconfReplicas,
  kUpdateConfig,
};

struct Primary;

struct Instance {
  InstanceId id = InstanceId::kNone;
  Kind kind = Kind::kPrimary;
  std::string name;   // a primary's name, a replica's `ip:port`, a Sentinel's run id
  std::string runid;  // empty: not known yet
  NodeAddress address;
  LinkId link = LinkId::kNone;
  Primary* primary = nullptr;  // of a replica or Sentinel; owned by Topology, which removes both together

  Duration down_after{};
  bool s_down = false;
  std::optional<Mono> s_down_since;  // start of the last one, kept after recovery
  bool script_kill_sent = false;

  std::optional<Mono> hello_sent;  // last accepted PUBLISH (or creation); unset: send now
  std::optional<Mono> hello_retry;
  bool hello_in_flight = false;

  // Primaries and replicas.
  std::optional<Mono> info_at;
  Mono previous_info_asked{};
  Mono info_asked{};  // when the question was sent whose answer came at info_at
  bool info_in_flight = false;
  bool info_wanted = false;  // ask now, whatever the period says
  std::string info;
  Role role_reported = Role::kUnknown;
  Mono role_reported_at{};
  Lineage lineage;
  bool loading = false;
  uint64_t keys = 0;  // in all databases

  // Replicas, as they report it.
  Duration primary_link_down{};
  std::string reported_primary_host;
  int64_t reported_primary_port = 0;
  bool primary_link_up = false;
  Mono replication_changed_at{};
  int64_t priority = 100;
  uint64_t offset = 0;
  bool announced = true;
  bool sync_in_progress = false;
  bool never_synced = false;     // it never had a primary's data
  std::optional<Mono> moved_at;  // its offset grew, its link being up (found by an INFO asked after the last one)
  bool promoted = false;
  uint64_t refused_in = 0;      // the failover epoch in which it refused to be promoted
  bool former_primary = false;  // it was the primary, and has not followed anybody since
  ReconfProgress reconf = ReconfProgress::kNone;
  Mono reconf_sent_at{};

  // Other Sentinels.
  Mono hello_received{};
  bool says_primary_down = false;
  Mono last_answer{};  // to is-master-down-by-addr (or creation)
  int asks_in_flight = 0;
  Mono last_asked{};
  std::string voted_leader;  // empty: none
  uint64_t voted_leader_epoch = 0;
  uint64_t said_config_epoch = 0;  // in its last hello
  NodeAddress said_primary;        // there

  bool monitored() const { return kind != Kind::kSentinel; }
};

struct CaseInsensitiveLess {
  bool operator()(const std::string& a, const std::string& b) const;
};

struct Primary : Instance {
  int64_t quorum = 1;
  int64_t parallel_syncs = 1;
  Duration failover_timeout{};
  Duration reboot_down_after{};  // 0 = LOADING is healthy
  std::string auth_user, auth_pass;
  std::string notification_script, client_reconfig_script;
  std::map<std::string, std::string, CaseInsensitiveLess> renamed_commands;
  uint64_t config_epoch = 0;

  bool o_down = false;
  std::optional<Mono> o_down_since;
  std::optional<Mono> may_start;  // a failover, in our turn; set while objectively down
  std::optional<Mono> rebooting_since;

  FastFailover fast_failover = FastFailover::kAuto;
  Duration crash_confirm{};  // how long the process must have been gone
  CrashEvidence crash;
  std::optional<Rebirth> rebirth;
  bool reborn_unread = false;          // it restarted, and reads its file: its history is not known yet
  std::optional<Mono> prevote_since;   // the others are being asked whether a failover could succeed
  std::optional<Mono> promised_until;  // our last vote is a promise: no other vote, no attempt of our own
  std::optional<Mono> retry_at;        // our next attempt after a lost round

  // Our own vote, and its durability (a generation of Saver).
  std::string leader;
  uint64_t leader_epoch = 0;
  uint64_t vote_generation = 0;

  bool failover_in_progress = false;
  bool forced = false;
  bool coordinated = false;  // the primary hands over by itself
  FailoverState failover_state = FailoverState::kNone;
  uint64_t failover_epoch = 0;
  Mono failover_begun{};                 // of the attempt that runs
  bool superseded = false;               // we voted for somebody else while it ran
  bool waiting_for_replica = false;      // the last attempt found none that was fit
  Mono info_fresh_since{};               // INFO asked for before this says nothing about now
  std::optional<Mono> failover_started;  // of the last attempt, ours or one we voted for; unset: may start at once
  std::optional<Mono> delay_logged;      // the failover_started for which the delay was logged
  Mono state_changed{};
  InstanceId promoted_replica = InstanceId::kNone;

  std::map<std::string, std::unique_ptr<Instance>> replicas;   // by name
  std::map<std::string, std::unique_ptr<Instance>> sentinels;  // by run id

  // Kept by Worklist.
  bool touched = false;    // something happened that may change a decision
  Mono deadline = kNever;  // when to look again without any input
  Mono looked_at{};        // last
};

}  // namespace holdfast::sentinel
