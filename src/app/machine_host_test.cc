// One machine that listens and connects to itself shows every rule of the host on real sockets, on both backends.
#include "app/machine_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>

#include "base/prng.h"
#include "net/clock.h"

namespace holdfast::app {
namespace {

struct Peer {
  OutQueue out;
  std::string in;
  bool incoming = false;
  bool connected = false;
  bool eof = false;
  bool closed = false;
  Closed why;
  int drained = 0;
  Address remote, local;
};

/// Does what each test tells it to; records everything.
class Play final : public Machine {
 public:
  std::function<void()> on_start, on_tick;
  std::function<void(ConnId)> on_accepted, on_connected, on_eof, on_drained, on_closed;
  std::function<void(ConnId, std::string_view)> on_bytes;
  bool keep_half_open = false;
  Mono deadline = kNever;
  int ticks = 0;

  std::map<ConnId, std::unique_ptr<Peer>> peers;
  std::map<uint32_t, std::pair<Address, int>> listeners;
  std::map<JobId, int> done;
  std::map<JobId, std::string> data;
  std::map<JobId, std::vector<std::string>> names;
  std::vector<int> signals;

  template <typename A>
  void ask(A a) {
    act(std::move(a));
  }
  ConnId open(const Address& to) {
    const ConnId conn = ids_.allocate();
    peers[conn] = std::make_unique<Peer>();
    act(action::Connect{conn, to});
    return conn;
  }
  void send(ConnId conn, std::string_view bytes) {
    Peer& peer = *peers.at(conn);
    if (bytes.empty()) return;
    const bool first = peer.out.empty();
    peer.out.append(bytes);
    if (first) act(action::Flush{conn});
  }
  void close(ConnId conn, action::CloseMode mode) {
    act(action::Close{conn, mode});
    ids_.release(conn);
    peers.at(conn)->closed = true;
  }
  Peer& at(ConnId conn) { return *peers.at(conn); }
  const Address& bound(uint32_t listener) { return listeners.at(listener).first; }
  size_t open_incoming() const {
    size_t n = 0;
    for (const auto& [id, peer] : peers) n += peer->incoming && !peer->closed;
    return n;
  }

  void start(Now) override {
    if (on_start) on_start();
  }
  ConnId accepted(const Accepted& from, Now) override {
    const ConnId conn = ids_.allocate();
    auto& peer = peers[conn] = std::make_unique<Peer>();
    peer->incoming = peer->connected = true;
    peer->remote = from.peer;
    peer->local = from.local;
    if (on_accepted) on_accepted(conn);
    return conn;
  }
  void listening(ListenerId listener, const Address& bound, int error, Now) override {
    listeners[static_cast<uint32_t>(listener)] = {bound, error};
  }
  void connected(ConnId conn, const Address& local, const Address& remote, Now) override {
    at(conn).connected = true;
    at(conn).local = local;
    at(conn).remote = remote;
    if (on_connected) on_connected(conn);
  }
  void receive(ConnId conn, std::string_view bytes, Now) override {
    ASSERT_FALSE(at(conn).closed) << "an input for a dead connection";
    at(conn).in.append(bytes);
    if (on_bytes) on_bytes(conn, bytes);
  }
  void eof(ConnId conn, Now) override {
    at(conn).eof = true;
    if (on_eof) on_eof(conn);
  }
  void closed(ConnId conn, Closed why, Now) override {
    ASSERT_FALSE(at(conn).closed);
    at(conn).closed = true;
    at(conn).why = why;
    ids_.release(conn);
    if (on_closed) on_closed(conn);
  }
  void drained(ConnId conn, Now) override {
    ++at(conn).drained;
    if (on_drained) on_drained(conn);
  }
  void file_data(JobId job, std::string_view bytes, Now) override { data[job].append(bytes); }
  void job_done(JobId job, int status, Now) override { done[job] = status; }
  void resolved(JobId job, const std::vector<std::string>& addresses, Now) override { names[job] = addresses; }
  void signal(int number, Now) override { signals.push_back(number); }
  void tick(Now now) override {
    ++ticks;
    EXPECT_GE(now.mono, deadline);
    deadline = kNever;
    if (on_tick) on_tick();
  }
  Mono next_deadline() const override { return deadline; }
  OutQueue& output(ConnId conn) override { return at(conn).out; }
  bool half_open() const override { return keep_half_open; }

