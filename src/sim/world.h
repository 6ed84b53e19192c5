// World: several machines on made-up hosts, joined by a made-up network, with disks and one clock.
//
// Everything follows from the seed. Time is virtual: step() jumps to the next thing that happens.
// Network: connections are ordered byte streams; every piece takes a base delay plus a random part; pieces may be split
// anywhere. A cut direction keeps its pieces until it is healed (as TCP retransmits). A process that dies resets its
// connections; connecting to a port nobody listens on is refused; connecting across a cut times out.
// Disk: WriteFile and CommitFile take time; a process that dies loses what was not done, or not: a coin decides.
// Invariants: a machine never sees time go back; a node's inputs come one at a time, all actions drained in between.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "base/time.h"

namespace holdfast::sim {

/// Files by path; what is in here survives the process.
using Disk = std::map<std::string, std::string>;

/// How a node's machine comes to life: called at every start, with what its disk holds.
class Boot {
 public:
  virtual ~Boot() = default;
  virtual std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) = 0;
  /// Its machines do something when they are told that their output has left.
  virtual bool heeds_drained() const { return true; }
  /// Called after every input of the machine; asserts its invariants.
  virtual void check(const Machine&) const {}
};

struct LogLine {
  Duration at{};  // since the world began
  std::string node;
  LogLevel level = LogLevel::kNotice;
  std::string text;
};

struct Weather {
  Duration delay_min = 100us;  // one way, between hosts; a host talks to itself in a tenth
  Duration delay_max = 300us;
  Duration disk_min = 500us;
  Duration disk_max = 5000us;
  uint32_t lost_per_thousand = 0;  // pieces that are lost, and come kRetransmit later
  Duration connect_timeout = 20s;  // when nothing answers
};

class World {
 public:
  struct State;  // world_state.h

  explicit World(uint64_t seed, Weather weather = {});
  ~World();

  void add_host(const std::string& host, const std::string& ip);
  /// A name that resolves to this address.
  void add_name(const std::string& name, const std::string& ip);
  void add_node(const std::string& node, const std::string& host, std::unique_ptr<Boot> boot);

  void start(const std::string& node);
  /// Dies on the spot: no last words, connections reset, uncommitted files lost.
  void kill(const std::string& node);
  /// The process and what it had cached for disk vanish, and nobody is told: a host that lost power.
  void power_off(const std::string& node);
  void signal(const std::string& node, int number);
  /// SIGSTOP and SIGCONT: inputs wait.
  void pause(const std::string& node);
  void resume(const std::string& node);
  void cut(const std::string& from_host, const std::string& to_host);
  void heal(const std::string& from_host, const std::string& to_host);
  void heal_all();
  /// Everything from one host to another takes so much longer; 0 = as before.
  void slow(const std::string& from_host, const std::string& to_host, Duration extra);
  /// A firewall that answers in the other's name: connections are reset, new ones refused. Until heal_all().
  void reject(const std::string& from_host, const std::string& to_host);
  /// This host's monotonic clock runs faster by `ppm`, as seen by its processes. Before they start.
  void drift(const std::string& host, int64_t ppm);
  /// The wall clock of this host jumps.
  void jump_wall(const std::string& host, Duration by);
  /// What is written from now on is said to be on the disk and is gone after a power cut.
  void lie_disk(const std::string& node, bool lies);
  /// Writes of this node's disk fail with this error number; 0 = work again.
  void fail_disk(const std::string& node, int error);

  bool running(const std::string& node) const;
  std::optional<int> exit_code(const std::string& node) const;
  /// nullptr: not running.
  Machine* machine(const std::string& node);
  Disk& disk(const std::string& node);
  const std::vector<std::string>& spawned(const std::string& node) const;

  Duration elapsed() const;
  /// Does the next thing that happens, if it happens before `limit`; else moves the clock there. False: clock moved.
  bool step(Duration limit);
  void run_for(Duration d);

  const std::vector<LogLine>& log() const { return log_; }

  /// A client outside the picture, without delays: connects to a node's port and speaks bytes.
  /// Returns what came back so far; nullopt: refused or closed.
  std::optional<std::string> ask(const std::string& node, uint16_t port, const std::string& bytes, Duration patience);

 private:
  std::vector<LogLine> log_;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::sim
