#include "sim/checkers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/address.h"

namespace holdfast::sim {
namespace {

/// I12: where in a failover an event may come. States: 0 none, 1 tried, 2 elected, 3 selecting, 4 selected, 5 sending,
/// 6 waiting, 7 promoted, 8 pointing the others, 9 ended.
struct GrammarRow {
  std::string_view event;
  int from;
  int to;
};
constexpr GrammarRow kGrammar[] = {
    {"+try-failover ", 0, 1},
    {"+elected-leader ", 1, 2},
    {"+failover-state-select-slave ", 2, 3},
    {"+failover-state-select-slave ", 6, 3},  // it refused: the next one
    {"+selected-slave ", 3, 4},
    {"+failover-state-send-slaveof-noone ", 4, 5},
    {"+failover-state-wait-promotion ", 5, 6},
    {"+promoted-slave ", 6, 7},
    {"+failover-state-reconf-slaves ", 7, 8},
    {"+slave-reconf-sent ", 8, 8},
    {"+slave-reconf-inprog ", 8, 8},
    {"+slave-reconf-done ", 8, 8},
    {"-slave-reconf-sent-timeout ", 8, 8},
    {"+failover-end-for-timeout ", 8, 8},
    {"+failover-end ", 8, 9},
    {"+slave-reconf-sent-be ", 9, 9},
    {"+switch-master ", 9, 0},
    {"-failover-abort-not-elected ", 1, 0},
    {"-failover-abort-no-good-slave ", 3, 0},
    {"-failover-abort-slave-timeout ", 3, 0},
    {"-failover-abort-slave-timeout ", 5, 0},
    {"-failover-abort-slave-timeout ", 6, 0},
    {"+switch-master ", 0, 0},  // heard from another one, which ends what runs here
};

}  // namespace

void Checkers::report(std::string what) {
  if (broken_.empty()) broken_ = std::move(what);
}

void Checkers::reborn(size_t number) {
  const std::string runid = seen_[number].runid;
  seen_[number] = {};
  seen_[number].runid = runid;
}

void Checkers::vote(size_t number, const std::string& leader, uint64_t epoch) {
  if (leader.empty() || liars_.contains(number)) return;
  const auto [at, fresh] = votes_.emplace(std::pair(number, epoch), leader);
  if (!fresh && at->second != leader) {
    report(fmt::format("I1: s{} voted for {} and for {} in epoch {}", number, at->second, leader, epoch));
  }
}

void Checkers::epochs(size_t number, uint64_t epoch, uint64_t config_epoch, const Address& primary) {
  Seen& seen = seen_[number];
  if (epoch < seen.epoch) report(fmt::format("I4: s{}: the current epoch went back", number));
  if (config_epoch < seen.config_epoch) report(fmt::format("I4: s{}: the config epoch went back", number));
  if (seen.is_alone && epoch > seen.epoch_alone) {
    report(fmt::format("I11: s{} raised the epoch while it heard no majority", number));
  }
  seen.epoch = epoch;
  if (config_epoch == seen.config_epoch && config_epoch == 0) return;
  seen.config_epoch = config_epoch;
  const auto [at, fresh] = addresses_.emplace(config_epoch, primary);
  if (!fresh && at->second != primary && liars_.empty()) {
    report(fmt::format("I9: s{}: epoch {} means {} and {}", number, config_epoch, to_string(at->second),
                       to_string(primary)));
  }
}

void Checkers::elected(size_t number, uint64_t epoch) {
  ++elections_;
  highest_elected_ = std::max(highest_elected_, epoch);
  if (!liars_.empty()) return;
  const auto [at, fresh] = leaders_.emplace(epoch, number);
  if (!fresh && at->second != number) {
    report(fmt::format("I2: s{} and s{} lead in epoch {}", at->second, number, epoch));
  }
  size_t votes = 0;
  for (size_t i = 0; i < sentinels_; ++i) {
    votes += given_.contains({i, epoch, seen_[number].runid}) ? 1 : 0;
  }
  if (votes < sentinels_ / 2 + 1) report(fmt::format("I11: s{} leads in epoch {} with {} votes", number, epoch, votes));
}

void Checkers::alone(size_t number, bool is, Duration now) {
  Seen& seen = seen_[number];
  if (is == seen.is_alone) return;
  seen.is_alone = is;
  seen.alone_since = now;
  seen.epoch_alone = seen.epoch;
}

void Checkers::ours_acted(size_t number, const sentinel::Sentinel& machine) {
  Seen& seen = seen_[number];
  if (seen.runid.empty()) seen.runid = machine.myid();
  const sentinel::Sentinel::Vote given = machine.vote("m");
  if (!given.leader.empty()) given_.emplace(number, given.epoch, given.leader);
  if (given.durable) vote(number, given.leader, given.epoch);
  epochs(number, machine.current_epoch(), machine.config_epoch("m"), machine.primary_address("m"));
  const sentinel::Sentinel::Progress progress = machine.progress("m");
  const bool same = progress.running && progress.epoch == seen.failover_epoch;
  if (progress.elected && !progress.forced && !(same && seen.elected)) elected(number, progress.epoch);
  if (progress.promoting && !progress.forced && progress.votes_bind && !(same && seen.promoting) && liars_.empty() &&
      progress.epoch < highest_elected_) {
    report(fmt::format("I3: s{} acts for epoch {} although {} has a leader", number, progress.epoch, highest_elected_));
  }
  seen.elected = progress.elected;
  seen.promoting = progress.promoting;
  seen.forced = progress.forced;
  seen.failover_epoch = progress.epoch;
}

void Checkers::model_acted(size_t number, const SentinelModelView& view) {
  seen_[number].runid = view.runid;
  if (!view.leader.empty()) given_.emplace(number, view.leader_epoch, view.leader);
  vote(number, view.leader, view.leader_epoch);
  epochs(number, view.current_epoch, view.config_epoch, view.primary);
}

void Checkers::check_event(size_t number, const LogLine& line) {
  Seen& seen = seen_[number];
  bool known = false;
  for (const GrammarRow& row : kGrammar) {
    if (!line.text.starts_with(row.event)) continue;
    known = true;
    if (row.from != seen.grammar) continue;
    seen.grammar = row.to;
    return;
  }
  if (!known) return;
  // What another one decided ends our own attempt.
  if (line.text.starts_with("+switch-master ")) {
    seen.grammar = 0;
    return;
  }
  report(fmt::format("I12: s{} says `{}` in state {} of a failover", number, line.text, seen.grammar));
}

void Checkers::read_log(const std::vector<LogLine>& log, const std::map<std::string, size_t>& number_of) {
  for (; lines_read_ < log.size(); ++lines_read_) {
    const LogLine& line = log[lines_read_];
    if (line.text.starts_with("protocol violation")) report(fmt::format("I13: {}: {}", line.node, line.text));
    const auto at = number_of.find(line.node);
    if (at != number_of.end()) check_event(at->second, line);
  }
}

}  // namespace holdfast::sim