 private:
  SlotIds ids_;
};

class Lines final : public LogSink {
 public:
  void log(LogLevel, std::string_view text, Now) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

class HostTest : public ::testing::TestWithParam<net::Backend> {
 protected:
  void SetUp() override {
    if (!MachineHost::make(play_, log_, {.backend = GetParam()})) GTEST_SKIP() << "not on this kernel";
    directory_ = ::testing::TempDir() + "holdfast_host_" + std::to_string(getpid());
  }
  void TearDown() override {
    host_.reset();
    std::filesystem::remove_all(directory_);
  }
  void begin(HostOptions options = {}) {
    options.backend = GetParam();
    auto host = MachineHost::make(play_, log_, std::move(options));
    ASSERT_TRUE(host.has_value()) << host.error();
    host_ = std::move(*host);
    host_->start();
  }
  /// Turns until `condition` holds; fails the test after 20 s.
  [[nodiscard]] bool until(const std::function<bool()>& condition) {
    const Mono end = net::read_monotonic() + 20s;
    while (!condition()) {
      if (net::read_monotonic() > end) return false;
      host_->turn(net::read_monotonic() + 50ms);
    }
    return true;
  }
  /// A turn outside of an input: the machine's new actions are carried out at the next input, so give it one.
  void poke() { play_.deadline = Mono::min(); }
  void listen(uint32_t id = 1, Address address = {"127.0.0.1", 0, ""}) {
    play_.ask(action::Listen{ListenerId{id}, address});
  }
  void echo_server() {
    play_.on_start = [this] { listen(); };
    play_.on_bytes = [this](ConnId conn, std::string_view bytes) {
      if (play_.at(conn).incoming) play_.send(conn, bytes);
    };
  }
  ConnId open() {
    const ConnId conn = play_.open(play_.bound(1));
    poke();
    return conn;
  }

  std::string directory_;
  Play play_;
  Lines log_;
  std::unique_ptr<MachineHost> host_;
};

std::string pattern(size_t size) {
  std::string out(size, '\0');
  uint32_t x = 1;
  for (char& c : out) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return out;
}

TEST_P(HostTest, EchoesAndNamesBothEnds) {
  echo_server();
  begin();
  ASSERT_EQ(play_.listeners.at(1).second, 0);
  ASSERT_NE(play_.bound(1).port, 0);
  const ConnId conn = open();
  ASSERT_TRUE(until([&] { return play_.at(conn).connected; }));
  EXPECT_EQ(play_.at(conn).remote, play_.bound(1));
  EXPECT_EQ(play_.at(conn).local.host, "127.0.0.1");
  for (int i = 0; i < 50; ++i) {
    play_.at(conn).in.clear();
    play_.send(conn, "hello");
    poke();
    ASSERT_TRUE(until([&] { return play_.at(conn).in == "hello"; }));
  }
  EXPECT_GE(play_.at(conn).drained, 50);
}

TEST_P(HostTest, OutputQueuedWhileConnectingIsSent) {
  echo_server();
  begin();
  const ConnId conn = play_.open(play_.bound(1));
  play_.send(conn, "early");
  poke();
  ASSERT_TRUE(until([&] { return play_.at(conn).in == "early"; }));
}

TEST_P(HostTest, MovesLargeDataWhole) {
  echo_server();
  begin();
  const std::string bytes = pattern(32 << 20);
  const ConnId conn = open();
  play_.send(conn, bytes);
  ASSERT_TRUE(until([&] { return play_.at(conn).in.size() >= bytes.size(); }));
  EXPECT_TRUE(play_.at(conn).in == bytes);
  EXPECT_TRUE(play_.at(conn).out.empty());
}

TEST_P(HostTest, FlushCloseDeliversEverythingThenEof) {
  const std::string bytes = pattern(8 << 20);
  play_.on_start = [this] { listen(); };
  play_.on_bytes = [&](ConnId conn, std::string_view) {
    if (!play_.at(conn).incoming || play_.at(conn).closed) return;
    play_.send(conn, bytes);
    play_.close(conn, action::CloseMode::kFlush);
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, "go");
  ASSERT_TRUE(until([&] { return play_.at(conn).closed; }));
  EXPECT_EQ(play_.at(conn).why.reason, CloseReason::kEof);
  EXPECT_TRUE(play_.at(conn).in == bytes);
}

// Closing over unread input makes TCP send RST, which would destroy the reply on its way.
TEST_P(HostTest, FlushCloseSurvivesUnreadInput) {
  play_.on_start = [this] { listen(); };
  play_.on_bytes = [&](ConnId conn, std::string_view) {
    if (!play_.at(conn).incoming || play_.at(conn).closed) return;
    play_.send(conn, "-ERR too much\r\n");
    play_.close(conn, action::CloseMode::kFlush);
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, pattern(1 << 20));
  ASSERT_TRUE(until([&] { return play_.at(conn).closed || play_.at(conn).in.size() >= 15; }));
  EXPECT_EQ(play_.at(conn).in, "-ERR too much\r\n");
}

TEST_P(HostTest, ResetIsSeenAsReset) {
  play_.on_start = [this] { listen(); };
  play_.on_bytes = [&](ConnId conn, std::string_view) { play_.close(conn, action::CloseMode::kReset); };
  begin();
  const ConnId conn = open();
  play_.send(conn, "x");
  ASSERT_TRUE(until([&] { return play_.at(conn).closed; }));
  EXPECT_EQ(play_.at(conn).why.reason, CloseReason::kReset);
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0; }));
}

