// Every .rt file of this folder, in process.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "in_process.h"

namespace holdfast::rt {
namespace {

std::vector<std::string> files() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_SOURCE_DIR "/tests/rt")) {
    if (entry.path().extension() == ".rt") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class Conversations : public testing::TestWithParam<std::string> {};

TEST_P(Conversations, InProcess) {
  std::ifstream file(GetParam());
  std::stringstream text;
  text << file.rdbuf();
  server::EngineOptions options;
  options.settings.enable_debug_command = "yes";
  InProcess world(std::move(options));
  const Outcome outcome = run_conversation(GetParam(), text.str(), world);
  for (const std::string& failure : outcome.failures) ADD_FAILURE() << failure;
  EXPECT_GT(outcome.compared, 0u);
}

INSTANTIATE_TEST_SUITE_P(Rt, Conversations, testing::ValuesIn(files()),
                         [](const auto& file) { return std::filesystem::path(file.param).stem().string(); });

}  // namespace
}  // namespace holdfast::rt
