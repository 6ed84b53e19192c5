// The evidence alone, without a network: what counts, what does not, who may contradict.
#include "sentinel/crash.h"

#include <gtest/gtest.h>

#include "sentinel/fast.h"

namespace holdfast::sentinel {
namespace {

struct Case {
  Case() : core(Options{}) {
    core.now.mono += 100s;
    primary = &core.topology.add_primary("m", {"10.0.0.1", "10.0.0.1", 6379}, 1, core.now.mono);
    primary->down_after = 30s;
    replica = &core.topology.add_replica(*primary, "10.0.0.2:6379", {"10.0.0.2", "10.0.0.2", 6379}, core.now.mono);
    replica->reported_primary_host = "10.0.0.1";
    replica->reported_primary_port = 6379;
    core.topology.link_of(*replica).commands.established = true;
    core.topology.link_of(*primary).last_attempt = core.now.mono;
  }
  void later(Duration d) { core.now.mono += d; }
  void lose(CloseReason why = CloseReason::kReset) { note_lost(core, *primary, true, why); }
  void refuse() {
    core.topology.link_of(*primary).last_attempt = core.now.mono;
    note_lost(core, *primary, false, CloseReason::kRefused);
  }
  /// The replica answered an INFO that was asked for now.
  void witness(bool link_up, bool moved) {
    replica->previous_info_asked = replica->info_asked;
    replica->info_asked = core.now.mono;
    replica->info_at = core.now.mono;
    replica->primary_link_up = link_up;
    if (moved) replica->moved_at = core.now.mono;
  }
  bool evident() {
    Agenda agenda(core.now.mono);
    look_for_crash(core, *primary, agenda);
    next = agenda.next();
    return primary->crash.evident;
  }

  Core core;
  Primary* primary = nullptr;
  Instance* replica = nullptr;
  Mono next{};
};

TEST(Crash, ResetAndTwoRefusalsApart) {
  Case c;
  c.lose();
  c.witness(false, false);
  EXPECT_FALSE(c.evident());
  c.refuse();
  EXPECT_FALSE(c.evident());
  EXPECT_EQ(c.next, c.core.now.mono + kProbeInterval);  // the next attempt
  c.later(kProbeInterval);
  c.refuse();
  EXPECT_TRUE(c.evident());
  note_connected(*c.primary);
  EXPECT_FALSE(c.evident());
}

TEST(Crash, RefusalsAloneAreNoEvidence) {
  Case c;
  c.refuse();
  c.later(5ms);
  c.refuse();
  EXPECT_FALSE(c.evident());
  // Nor is a connection that ended in another way, or attempts that ended otherwise.
  c.lose(CloseReason::kTimedOut);
  c.refuse();
  c.later(5ms);
  c.refuse();
  EXPECT_FALSE(c.evident());
  c.lose();
  for (int i = 0; i < 3; ++i) {
    c.later(5ms);
    note_lost(c.core, *c.primary, false, CloseReason::kTimedOut);
    note_lost(c.core, *c.primary, false, CloseReason::kUnreachable);
  }
  EXPECT_FALSE(c.evident());
}

TEST(Crash, ConfirmationTakesAsLongAsConfigured) {
  Case c;
  c.primary->crash_confirm = 300ms;
  c.lose();
  c.witness(false, false);
  c.refuse();
  for (int i = 0; i < 14; ++i) {
    c.later(20ms);
    c.refuse();
    EXPECT_FALSE(c.evident());
  }
  c.later(20ms);
  EXPECT_TRUE(c.evident());
}

TEST(Crash, AReplicaThatMovesContradicts) {
  Case c;
  c.lose();
  c.refuse();
  c.later(5ms);
  c.refuse();
  EXPECT_FALSE(c.evident()) << "the replica was not heard yet";
  c.later(10ms);
  c.witness(true, false);
  EXPECT_FALSE(c.evident()) << "it says the link is up: look twice";
  for (int i = 0; i < 50; ++i) {
    c.later(20ms);
    c.witness(true, true);
    c.refuse();
    EXPECT_FALSE(c.evident());
  }
  c.later(kDoubtMax);
  EXPECT_TRUE(c.evident()) << "it has not moved for a while";
}

TEST(Crash, ASilentReplicaIsWaitedForOnlyShortly) {
  Case c;
  c.lose();
  c.refuse();
  c.later(kWitnessWait);
  c.refuse();
  EXPECT_TRUE(c.evident());
}

TEST(Crash, StrictTimingKnowsNoCrash) {
  Case c;
  c.primary->fast_failover = FastFailover::kNo;
  c.lose();
  c.witness(false, false);
  c.refuse();
  c.later(5ms);
  c.refuse();
  EXPECT_FALSE(c.evident());
  c.primary->fast_failover = FastFailover::kAuto;
  c.primary->quorum = 2;  // of which we alone are no part that suffices
  EXPECT_FALSE(c.evident());
  c.primary->quorum = 1;
  EXPECT_TRUE(c.evident());
}

}  // namespace
}  // namespace holdfast::sentinel