TEST_P(HostTest, CloseNowIsAnOrderlyEnd) {
  play_.on_start = [this] { listen(); };
  play_.on_accepted = [&](ConnId conn) {
    play_.ask(action::Close{conn, action::CloseMode::kNow});
    play_.at(conn).closed = true;
  };
  begin();
  const ConnId conn = open();
  ASSERT_TRUE(until([&] { return play_.at(conn).closed; }));
  EXPECT_EQ(play_.at(conn).why.reason, CloseReason::kEof);
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0; }));
}

TEST_P(HostTest, RefusedAndUnreachableAndBadAddresses) {
  play_.on_start = [this] { listen(); };
  begin();
  const Address gone = play_.bound(1);
  play_.ask(action::CloseListener{ListenerId{1}});
  poke();
  ASSERT_TRUE(until([&] { return play_.ticks == 1; }));
  const ConnId refused = play_.open(gone);
  const ConnId no_path = play_.open({"", 0, "/nonexistent/socket"});
  const ConnId nonsense = play_.open({"not-a-number", 1, ""});
  poke();
  ASSERT_TRUE(until([&] { return play_.at(refused).closed && play_.at(no_path).closed && play_.at(nonsense).closed; }));
  EXPECT_EQ(play_.at(refused).why.reason, CloseReason::kRefused);
  EXPECT_EQ(play_.at(refused).why.error, ECONNREFUSED);
  EXPECT_EQ(play_.at(no_path).why.reason, CloseReason::kRefused);
  EXPECT_EQ(play_.at(nonsense).why.reason, CloseReason::kUnreachable);
}

TEST_P(HostTest, ClosingWhileConnectingIsSilent) {
  echo_server();
  begin();
  const ConnId conn = play_.open(play_.bound(1));
  play_.close(conn, action::CloseMode::kNow);
  poke();
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0 || play_.open_incoming() == 1; }));
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0; }));
  EXPECT_FALSE(play_.at(conn).connected);
}

TEST_P(HostTest, BusyPortIsNamedByErrno) {
  play_.on_start = [this] { listen(); };
  begin();
  play_.ask(action::Listen{ListenerId{2}, play_.bound(1)});
  poke();
  ASSERT_TRUE(until([&] { return play_.listeners.count(2) == 1; }));
  EXPECT_EQ(play_.listeners.at(2).second, EADDRINUSE);
  EXPECT_EQ(play_.bound(2), play_.bound(1));
}

TEST_P(HostTest, HalfOpenSendsAfterThePeersFin) {
  play_.keep_half_open = true;
  play_.on_start = [this] { listen(); };
  play_.on_eof = [&](ConnId conn) {
    if (play_.at(conn).incoming) {
      play_.send(conn, "you said " + play_.at(conn).in);
      play_.ask(action::ShutdownWrite{conn});
    } else {
      play_.close(conn, action::CloseMode::kNow);
    }
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, "this");
  play_.ask(action::ShutdownWrite{conn});
  ASSERT_TRUE(until([&] { return play_.at(conn).eof; }));
  EXPECT_EQ(play_.at(conn).in, "you said this");
}

TEST_P(HostTest, ReplyBeforeFinReachesAClientThatIsNotHalfOpen) {
  echo_server();
  begin();
  const ConnId conn = open();
  play_.send(conn, "last words");
  play_.ask(action::ShutdownWrite{conn});
  ASSERT_TRUE(until([&] { return play_.at(conn).closed; }));
  EXPECT_EQ(play_.at(conn).in, "last words");
}

