// Sentinel: the failover machine. It watches primaries, replicas and other Sentinels, agrees with them that a primary
// is gone, promotes a replica and tells everybody.
//
// Source: the behaviour of redis-sentinel 7.2 (command tables, hello messages, event texts, sentinel.conf).
// How a host uses it: read the file, parse_redis_conf -> check_config (print, exit 1) -> process_settings (daemonize,
// logs, pidfile, the start's log lines up to `Running mode=`) -> Sentinel, then drive it as any Machine. The machine
// filters its own log lines by `loglevel`. Invariants: an epoch never goes back; at most one vote per primary and
// epoch, written to disk before anybody is told. Reading order: instance.h (what is known), failover.h (what is done),
// vote.h, hello.h, config.h.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/machine.h"
#include "conf/redis_conf.h"

namespace holdfast::sentinel {

inline constexpr uint16_t kDefaultPort = 26379;

/// CPU seconds of the process, for INFO.
struct CpuUsage {
  double system = 0, user = 0, children_system = 0, children_user = 0;
};

/// Rules without which the Sentinel would be unsafe. The simulator leaves one out at a time, to show that its checkers
/// would notice.
enum class Rule : uint8_t {
  kPersistBeforeVote,
  kOneVotePerEpoch,
  kMajority,
  kQuorum,
  kPrevote,
  kVotePromise,
  kLease,
  kLineage,
  kWholeData,
  kWipeGuard,
  kRefusedTwice,
  kReplicaVeto,
  kMajorityConfirms,
  kNewerConfiguration,
  kCount,
};

struct Options {
  conf::ParsedConf conf;    // the file's directives, then those of the command line
  std::string config_path;  // absolute; the file is read again before every rewrite
  // Content of `aclfile`, or the error number of reading it; unused without that directive.
  std::expected<std::string, int> acl_file;
  std::string secret;                   // from which ACL GENPASS makes passwords
  std::string extension_text;           // content of extension_path(config_path), empty if there is none
  uint64_t seed = 0;                    // of ids and of random delays; must differ between processes
  int64_t pid = 0;                      // for INFO and events
  std::string redis_version = "7.2.6";  // what INFO and HELLO say
  std::string executable;               // absolute, for INFO
  std::string os;                       // `uname` as INFO prints it
  Duration utc_offset{};                // local time, for the one log line that names a time of day
  bool (*is_executable)(const std::string& path) = nullptr;  // null: every script counts as executable
  TlsProvider* tls = nullptr;                                // outlives the Sentinel; none: TLS is refused
  CpuUsage (*cpu_usage)() = nullptr;                         // null: zeros
  uint32_t left_out = 0;                                     // bits of Rule; for the simulator only
  std::string script_directory;  // what relative script paths start from; empty: the working directory
};

/// What the original does not know is kept beside its file, so that it can start from it: `<config>.ext`.
std::string extension_path(const std::string& config_path);
/// Adds the lines of the extension file, but those about primaries that are not monitored (any more).
void add_extension(conf::ParsedConf& conf, std::string_view text, const std::string& path);

/// Everything wrong with the configuration, in the original's words; empty = the Sentinel can start.
/// Includes the errors the parser found. Print with conf::fatal_config_error. To be called before `dir` takes effect.
std::vector<conf::Diagnostic> check_config(const conf::ParsedConf& conf,
                                           bool (*is_executable)(const std::string& path) = nullptr);

/// What the process does about itself, before and around the machine. Values as in redis.conf; last line wins.
struct ProcessSettings {
  bool daemonize = false;
  std::string pidfile;  // empty: none, but /var/run/redis.pid when daemonized. Written and removed by the host.
  std::string logfile;  // empty: standard output (nothing when daemonized)
  std::string dir;      // empty: stay
  std::string loglevel = "notice";
  std::string supervised = "no";
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  std::string syslog_facility = "local0";
  std::string aclfile;  // to be read by the host; relative to `dir`
  bool always_show_logo = false;
};
ProcessSettings process_settings(const conf::ParsedConf& conf);

class Sentinel final : public Machine {
 public:
  /// `options.conf` passed check_config.
  explicit Sentinel(Options options);
  ~Sentinel() override;

  void start(Now now) override;
  ConnId accepted(const Accepted& from, Now now) override;
  void listening(ListenerId listener, const Address& bound, int error, Now now) override;
  void connected(ConnId conn, const Address& local, const Address& peer, Now now) override;
  void receive(ConnId conn, std::string_view bytes, Now now) override;
  void eof(ConnId conn, Now now) override;
  void closed(ConnId conn, Closed why, Now now) override;
  void secured(ConnId conn, const TlsFacts& facts, Now now) override;
  void drained(ConnId conn, Now now) override;
  void file_data(JobId job, std::string_view bytes, Now now) override;
  void job_done(JobId job, int status, Now now) override;
  void resolved(JobId job, const std::vector<std::string>& addresses, Now now) override;
  void signal(int number, Now now) override;
  void tick(Now now) override;
  Mono next_deadline() const override;
  OutQueue& output(ConnId conn) override;

  /// Asserts what must hold between two inputs. For tests and the simulator.
  void check_invariants() const;

  // What the simulator's checkers look at.
  const std::string& myid() const;
  uint64_t current_epoch() const;
  /// The address this Sentinel would give to a client; an empty host if the name is unknown.
  Address primary_address(std::string_view name) const;
  uint64_t config_epoch(std::string_view name) const;
  struct Vote {
    std::string leader;  // empty: none that is known (a restart forgets for whom it was)
    uint64_t epoch = 0;
    bool durable = false;
  };
  /// The last vote for this primary.
  Vote vote(std::string_view name) const;
  /// The failover of this primary that runs here.
  struct Progress {
    bool running = false;
    bool elected = false;    // its leader is us
    bool promoting = false;  // the promotion was sent
    bool forced = false;     // nobody was asked
    bool votes_bind = false;
    uint64_t epoch = 0;
    Address replica;  // chosen; empty host: none yet
  };
  Progress progress(std::string_view name) const;

 private:
  struct Parts;
  void finish();

  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::sentinel
