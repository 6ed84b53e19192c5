// The files `holdfast up` writes also run the originals; here the originals are the members.
#include "app/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "net/ask.h"
#include "net/clock.h"
#include "net/file.h"
#include "net/socket.h"

namespace holdfast::app {
namespace {

using ::testing::HasSubstr;

class PictureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"/usr/bin/redis-server", "/usr/bin/redis-sentinel", "/usr/sbin/haproxy"}) {
      if (access(program, X_OK) != 0) GTEST_SKIP() << program << " is not installed";
    }
    root_ = ::testing::TempDir() + "holdfast_up_" + std::to_string(getpid());
    std::filesystem::create_directories(root_);
    std::ofstream(root_ + "/originals") << "#!/bin/sh\n"
                                           "program=$1; shift\n"
                                           "case $program in\n"
                                           "server) exec /usr/bin/redis-server \"$@\";;\n"
                                           "sentinel) exec /usr/bin/redis-sentinel \"$@\";;\n"
                                           "proxy) exec /usr/sbin/haproxy \"$@\";;\n"
                                           "esac\n";
    chmod((root_ + "/originals").c_str(), 0755);
    // Below the ephemeral ports, and apart from what another process of this test uses at the same time.
    const auto first = static_cast<uint16_t>(10000 + getpid() % 700 * 30);
    plan_.port = first;
    plan_.sentinel_port = static_cast<uint16_t>(first + 10);
    plan_.proxy_port = static_cast<uint16_t>(first + 20);
  }
  void TearDown() override {
    if (root_.empty()) return;
    if (picture_) picture_->stop_all(5s);
    std::filesystem::remove_all(root_);
  }
  void open() { picture_ = std::make_unique<Picture>(plan_, root_, root_ + "/originals"); }
  template <typename Condition>
  [[nodiscard]] bool until(Condition condition, Duration limit = 40s) {
    const Mono end = net::read_monotonic() + limit;
    while (!condition()) {
      if (net::read_monotonic() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  std::string ask(uint16_t port, const std::string& line) {
    return net::ask({"127.0.0.1", port, ""}, line + "\r\n", 1s).value_or("");
  }
  bool writable() {
    std::string why;
    return picture_->accepts_writes(&why);
  }

  std::string root_;
  Plan plan_;
  std::unique_ptr<Picture> picture_;
};

TEST_F(PictureTest, RunsFailsOverStopsAndContinues) {
  open();
  ASSERT_EQ(picture_->busy_port(), "");
  ASSERT_EQ(picture_->prepare(), "");
  ASSERT_EQ(picture_->start_missing(), "");
  ASSERT_TRUE(until([&] { return writable(); })) << picture_->next_death();
  ASSERT_TRUE(until([&] { return picture_->role_of(picture_->members()[1]) == "replica"; }));
  EXPECT_EQ(picture_->role_of(picture_->members()[0]), "primary");
  EXPECT_EQ(picture_->role_of(picture_->members()[2]), "sentinel");
  EXPECT_EQ(picture_->role_of(picture_->members()[3]), "proxy");
  ASSERT_EQ(ask(plan_.proxy_port, "SET kept 1"), "+OK\r\n");
  ASSERT_TRUE(until([&] { return ask(plan_.port + 1, "GET kept") == "$1\r\n1\r\n"; }));
  // The Sentinel must know the replica before the primary dies.
  ASSERT_TRUE(until([&] { return ask(plan_.sentinel_port, "SENTINEL replicas master01").starts_with("*1"); }));

  ::kill(static_cast<pid_t>(picture_->pid_of(picture_->members()[0])), SIGKILL);
  std::string death;
  ASSERT_TRUE(until([&] { return !(death = picture_->next_death()).empty(); }));
  EXPECT_THAT(death, HasSubstr("redis_" + std::to_string(plan_.port)));
  EXPECT_THAT(death, HasSubstr("signal 9"));
  EXPECT_EQ(picture_->next_death(), "");
  ASSERT_TRUE(until([&] { return picture_->role_of(picture_->members()[1]) == "primary" && writable(); }));
  EXPECT_EQ(ask(plan_.proxy_port, "GET kept"), "$1\r\n1\r\n");

  // The member that is missing comes back in its new role, beside the running ones.
  ASSERT_EQ(picture_->start_missing(), "");
  ASSERT_TRUE(until([&] { return picture_->role_of(picture_->members()[0]) == "replica"; }));
  ASSERT_TRUE(until([&] { return ask(plan_.port, "GET kept") == "$1\r\n1\r\n"; }));

  EXPECT_EQ(picture_->stop_all(10s), 4);
  EXPECT_EQ(picture_->running(), 0u);
  EXPECT_EQ(picture_->busy_port(), "");

  open();  // the second run: same data, same roles
  ASSERT_EQ(picture_->prepare(), "");
  ASSERT_EQ(picture_->start_missing(), "");
  ASSERT_TRUE(until([&] { return writable(); }));
  EXPECT_EQ(ask(plan_.proxy_port, "GET kept"), "$1\r\n1\r\n");
  ASSERT_TRUE(until([&] {
    return picture_->role_of(picture_->members()[0]) == "replica" &&
           picture_->role_of(picture_->members()[1]) == "primary";
  }));
}

TEST_F(PictureTest, NamesABusyPort) {
  const auto fd = net::open_listener({"127.0.0.1", plan_.sentinel_port, ""}, {});
  ASSERT_TRUE(fd.has_value());
  open();
  const std::string port = std::to_string(plan_.sentinel_port);
  EXPECT_EQ(picture_->busy_port(), "port " + port + " (sentinel_" + port + ") is already in use");
  ::close(*fd);
}

TEST_F(PictureTest, LeavesForeignProcessesAlone) {
  open();
  ASSERT_EQ(picture_->prepare(), "");
  const auto child = net::spawn({"/bin/sleep", "1000"});
  ASSERT_TRUE(child.has_value());
  ASSERT_EQ(net::replace_file(picture_->members()[0].pidfile, std::to_string(child->pid) + "\n", 0644), 0);
  EXPECT_EQ(picture_->pid_of(picture_->members()[0]), 0);
  EXPECT_EQ(picture_->stop_all(1s), 0);
  EXPECT_EQ(::kill(child->pid, 0), 0);
  EXPECT_NE(access(picture_->members()[0].pidfile.c_str(), F_OK), 0) << "a pid file that names nobody of ours stays";
  ::kill(child->pid, SIGKILL);
  net::Child copy = *child;
  net::reap(copy);
}

}  // namespace
}  // namespace holdfast::app