TEST_P(HostTest, PausedConnectionsPushBackAndResumeWhole) {
  const std::string bytes = pattern(24 << 20);
  ConnId server{};
  play_.on_start = [this] { listen(); };
  play_.on_accepted = [&](ConnId conn) {
    server = conn;
    play_.ask(action::PauseReading{conn, true});
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, bytes);
  size_t left = 0;
  // The sender stalls: its queue stops shrinking over many turns.
  ASSERT_TRUE(until([&] {
    const bool same = server && left == play_.at(conn).out.size() && left < bytes.size();
    left = play_.at(conn).out.size();
    return same;
  }));
  EXPECT_GT(play_.at(conn).out.size(), bytes.size() / 4);
  EXPECT_EQ(play_.at(server).in.size(), 0u);
  for (int i = 0; i < 6; ++i) {  // on and off in the middle of the stream
    const size_t before = play_.at(server).in.size();
    play_.ask(action::PauseReading{server, false});
    poke();
    ASSERT_TRUE(until([&] { return play_.at(server).in.size() > before; }));
    play_.ask(action::PauseReading{server, true});
    poke();
    const int ticks = play_.ticks;
    ASSERT_TRUE(until([&] { return play_.ticks > ticks; }));
    const size_t paused_at = play_.at(server).in.size();
    for (int k = 0; k < 5; ++k) host_->turn(Mono::min());
    EXPECT_EQ(play_.at(server).in.size(), paused_at);
  }
  play_.ask(action::PauseReading{server, false});
  poke();
  ASSERT_TRUE(until([&] { return play_.at(server).in.size() == bytes.size(); }));
  EXPECT_TRUE(play_.at(server).in == bytes);
  EXPECT_GT(play_.at(conn).drained, 0);
}

TEST_P(HostTest, EofBehindAPauseComesAfterTheBytes) {
  ConnId server{};
  play_.on_start = [this] { listen(); };
  play_.on_accepted = [&](ConnId conn) {
    server = conn;
    play_.ask(action::PauseReading{conn, true});
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, "bytes");
  play_.ask(action::ShutdownWrite{conn});
  ASSERT_TRUE(until([&] { return server && play_.at(conn).out.empty(); }));
  for (int i = 0; i < 5; ++i) host_->turn(Mono::min());
  EXPECT_FALSE(play_.at(server).closed);
  play_.ask(action::PauseReading{server, false});
  poke();
  ASSERT_TRUE(until([&] { return play_.at(server).closed; }));
  EXPECT_EQ(play_.at(server).in, "bytes");
}

TEST_P(HostTest, ThousandConnections) {
  echo_server();
  begin();
  std::vector<ConnId> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(play_.open(play_.bound(1)));
    play_.send(all.back(), "n" + std::to_string(i));
  }
  poke();
  ASSERT_TRUE(until([&] {
    for (size_t i = 0; i < all.size(); ++i) {
      if (play_.at(all[i]).in != "n" + std::to_string(i)) return false;
    }
    return true;
  }));
  for (const ConnId conn : all) play_.close(conn, action::CloseMode::kNow);
  poke();
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0; }));
}

