// Checkers: what must be true of Sentinels in every history, apart from the machines themselves.
//
// They see a machine after each of its inputs, and the truth about the data servers, and remember what they saw across
// crashes. Numbers as in reference/sentinel.md 6.1:
//   I1  a durable vote is never changed: one per Sentinel and epoch, also over crashes
//   I2  one leader per epoch (asked ones; a forced failover asks nobody)
//   I3  no promotion is sent by a leader after another one was elected in a higher epoch (where the votes bind)
//   I4  epochs never go back while a process lives; one address per configuration epoch (I9)
//   I7  the promoted node holds the writes that the healthy replicas held together
//   I11 a leader has the votes of a majority of all Sentinels; one that is alone raises no epoch
//   I12 the events of a failover come in the order of the state machine
//   I13 the originals' model understood everything it was sent
// I8 and I9 (coming to rest), I10 (no failover without reason) and I14 (wall clocks) are judged at the end of a storm;
// I5 and I6 are about leases and acknowledged writes of the data server, which no program here promises.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sentinel/sentinel.h"
#include "sim/sentinel_model.h"
#include "sim/world.h"

namespace holdfast::sim {

class Checkers {
 public:
  explicit Checkers(size_t sentinels) : sentinels_(sentinels), seen_(sentinels) {}

  void ours_acted(size_t number, const sentinel::Sentinel& machine);
  void model_acted(size_t number, const SentinelModelView& view);
  /// The log has new lines (I12, I13). `number_of` a line's node: not a Sentinel if absent.
  void read_log(const std::vector<LogLine>& log, const std::map<std::string, size_t>& number_of);
  /// Its process started anew.
  void reborn(size_t number);
  /// A disk lied and lost power: what was durable there is not.
  void excuse_disk(size_t number) { liars_.insert(number); }
  /// This Sentinel cannot hear a majority (others below), or can again.
  void alone(size_t number, bool is, Duration now);

  /// Empty: nothing is broken.
  const std::string& broken() const { return broken_; }
  void report(std::string what);
  int elections() const { return elections_; }
  int switches() const { return static_cast<int>(addresses_.size()); }

 private:
  struct Seen {
    uint64_t epoch = 0, config_epoch = 0;
    std::string runid;
    bool elected = false, promoting = false;
    uint64_t failover_epoch = 0;
    int grammar = 0;
    bool forced = false;
    bool is_alone = false;
    uint64_t epoch_alone = 0;
    Duration alone_since{};
    Duration last_input{};
  };
  void vote(size_t number, const std::string& leader, uint64_t epoch);
  void epochs(size_t number, uint64_t epoch, uint64_t config_epoch, const Address& primary);
  void elected(size_t number, uint64_t epoch);
  void check_event(size_t number, const LogLine& line);

  size_t sentinels_;
  std::vector<Seen> seen_;
  std::set<size_t> liars_;
  std::map<std::pair<size_t, uint64_t>, std::string> votes_;  // of a Sentinel in an epoch
  // What was ever given, durable or not yet: one write of the disk may cover two epochs.
  std::set<std::tuple<size_t, uint64_t, std::string>> given_;
  std::map<uint64_t, size_t> leaders_;     // of an epoch
  std::map<uint64_t, Address> addresses_;  // of a configuration epoch
  uint64_t highest_elected_ = 0;
  size_t lines_read_ = 0;
  int elections_ = 0;
  std::string broken_;
};

}  // namespace holdfast::sim
