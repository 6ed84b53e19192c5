// What is kept for operators and caching clients, without a server: histograms, spikes, the slow log, redaction, keys
// that were read.
#include <gtest/gtest.h>

#include "base/prng.h"
#include "command/catalogue.h"
#include "family/latency_events.h"
#include "family/latency_histogram.h"
#include "family/latency_report.h"
#include "family/redaction.h"
#include "family/slow_log.h"
#include "family/tracking.h"

namespace holdfast::family {
namespace {

using Words = std::vector<std::string_view>;
using Levels = std::vector<std::pair<int64_t, uint64_t>>;

Levels levels_of(const LatencyHistogram& histogram) {
  Levels out;
  histogram.visit_levels([&](int64_t us, uint64_t count) { out.emplace_back(us, count); });
  return out;
}

TEST(LatencyHistogram, ClassesAreAHundredAndTwentyEighthWide) {
  for (int64_t ns = 1; ns < LatencyHistogram::kLongest; ns += 1 + ns / 97) {
    LatencyHistogram histogram;
    histogram.record(ns);
    const int64_t low = histogram.at_percentile(0);
    const int64_t high = histogram.at_percentile(100);
    EXPECT_LE(low, ns);
    EXPECT_GE(high, ns);
    EXPECT_LE((high - low) * 128, std::max<int64_t>(ns, 128));
  }
}

TEST(LatencyHistogram, Percentiles) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(i);
  EXPECT_EQ(histogram.at_percentile(50), 50);
  EXPECT_EQ(histogram.at_percentile(99), 99);
  EXPECT_EQ(histogram.at_percentile(99.9), 100);
  EXPECT_EQ(histogram.at_percentile(0), 1);
  EXPECT_EQ(histogram.total(), 100u);
}

TEST(LatencyHistogram, LevelsAreCumulatedAndSkipWhatDoesNotGrow) {
  LatencyHistogram histogram;
  histogram.record(500);
  histogram.record(900);
  histogram.record(20'000);
  histogram.record(20'000);
  EXPECT_EQ(levels_of(histogram), (Levels{{1, 2}, {33, 4}}));
  histogram.record(5'000'000'000);  // counts as a second: behind the last level
  EXPECT_EQ(levels_of(histogram), (Levels{{1, 2}, {33, 4}}));
  EXPECT_EQ(histogram.total(), 5u);
  histogram.record(-3);  // a clock that went back
  EXPECT_EQ(levels_of(histogram).front().second, 3u);
}

TEST(LatencyEvents, OneSampleASecondAndABoundedHistory) {
  LatencyEvents events;
  events.add("command", 30, 100);
  events.add("command", 50, 100);
  events.add("command", 40, 100);
  events.add("command", 20, 101);
  const LatencyHistory* history = events.find("command");
  ASSERT_NE(history, nullptr);
  ASSERT_EQ(history->samples.size(), 2u);
  EXPECT_EQ(history->samples[0].ms, 50);
  EXPECT_EQ(history->worst_ms, 50);
  for (int i = 0; i < 500; ++i) events.add("command", 1, 200 + i);
  EXPECT_EQ(history->samples.size(), LatencyHistory::kSamplesMax);
  EXPECT_EQ(history->samples.back().at_unix_s, 699);
  events.add("fork", 1, 1);
  EXPECT_EQ(events.reset("COMMAND"), 1u);
  EXPECT_EQ(events.reset_all(), 1u);
}

TEST(LatencyReport, GraphHasAColumnForEachSample) {
  LatencyHistory history;
  history.samples = {{1000, 10}, {1030, 20}, {1050, 15}};
  history.worst_ms = 99;
  const std::string graph = latency_graph("command", history, 1070);
  const std::string head = "command - high 20 ms, low 10 ms (all time high 99 ms)\n" + std::string(80, '-') + "\n";
  EXPECT_EQ(graph, head + " # \n |_\n ||\n_||\n   \n142\nm00\n ss\n") << graph;
}

TEST(SlowLog, CutsArgumentsAndKeepsTheNewest) {
  SlowLog log;
  const std::string long_word(200, 'x');
  Words words(40, "w");
  words[1] = long_word;
  log.add({.duration_us = 7}, words, 2);
  const SlowEntry& entry = log.entries().front();
  ASSERT_EQ(entry.words.size(), 32u);
  EXPECT_EQ(entry.words[1], std::string(128, 'x') + "... (72 more bytes)");
  EXPECT_EQ(entry.words[31], "... (9 more arguments)");
  log.add({}, Words(32, "w"), 2);
  EXPECT_EQ(log.entries().front().words.size(), 32u);
  EXPECT_EQ(log.entries().front().words[31], "w");
  log.add({}, Words{"PING"}, 2);
  ASSERT_EQ(log.entries().size(), 2u);
  EXPECT_EQ(log.entries().front().id, 2u);
  log.add({}, Words{"PING"}, 0);
  EXPECT_TRUE(log.entries().empty());
}

Words shown(const Words& words) {
  command::SpecIndex index = command::find_command(words[0]);
  if (command::has_subcommands(index)) index = command::find_subcommand(index, words[1]);
  std::vector<std::string_view> storage;
  const auto out = shown_words(command::spec_at(index), words, storage);
  return {out.begin(), out.end()};
}

TEST(Redaction, HidesPasswords) {
  constexpr std::string_view kHidden = "(redacted)";
  EXPECT_EQ(shown({"auth", "p"}), (Words{"auth", kHidden}));
  EXPECT_EQ(shown({"AUTH", "u", "p"}), (Words{"AUTH", kHidden, kHidden}));
  EXPECT_EQ(shown({"HELLO", "3", "SETNAME", "auth", "AUTH", "u", "p"}),
            (Words{"HELLO", "3", "SETNAME", "auth", "AUTH", kHidden, kHidden}));
  EXPECT_EQ(shown({"HELLO", "3", "AUTH", "u"}), (Words{"HELLO", "3", "AUTH", "u"}));
  EXPECT_EQ(shown({"ACL", "SETUSER", "u", ">p"}), (Words{"ACL", "SETUSER", kHidden, kHidden}));
  EXPECT_EQ(shown({"CONFIG", "SET", "port", "1", "RequirePass", "p"}),
            (Words{"CONFIG", "SET", "port", "1", "RequirePass", kHidden}));
  EXPECT_EQ(shown({"MIGRATE", "h", "1", "", "0", "9", "COPY", "AUTH2", "u", "p", "KEYS", "auth", "k"}),
            (Words{"MIGRATE", "h", "1", "", "0", "9", "COPY", "AUTH2", kHidden, kHidden, "KEYS", "auth", "k"}));
  EXPECT_EQ(shown({"SET", "auth", "p"}), (Words{"SET", "auth", "p"}));
}

TEST(ReadKeys, RemembersUntilTaken) {
  Prng prng(3);
  ReadKeys keys(store::HashSeed::from(prng));
  for (int i = 0; i < 500; ++i) {
    const std::string key = "k" + std::to_string(i % 100);
    keys.remember(key, static_cast<ClientId>(1 + i % 7));
    keys.remember(key, static_cast<ClientId>(1 + i % 7));
  }
  EXPECT_EQ(keys.keys(), 100u);
  EXPECT_EQ(keys.items(), 500u);
  keys.check_invariants();
  EXPECT_EQ(keys.take("nosuch").size(), 0u);
  EXPECT_EQ(keys.take("k5").size(), 5u);
  EXPECT_EQ(keys.take("k5").size(), 0u);
  while (keys.keys() > 0) {
    const std::string any = keys.pick(prng);
    EXPECT_FALSE(keys.take(any).empty());
    keys.check_invariants();
  }
  EXPECT_EQ(keys.items(), 0u);
}

}  // namespace
}  // namespace holdfast::family
