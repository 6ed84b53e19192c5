#include "sentinel/down.h"

#include <fmt/format.h>

#include <algorithm>

#include "sentinel/fast.h"
#include "sentinel/hello.h"
#include "sentinel/quorum.h"
#include "sentinel/wipe.h"

namespace holdfast::sentinel {
namespace {

constexpr int kStaleAnswerPeriods = 5;   // ask periods after which a Sentinel's opinion and vote are forgotten
constexpr int kSilentPubsubPeriods = 3;  // publish periods without a message: our own hellos should have come back

}  // namespace

void Down::close_silent(Instance& instance, Agenda& agenda) {
  Link& link = core_.topology.link_of(instance);
  const Duration grace = core_.periods.min_link_reconnect;
  if (link.commands.conn && link.unanswered_since) {
    const Mono half_down = std::max(*link.unanswered_since, link.last_reply) + instance.down_after / 2;
    if (agenda.due(std::max(link.commands.since + grace, half_down))) {
      links_.close_commands(link);
      core_.touch_link(link);
    }
  }
  if (link.pubsub.conn) {
    const Mono silent = link.pubsub_activity + core_.periods.publish * kSilentPubsubPeriods;
    if (agenda.due(std::max(link.pubsub.since + grace, silent))) {
      links_.close_pubsub(link);
      core_.touch_link(link);
    }
  }
}

bool Down::looks_down(const Instance& instance, Agenda& agenda) const {
  const Link& link = core_.topology.link_of(instance);
  bool down = false;
  if (link.unanswered_since) {
    down = agenda.due(*link.unanswered_since + instance.down_after);
  } else if (!link.ready()) {
    down = agenda.due(link.last_available + instance.down_after);
  }
  if (instance.kind != Kind::kPrimary) return down;
  const auto& primary = static_cast<const Primary&>(instance);
  down |= primary.crash.evident || lost_history(core_, primary);
  // A primary that says it is a replica, long enough to have said so twice.
  if (primary.role_reported == Role::kReplica) {
    down |= agenda.due(primary.role_reported_at + primary.down_after + core_.periods.info * 2);
  }
  if (primary.rebooting_since) down |= agenda.due(*primary.rebooting_since + primary.reboot_down_after);
  return down;
}

void Down::check_subjective(Instance& instance, Agenda& agenda) {
  close_silent(instance, agenda);
  const bool down = looks_down(instance, agenda);
  if (down == instance.s_down) return;
  if (down) {
    core_.event(Event::kSdown, instance);
    instance.s_down_since = agenda.now();
  } else {
    core_.event(Event::kSdownEnd, instance);
    instance.script_kill_sent = false;
  }
  instance.s_down = down;
  if (instance.kind == Kind::kPrimary) tell_ours(static_cast<Primary&>(instance));
}

/// Sentinels of ours need not ask: they hear our opinion when it changes.
void Down::tell_ours(Primary& primary) {
  if (!is_fast(core_, primary)) return;
  for (const auto& [runid, sentinel] : primary.sentinels) {
    const Link& link = core_.topology.link_of(*sentinel);
    if (!link.extended || !link.ready() || !links_.has_room(*sentinel)) continue;
    links_.send(*sentinel, Request::kDiscard,
                {"SENTINEL", "EXT", "OPINION", core_.announced(primary.address), std::to_string(primary.address.port),
                 core_.settings.myid, primary.s_down ? std::string_view("1") : std::string_view("0")});
  }
}

void Down::check_objective(Primary& primary) {
  int64_t others = 0;
  for (const auto& [runid, sentinel] : primary.sentinels) others += sentinel->says_primary_down ? 1 : 0;
  const bool down = objectively_down(primary.s_down, others, core_.keeps(Rule::kQuorum) ? primary.quorum : 1);
  if (down == primary.o_down) return;
  if (down) {
    core_.event(Event::kOdown, primary, fmt::format(" #quorum {}/{}", others + 1, primary.quorum));
    primary.o_down_since = core_.now.mono;
  } else {
    core_.event(Event::kOdownEnd, primary);
  }
  primary.o_down = down;
}

/// Pause between two questions to the same Sentinel.
Duration Down::ask_period(const Primary& primary, Agenda& agenda) const {
  const bool urgent = is_fast(core_, primary) && primary.s_down_since && !agenda.due(*primary.s_down_since + kFastFor);
  const bool voting = is_fast(core_, primary) && primary.failover_state == FailoverState::kWaitStart &&
                      !agenda.due(primary.state_changed + kFastFor);
  const bool before_election = primary.prevote_since && !agenda.due(*primary.prevote_since + kFastFor);
  return urgent || voting || before_election ? std::min(kFastAskPeriod, core_.periods.ask) : core_.periods.ask;
}

void Down::ask_others(Primary& primary, bool forced, Agenda& agenda) {
  const Duration period = ask_period(primary, agenda);
  for (const auto& [runid, sentinel] : primary.sentinels) {
    if (sentinel->says_primary_down || !sentinel->voted_leader.empty()) {
      if (agenda.due(sentinel->last_answer + core_.periods.ask * kStaleAnswerPeriods)) {
        sentinel->says_primary_down = false;
        sentinel->voted_leader.clear();
      }
    }
    // With a successor chosen there is nothing left to ask: the others answer for its address by now.
    if (primary.failover_state >= FailoverState::kReconfReplicas && is_fast(core_, primary)) continue;
    const bool wanted = primary.s_down || (primary.coordinated && primary.failover_state == FailoverState::kWaitStart);
    if (!wanted || !core_.topology.link_of(*sentinel).ready()) continue;
    if (!forced) {
      if (sentinel->asks_in_flight > 0 || !links_.has_room(*sentinel)) continue;
      if (!agenda.due(std::max(sentinel->last_answer, sentinel->last_asked) + period)) continue;
    }
    const bool voting = primary.failover_in_progress;
    const uint64_t epoch = voting ? primary.failover_epoch : core_.settings.current_epoch;
    links_.send(
        *sentinel, Request::kAsk,
        {"SENTINEL", "is-master-down-by-addr", core_.announced(primary.address), std::to_string(primary.address.port),
         std::to_string(epoch), voting ? std::string_view(core_.settings.myid) : std::string_view("*")});
    ++sentinel->asks_in_flight;
    sentinel->last_asked = agenda.now();
  }
}

void Down::ask_answered(Instance& sentinel, const codec::Reply& reply) {
  if (sentinel.asks_in_flight > 0) --sentinel.asks_in_flight;
  using Type = codec::Reply::Type;
  const bool shaped = reply.type == Type::kArray && reply.items.size() == 3 && reply.items[0].type == Type::kInteger &&
                      reply.items[1].is_string() && reply.items[2].type == Type::kInteger;
  // Errors are ignored: without answers the opinion expires by itself. But ask again no sooner than one period on.
  sentinel.last_answer = shaped ? core_.now.mono : sentinel.last_answer;
  if (!shaped) return;
  sentinel.says_primary_down = reply.items[0].integer == 1;
  const std::string& leader = reply.items[1].text;
  if (leader == "*" || !is_plain_word(leader, 64) || reply.items[2].integer < 0) return;
  const auto epoch = static_cast<uint64_t>(reply.items[2].integer);
  if (sentinel.voted_leader_epoch != epoch) {
    core_.log(LogLevel::kNotice, fmt::format("{} voted for {} {}", sentinel.name, leader, epoch));
  }
  sentinel.voted_leader = leader;
  sentinel.voted_leader_epoch = epoch;
}

}  // namespace holdfast::sentinel