// Random sends, pauses, half-closes and closes; what arrives is always a prefix of the one known stream.
TEST_P(HostTest, RandomTrafficKeepsEveryStreamWhole) {
  const std::string stream = pattern(4 << 20);
  Prng dice(20261122);
  std::map<ConnId, size_t> sent;
  std::map<ConnId, bool> paused;
  std::vector<ConnId> open_ones;
  size_t arrived = 0;
  const auto check = [&](ConnId conn, std::string_view bytes) {
    Peer& peer = play_.at(conn);
    ASSERT_FALSE(paused[conn]) << "bytes for a paused connection";
    arrived += bytes.size();
    const size_t before = peer.in.size() - bytes.size();
    ASSERT_TRUE(stream.compare(before, bytes.size(), bytes) == 0) << "at " << before;
  };
  const auto gone = [&](ConnId conn) { std::erase(open_ones, conn); };
  play_.keep_half_open = true;
  play_.on_start = [this] { listen(); };
  play_.on_bytes = check;
  play_.on_accepted = [&](ConnId conn) { open_ones.push_back(conn); };
  play_.on_connected = [&](ConnId conn) { open_ones.push_back(conn); };
  play_.on_closed = gone;
  begin();
  int opened = 0;
  play_.on_tick = [&] {
    if (open_ones.size() < 60 && opened < 400 && dice.below(4) == 0) {
      play_.open(play_.bound(1));
      ++opened;
    }
    if (!open_ones.empty()) {
      const ConnId conn = open_ones[dice.below(open_ones.size())];
      const uint64_t what = dice.below(100);
      if (what < 60) {
        const size_t size =
            std::min<size_t>(dice.below(dice.below(8) == 0 ? 200'000 : 500), stream.size() - sent[conn]);
        play_.send(conn, std::string_view(stream).substr(sent[conn], size));
        sent[conn] += size;
      } else if (what < 90) {
        paused[conn] = !paused[conn];
        play_.ask(action::PauseReading{conn, paused[conn]});
      } else if (what < 97) {
        const auto mode = static_cast<action::CloseMode>(dice.below(3));
        play_.close(conn, mode);
        gone(conn);
      }
    }
  };
  for (int step = 0; step < 6000; ++step) {
    poke();
    host_->turn(Mono::min());
  }
  EXPECT_GT(arrived, size_t{1} << 20);
  EXPECT_GT(opened, 100);
  play_.on_tick = [&] {
    for (const ConnId conn : std::exchange(open_ones, {})) play_.close(conn, action::CloseMode::kReset);
  };
  play_.on_accepted = play_.on_connected = [&](ConnId conn) {
    open_ones.push_back(conn);
    poke();
  };
  poke();
  ASSERT_TRUE(until([&] { return host_->reactor().connections() == 0; }));
}

TEST_P(HostTest, LingerIsBounded) {
  play_.on_start = [this] { listen(); };
  play_.on_accepted = [&](ConnId conn) {
    play_.send(conn, pattern(32 << 20));
    play_.close(conn, action::CloseMode::kFlush);
  };
  HostOptions options;
  options.linger_max = 200ms;
  begin(options);
  play_.on_connected = [&](ConnId conn) { play_.ask(action::PauseReading{conn, true}); };
  const ConnId conn = open();
  ASSERT_TRUE(until([&] { return play_.at(conn).connected && play_.open_incoming() == 0; }));
  ASSERT_TRUE(until([&] { return host_->reactor().connections() <= 1; }));
}

TEST_P(HostTest, UnixSocketWithPermissions) {
  std::filesystem::create_directories(directory_);
  const Address address{"", 0, directory_ + "/s.sock"};
  play_.on_start = [&] {
    action::Listen listen{ListenerId{1}, address};
    listen.unix_mode = 0700;
    play_.ask(listen);
  };
  play_.on_bytes = [&](ConnId conn, std::string_view bytes) {
    if (play_.at(conn).incoming) play_.send(conn, bytes);
  };
  begin();
  ASSERT_EQ(play_.listeners.at(1).second, 0);
  EXPECT_EQ(play_.bound(1).unix_path, address.unix_path);
  struct stat st{};
  ASSERT_EQ(stat(address.unix_path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  const ConnId conn = open();
  play_.send(conn, "local");
  ASSERT_TRUE(until([&] { return play_.at(conn).in == "local"; }));
}

TEST_P(HostTest, ReplacesAndReadsFiles) {
  std::filesystem::create_directories(directory_);
  const std::string path = directory_ + "/f";
  const std::string big = pattern(5 << 20);
  play_.on_start = [&] {
    play_.ask(action::WriteFile{JobId{1}, path, "one", 0600});
    play_.ask(action::ReadFile{JobId{2}, path});
    play_.ask(action::BeginFile{JobId{3}, path});
    play_.ask(action::AppendFile{JobId{3}, big.substr(0, 1000)});
    play_.ask(action::ReadFile{JobId{4}, path});  // not visible before the commit
    play_.ask(action::AppendFile{JobId{3}, big.substr(1000)});
    play_.ask(action::CommitFile{JobId{3}});
    play_.ask(action::ReadFile{JobId{5}, path});
    play_.ask(action::BeginFile{JobId{6}, path});
    play_.ask(action::AppendFile{JobId{6}, "never"});
    play_.ask(action::AbandonFile{JobId{6}});
    play_.ask(action::ReadFile{JobId{7}, path + ".missing"});
    play_.ask(action::WriteFile{JobId{8}, directory_ + "/no/such/dir", "x"});
    play_.ask(action::ReadFile{JobId{9}, path});
  };
  begin();
  ASSERT_TRUE(until([&] { return play_.done.count(JobId{9}) == 1; }));
  EXPECT_EQ(play_.done.at(JobId{1}), 0);
  EXPECT_EQ(play_.data[JobId{2}], "one");
  EXPECT_EQ(play_.data[JobId{4}], "one");
  EXPECT_EQ(play_.done.at(JobId{3}), 0);
  EXPECT_TRUE(play_.data[JobId{5}] == big);
  EXPECT_EQ(play_.done.at(JobId{7}), ENOENT);
  EXPECT_EQ(play_.done.at(JobId{8}), ENOENT);
  EXPECT_TRUE(play_.data[JobId{9}] == big);
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) ++files;
  EXPECT_EQ(files, 1u) << "temporary files are left behind";
}

TEST_P(HostTest, ExitFinishesFilesAndWrites) {
  std::filesystem::create_directories(directory_);
  const std::string path = directory_ + "/last";
  play_.on_start = [this] { listen(); };
  play_.on_bytes = [&](ConnId conn, std::string_view) {
    if (!play_.at(conn).incoming) return;
    play_.send(conn, "bye");
    play_.ask(action::WriteFile{JobId{1}, path, "kept"});
    play_.ask(action::Exit{7});
    play_.ask(action::WriteFile{JobId{2}, path, "not this"});
  };
  begin();
  const ConnId conn = open();
  play_.send(conn, "x");
  ASSERT_TRUE(until([&] { return host_->exit_code().has_value(); }));
  EXPECT_EQ(host_->exit_code(), 7);
  EXPECT_EQ(net::read_whole_file(path).value_or("?"), "kept");
  char reply[4] = "";
  EXPECT_EQ(::recv(host_->reactor().descriptor(conn), reply, 3, 0), 3);
  EXPECT_STREQ(reply, "bye");
}

TEST_P(HostTest, ChildrenEndWithTheirStatus) {
  play_.on_start = [&] {
    play_.ask(action::Spawn{JobId{1}, {"/bin/sh", "-c", "exit 3"}});
    play_.ask(action::Spawn{JobId{2}, {"/bin/sh", "-c", "kill -TERM $$; sleep 100"}});
    play_.ask(action::Spawn{JobId{3}, {"/no/such/program"}});
    play_.ask(action::Spawn{JobId{4}, {"/bin/sleep", "1000"}});
    play_.ask(action::KillChild{JobId{4}, SIGKILL});
  };
  begin();
  ASSERT_TRUE(until([&] { return play_.done.size() == 4; }));
  EXPECT_EQ(WEXITSTATUS(play_.done.at(JobId{1})), 3);
  EXPECT_TRUE(WIFSIGNALED(play_.done.at(JobId{2})));
  EXPECT_EQ(WTERMSIG(play_.done.at(JobId{2})), SIGTERM);
  EXPECT_EQ(WEXITSTATUS(play_.done.at(JobId{3})), 2);
  EXPECT_EQ(WTERMSIG(play_.done.at(JobId{4})), SIGKILL);
}

TEST_P(HostTest, ResolvesNames) {
  play_.on_start = [&] {
    play_.ask(action::Resolve{JobId{1}, "localhost"});
    play_.ask(action::Resolve{JobId{2}, "no-such-name.invalid"});
  };
  begin();
  ASSERT_TRUE(until([&] { return play_.names.size() == 2; }));
  EXPECT_THAT(play_.names.at(JobId{1}), ::testing::Contains("127.0.0.1"));
  EXPECT_TRUE(play_.names.at(JobId{2}).empty());
}

TEST_P(HostTest, SignalsAreInputs) {
  HostOptions options;
  options.signals = {SIGUSR2};
  begin(options);
  ::raise(SIGUSR2);  // to this thread: threads of earlier tests do not block it
  ASSERT_TRUE(until([&] { return !play_.signals.empty(); }));
  EXPECT_EQ(play_.signals, std::vector<int>{SIGUSR2});
}

TEST_P(HostTest, TicksAtTheDeadline) {
  begin();
  play_.deadline = net::read_monotonic() + 30ms;
  const Mono due = play_.deadline;
  ASSERT_TRUE(until([&] { return play_.ticks == 1; }));
  EXPECT_GE(net::read_monotonic(), due);
}

TEST_P(HostTest, LogsReachTheSinkInOrder) {
  play_.on_start = [&] {
    play_.ask(action::Log{LogLevel::kNotice, "first"});
    play_.ask(action::Log{LogLevel::kWarning, "second"});
  };
  begin();
  EXPECT_EQ(log_.lines, (std::vector<std::string>{"first", "second"}));
}

INSTANTIATE_TEST_SUITE_P(Backends, HostTest, ::testing::Values(net::Backend::kEpoll, net::Backend::kUring),
                         [](const auto& test) { return test.param == net::Backend::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace holdfast::app
