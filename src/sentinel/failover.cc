#include "sentinel/failover.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "sentinel/coordinate.h"
#include "sentinel/fast.h"
#include "sentinel/promote.h"
#include "sentinel/switchover.h"

namespace holdfast::sentinel {
namespace {

using State = FailoverState;

/// `Thu Nov 24 18:22:48 1986`, local time.
std::string ctime_text(Wall when, Duration utc_offset) {
  const auto seconds = static_cast<std::time_t>(unix_seconds(when + utc_offset));
  const std::tm local = fmt::gmtime(seconds);
  return fmt::format("{:%a %b %e %H:%M:%S %Y}", local);
}

Candidate candidate_of(const Core& core, const Instance& replica) {
  const Primary& primary = *replica.primary;
  const Link& link = core.topology.link_of(replica);
  Candidate out;
  out.down = replica.s_down;
  out.disconnected = !link.ready();
  out.since_available = core.since(link.last_available);
  if (replica.info_at) out.info_age = core.since(*replica.info_at);
  out.priority = replica.priority;
  out.link_down = replica.primary_link_down;
  out.offset = replica.offset;
  const Lineage& reference = primary.rebirth ? primary.rebirth->former : primary.lineage;
  if (core.keeps(Rule::kLineage)) out.kinship = kinship(reference, replica.lineage, replica.offset);
  if (core.keeps(Rule::kWholeData)) {
    out.never_synced = replica.never_synced && out.kinship != Kinship::kSame;
    // A replica that has only begun to copy a wiped primary still holds what that one lost.
    const bool holds_former = primary.rebirth && replica.keys > 0 && out.kinship == Kinship::kSame;
    out.half_synced = replica.loading || (replica.sync_in_progress && !holds_former);
  }
  out.refused = primary.failover_in_progress && replica.refused_in == primary.failover_epoch;
  out.runid = replica.runid;
  return out;
}

}  // namespace

std::string_view failover_state_word(State state) {
  switch (state) {
    case State::kNone:
      return "none";
    case State::kWaitStart:
      return "wait_start";
    case State::kSelectReplica:
      return "select_slave";
    case State::kSendPromotion:
      return "send_slaveof_noone";
    case State::kWaitPromotion:
      return "wait_promotion";
    case State::kReconfReplicas:
      return "reconf_slaves";
    case State::kUpdateConfig:
      return "update_config";
  }
  HF_UNREACHABLE();
}

bool is_legal_transition(State from, State to) {
  if (to == State::kNone) return from != State::kNone;  // abort, end, or a reset from outside
  if (from == State::kWaitPromotion && to == State::kSelectReplica) return true;
  return static_cast<int>(to) == static_cast<int>(from) + 1;
}

void enter(Core& core, Primary& primary, State state) {
  HF_ASSERT(is_legal_transition(primary.failover_state, state));
  primary.failover_state = state;
  primary.failover_in_progress = state != State::kNone;
  primary.state_changed = core.now.mono;
  core.touch(primary);
  const Instance* replica = core.topology.promoted(primary);
  HF_ASSERT(state < State::kSendPromotion || replica != nullptr);
  switch (state) {
    case State::kNone:
    case State::kWaitStart:
    case State::kUpdateConfig:
      return;
    case State::kSelectReplica:
      return core.event(Event::kStateSelectSlave, primary);
    case State::kSendPromotion:
      return core.event(Event::kStateSendSlaveofNoone, *replica);
    case State::kWaitPromotion:
      return core.event(Event::kStateWaitPromotion, *replica);
    case State::kReconfReplicas:
      return core.event(Event::kStateReconfSlaves, primary);
  }
  HF_UNREACHABLE();
}

Instance& Failover::promoted(Primary& primary) const {
  Instance* replica = core_.topology.instance(primary.promoted_replica);
  HF_ASSERT(replica != nullptr);
  return *replica;
}

bool Failover::start_if_needed(Primary& primary, Agenda& agenda) {
  if (!primary.o_down) {
    primary.may_start.reset();
    primary.prevote_since.reset();
  }
  if (!primary.o_down || primary.failover_in_progress) return false;
  if (!(promises_bind(core_, primary) ? may_start(primary, agenda) : may_start_as_original(primary, agenda))) {
    return false;
  }
  if (!primary.may_start) primary.may_start = agenda.now() + election_.start_delay(primary);
  // The others are asked while our turn is still to come.
  const bool answered = election_.others_answer(primary, agenda);
  if (!agenda.due(*primary.may_start) || !answered) return false;
  start(primary);
  return true;
}

/// Where the votes of ours are promises: nothing binds us, and the last round is over for a while.
bool Failover::may_start(Primary& primary, Agenda& agenda) {
  if (primary.promised_until && core_.keeps(Rule::kVotePromise) && !agenda.due(*primary.promised_until)) return false;
  if (!primary.retry_at || agenda.due(*primary.retry_at)) return true;
  if (primary.waiting_for_replica) log_delay(primary, *primary.retry_at);
  return primary.waiting_for_replica && select_replica(primary) != nullptr;
}

/// Once per attempt.
void Failover::log_delay(Primary& primary, Mono until) {
  if (primary.delay_logged == primary.failover_started) return;
  primary.delay_logged = primary.failover_started;
  core_.log(LogLevel::kNotice,
            fmt::format("Next failover delay: I will not start a failover before {}",
                        ctime_text(core_.now.wall + (until - core_.now.mono), core_.options.utc_offset)));
}

bool Failover::may_start_as_original(Primary& primary, Agenda& agenda) {
  if (primary.failover_started && !agenda.due(*primary.failover_started + primary.failover_timeout * 2)) {
    log_delay(primary, *primary.failover_started + primary.failover_timeout * 2);
    return false;
  }
  return true;
}

void Failover::start(Primary& primary) {
  primary.may_start.reset();
  primary.prevote_since.reset();
  primary.retry_at.reset();
  primary.waiting_for_replica = false;
  primary.superseded = false;
  primary.failover_begun = core_.now.mono;
  primary.info_fresh_since = core_.now.mono;
  if (primary.s_down && primary.crash.lost_at) primary.info_fresh_since = *primary.crash.lost_at;
  primary.failover_epoch = core_.settings.current_epoch + 1;
  core_.adopt_epoch(primary.failover_epoch, primary);
  core_.event(Event::kTryFailover, primary);
  primary.failover_started = core_.now.mono + from_ms(static_cast<int64_t>(core_.prng.below(kDesyncMs)));
  enter(core_, primary, State::kWaitStart);
}

bool Failover::advance(Primary& primary, Agenda& agenda) {
  while (!core_.exiting) {
    const State before = primary.failover_state;
    if (primary.superseded && !primary.forced && before != State::kNone && before < State::kReconfReplicas &&
        promises_bind(core_, primary)) {
      abort(primary, before == State::kWaitStart ? Event::kAbortNotElected : Event::kAbortSlaveTimeout);
      return false;
    }
    switch (before) {
      case State::kNone:
        return false;
      case State::kWaitStart:
        wait_start(primary, agenda);
        break;
      case State::kSelectReplica:
        select(primary, agenda);
        break;
      case State::kSendPromotion:
        send_promotion(primary, agenda);
        break;
      case State::kWaitPromotion:
        wait_promotion(primary, agenda);
        break;
      case State::kReconfReplicas:
        reconf_replicas(primary, agenda);
        break;
      case State::kUpdateConfig:
        update_config(primary);
        return true;
    }
    if (primary.failover_state == before) return false;
  }
  return false;
}

void Failover::wait_start(Primary& primary, Agenda& agenda) {
  const std::string leader = election_.leader_of_failover(primary);
  if (leader != core_.settings.myid && !primary.forced) {
    const Duration timeout = std::min(core_.periods.election_timeout, primary.failover_timeout);
    const bool lost = promises_bind(core_, primary) &&
                      (!leader.empty() || election_.round_is_lost(primary) || lease_is_over(primary, agenda));
    if (lost || agenda.due(*primary.failover_started + timeout)) abort(primary, Event::kAbortNotElected);
    // Somebody else won: as long as the votes bind, it is on it.
    if (lost && !leader.empty()) primary.retry_at = core_.now.mono + kVoteLease;
    return;
  }
  core_.event(Event::kElectedLeader, primary);
  if ((core_.simulated_failures & kCrashAfterElection) != 0) return crash();
  enter(core_, primary, State::kSelectReplica);
}

/// The votes that elected us bind no longer: somebody else may be acting.
bool Failover::lease_is_over(const Primary& primary, Agenda& agenda) const {
  if (primary.forced || !promises_bind(core_, primary) || !core_.keeps(Rule::kLease)) return false;
  return agenda.due(primary.failover_begun + kVoteLease - kLeaseMargin);
}

/// All candidates that can be reached told how they are now, or had their chance.
bool Failover::infos_are_fresh(Primary& primary, Agenda& agenda) {
  bool all = true;
  for (const auto& [key, replica] : primary.replicas) {
    if (replica->s_down || !core_.topology.link_of(*replica).ready()) continue;
    if (replica->info_at && replica->info_asked >= primary.info_fresh_since) continue;
    all = false;
    if (!replica->info_in_flight && links_.has_room(*replica)) monitor_.send_info(*replica);
  }
  return all || agenda.due(primary.state_changed + kFreshInfoWait);
}

Instance* Failover::select_replica(Primary& primary) const {
  if (!primary.failover_in_progress) return select_among(primary, Told::kLately, Kin::kAny);
  for (const Told told : {Told::kNow, Told::kLately}) {
    Instance* const kin = select_among(primary, told, Kin::kNotForeign);
    if (kin != nullptr) return kin;
  }
  Instance* foreign = select_among(primary, Told::kNow, Kin::kAny);
  if (foreign == nullptr) foreign = select_among(primary, Told::kLately, Kin::kAny);
  if (foreign == nullptr) return nullptr;
  // One that answers pings but did not say in time how it is, and held the primary's history when it last did, is
  // better than another history: only the primary could have taken it away.
  Instance* const silent = select_among(primary, Told::kEver, Kin::kProven);
  return silent != nullptr ? silent : foreign;
}

Instance* Failover::select_among(Primary& primary, Told told, Kin kin) const {
  Fitness limits;
  limits.since_available_max = core_.periods.ping * 5;
  limits.info_age_max = primary.s_down ? core_.periods.ping * 5 : core_.periods.info * 3;
  if (told == Told::kEver) limits.info_age_max = Duration::max();
  limits.link_down_max = primary.down_after * 10;
  if (primary.s_down && primary.s_down_since) limits.link_down_max += core_.since(*primary.s_down_since);
  std::vector<Candidate> candidates;
  std::vector<Instance*> replicas;
  for (const auto& [key, replica] : primary.replicas) {
    if (told == Told::kNow && replica->info_asked < primary.info_fresh_since) continue;
    const Candidate candidate = candidate_of(core_, *replica);
    if (kin != Kin::kAny && candidate.kinship == Kinship::kForeign) continue;
    if (kin == Kin::kProven && candidate.kinship == Kinship::kUnknown) continue;
    candidates.push_back(candidate);
    replicas.push_back(replica.get());
  }
  const std::optional<size_t> best = choose(candidates, limits);
  return best ? replicas[*best] : nullptr;
}

void Failover::select(Primary& primary, Agenda& agenda) {
  if (!infos_are_fresh(primary, agenda)) return;
  if (lease_is_over(primary, agenda)) return abort(primary, Event::kAbortSlaveTimeout);
  Instance* replica = select_replica(primary);
  if (replica == nullptr) return abort(primary, Event::kAbortNoGoodSlave);
  core_.event(Event::kSelectedSlave, *replica);
  replica->promoted = true;
  primary.promoted_replica = replica->id;
  enter(core_, primary, State::kSendPromotion);
}

void Failover::send_promotion(Primary& primary, Agenda& agenda) {
  Instance& replica = promoted(primary);
  if (lease_is_over(primary, agenda)) return abort(primary, Event::kAbortSlaveTimeout);
  if (primary.coordinated) return send_handover_to(primary, replica, agenda);
  const bool ready = core_.topology.link_of(replica).ready();
  if (!ready || !(is_fast(core_, primary) ? links_.send_promotion(replica) : links_.send_slaveof(replica, nullptr))) {
    if (agenda.due(primary.state_changed + primary.failover_timeout)) abort(primary, Event::kAbortSlaveTimeout);
    return;
  }
  // The replies do not count, the effect does: look for it in the same breath.
  monitor_.send_info(replica);
  enter(core_, primary, State::kWaitPromotion);
}

/// The primary is asked to make the replica its successor; when that has happened the replica says so in INFO.
void Failover::send_handover_to(Primary& primary, Instance& replica, Agenda& agenda) {
  const Duration left = primary.state_changed + primary.failover_timeout - agenda.now();
  if (left < kHandoverMin) return abort(primary, Event::kAbortMasterTimeout);
  agenda.due(agenda.now() + left - kHandoverMin);
  if (core_.topology.link_of(replica).ready() && send_handover(core_, links_, primary, replica, left)) {
    enter(core_, primary, State::kWaitPromotion);
  }
}

void Failover::promotion_answered(Instance& asked, const codec::Reply& reply) {
  Primary& primary = primary_of(asked);
  if (primary.failover_state != State::kWaitPromotion) return;
  const codec::Reply* refusal = reply.is_error() ? &reply : nullptr;
  for (const codec::Reply& item : reply.items) {
    if (item.is_error() && (&item == reply.items.data() || primary.coordinated)) refusal = &item;
  }
  if (refusal == nullptr) return;  // INFO, right behind it, has the last word
  if (primary.coordinated) {
    core_.log(LogLevel::kWarning, fmt::format("{} refused to hand over: {}", asked.name, refusal->text.substr(0, 128)));
    return abort(primary, Event::kAbortSlaveTimeout);
  }
  if (!asked.promoted) return;
  Instance& replica = asked;
  core_.log(LogLevel::kWarning,
            fmt::format("{} refused to be promoted: {}", replica.name, refusal->text.substr(0, 128)));
  replica.refused_in = primary.failover_epoch;
  replica.promoted = false;
  primary.promoted_replica = InstanceId::kNone;
  enter(core_, primary, State::kSelectReplica);
}

void Failover::wait_promotion(Primary& primary, Agenda& agenda) {
  Instance& chosen = promoted(primary);
  if (primary.coordinated && core_.topology.link_of(chosen).ready() && !chosen.info_in_flight &&
      agenda.due(chosen.info_at.value_or(Mono{}) + kReconfInfoPeriod)) {
    monitor_.send_info(chosen);
  }
  if (is_fast(core_, primary) && !primary.coordinated && agenda.due(primary.state_changed + kPromotionPatience)) {
    chosen.refused_in = primary.failover_epoch;
    const bool another = select_replica(primary) != nullptr;
    chosen.refused_in = 0;
    if (another) return abort(primary, Event::kAbortSlaveTimeout);
  }
  if (agenda.due(primary.state_changed + primary.failover_timeout)) abort(primary, Event::kAbortSlaveTimeout);
}

void Failover::promotion_confirmed(Instance& replica) {
  Primary& primary = *replica.primary;
  HF_ASSERT(primary.failover_state == State::kWaitPromotion && replica.promoted);
  primary.config_epoch = primary.failover_epoch;
  core_.saver.request();
  if (primary.coordinated) {
    finish_handover(links_, replica);
    if (core_.topology.link_of(primary).commands.established) finish_handover(links_, primary);
  } else if (is_fast(core_, primary)) {
    links_.send(replica, Request::kDiscard, {"CONFIG", "REWRITE"});
  }
  core_.event(Event::kPromotedSlave, replica);
  if ((core_.simulated_failures & kCrashAfterPromotion) != 0) return crash();
  enter(core_, primary, State::kReconfReplicas);
  core_.run_reconfig_script(primary, "leader", primary.address, replica.address);
  monitor_.force_hellos(primary);
}

void Failover::reconf_replicas(Primary& primary, Agenda& agenda) {
  int64_t in_progress = 0;
  for (const auto& [key, replica] : primary.replicas) {
    in_progress += replica->reconf == ReconfProgress::kSent || replica->reconf == ReconfProgress::kInProgress ? 1 : 0;
  }
  const NodeAddress target = promoted(primary).address;
  for (const auto& [key, replica] : primary.replicas) {
    if (replica->promoted || replica->reconf == ReconfProgress::kDone) continue;
    if (replica->reconf == ReconfProgress::kSent &&
        agenda.due(replica->reconf_sent_at + core_.periods.replica_reconf_timeout)) {
      // Its configuration will be fixed later, when it is seen replicating from elsewhere.
      core_.event(Event::kReconfSentTimeout, *replica);
      replica->reconf = ReconfProgress::kDone;
      --in_progress;
      continue;
    }
    // The limit is about full copies, which make a replica useless for a while.
    const bool cheap = is_fast(core_, primary) && can_continue(promoted(primary).lineage, promoted(primary).offset,
                                                               replica->lineage, replica->offset);
    if (replica->reconf != ReconfProgress::kNone || (in_progress >= primary.parallel_syncs && !cheap)) continue;
    if (!core_.topology.link_of(*replica).ready() || !links_.send_slaveof(*replica, &target)) continue;
    monitor_.send_info(*replica);
    replica->reconf = ReconfProgress::kSent;
    replica->reconf_sent_at = core_.now.mono;
    agenda.due(replica->reconf_sent_at + core_.periods.replica_reconf_timeout);
    core_.event(Event::kReconfSent, *replica);
    ++in_progress;
  }
  detect_end(primary, agenda);
}

void Failover::detect_end(Primary& primary, Agenda& agenda) {
  const Instance& chosen = promoted(primary);
  if (chosen.s_down) return;
  const bool waiting = std::any_of(primary.replicas.begin(), primary.replicas.end(), [](const auto& entry) {
    const Instance& replica = *entry.second;
    return !replica.promoted && replica.reconf != ReconfProgress::kDone && !replica.s_down;
  });
  const bool timeout = agenda.due(primary.state_changed + primary.failover_timeout);
  if (waiting && !timeout) return;
  if (timeout) core_.event(Event::kFailoverEndForTimeout, primary);
  core_.event(Event::kFailoverEnd, primary);
  enter(core_, primary, State::kUpdateConfig);
  if (!timeout) return;
  for (const auto& [key, replica] : primary.replicas) {
    if (replica->promoted || replica->reconf == ReconfProgress::kDone || replica->reconf == ReconfProgress::kSent) {
      continue;
    }
    if (!core_.topology.link_of(*replica).ready() || !links_.send_slaveof(*replica, &chosen.address)) continue;
    core_.event(Event::kReconfSentBestEffort, *replica);
    replica->reconf = ReconfProgress::kSent;
  }
}

void Failover::update_config(Primary& primary) {
  const NodeAddress to = promoted(primary).address;
  core_.event_text(Event::kSwitchMaster, &primary,
                   fmt::format("{} {} {} {} {}", primary.name, core_.announced(primary.address), primary.address.port,
                               core_.announced(to), to.port));
  change_address(core_, links_, primary, to);
}

void Failover::abort(Primary& primary, Event reason) {
  HF_ASSERT(primary.failover_state <= State::kWaitPromotion);
  core_.event(reason, primary);
  if (primary.coordinated && primary.failover_state == State::kWaitPromotion) cancel_handover(core_, links_, primary);
  primary.forced = false;
  primary.coordinated = false;
  primary.superseded = false;
  // Our own candidacy ends before anything was done with it: the vote for ourselves binds nobody any more.
  const bool unused = primary.failover_state < State::kWaitPromotion;
  if (unused && primary.leader == core_.settings.myid) primary.promised_until.reset();
  if (Instance* replica = core_.topology.instance(primary.promoted_replica)) replica->promoted = false;
  enter(core_, primary, State::kNone);
  primary.promoted_replica = InstanceId::kNone;
  if (reason == Event::kAbortNoGoodSlave) {
    primary.waiting_for_replica = true;
    primary.retry_at = core_.now.mono + primary.failover_timeout * 2;
  } else {
    const auto jitter = core_.prng.below(static_cast<uint64_t>(kRetryJitter.count()));
    primary.retry_at = core_.now.mono + kRetryMin + Duration(static_cast<int64_t>(jitter));
  }
}

void Failover::crash() {
  core_.log(LogLevel::kWarning, "Sentinel CRASH because of SENTINEL simulate-failure");
  core_.act(action::Exit{99});
  core_.exiting = true;
}

}  // namespace holdfast::sentinel
