// Runs every tests/scn/*.scn.
#include "sim/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace holdfast::sim {
namespace {

std::vector<std::string> scenario_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_SOURCE_DIR "/tests/scn")) {
    if (entry.path().extension() == ".scn") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, Runs) {
  std::ifstream in(GetParam());
  ASSERT_TRUE(in.good());
  std::stringstream text;
  text << in.rdbuf();
  const ScenarioResult result = run_scenario(text.str(), std::filesystem::path(GetParam()).filename());
  EXPECT_TRUE(result.ok) << result.report;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem().string();
}

INSTANTIATE_TEST_SUITE_P(Files, Scenario, testing::ValuesIn(scenario_files()), test_name);

TEST(ScenarioLanguage, ReportsWhatItCannotReadAndWhatDoesNotHappen) {
  EXPECT_NE(run_scenario("frobnicate x\n", "a.scn").report.find("a.scn:1: cannot read"), std::string::npos);
  const std::string picture =
      "host a 10.0.0.1\nsentinel s on a\nport 26379\nsentinel monitor m 10.0.0.1 6379 1\nend\nstart s\n";
  EXPECT_TRUE(run_scenario(picture + "until s \"+sdown master m\" within 31s\n", "a.scn").ok);
  EXPECT_NE(run_scenario(picture + "until s \"+sdown\" within 10s\n", "a.scn").report.find("a.scn:7: s did not say"),
            std::string::npos);
  EXPECT_FALSE(run_scenario(picture + "wait 1s\nexpect s\n+monitor something else\nend\n", "a.scn").ok);
}

}  // namespace
}  // namespace holdfast::sim
