// The append-only file against a disk that loses what was not made durable: an engine, a host in memory, crashes at
// every step.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <map>

#include "codec/resp/encode.h"
#include "server/aof.h"
#include "server/engine.h"

namespace holdfast::server {
namespace {

/// Files with their durable part. Renames and new names are durable when they are answered.
struct Disk {
  struct File {
    std::string bytes;
    size_t durable = 0;
  };
  std::map<std::string, File> files;

  /// The power goes: of each file the durable part stays, and as much of the rest as `torn` says (0..1).
  void lose_power(double torn) {
    for (auto& [path, file] : files) {
      file.bytes.resize(file.durable +
                        static_cast<size_t>(static_cast<double>(file.bytes.size() - file.durable) * torn));
      file.durable = file.bytes.size();
    }
  }
};

/// Carries out file actions one at a time, so that a test can stop between any two.
class Host {
 public:
  Host(Disk& disk, const std::string& fsync) : disk_(disk) {
    now_.mono = Mono(1000s);
    now_.wall = wall_from_ms(1'700'000'000'000);
    EngineOptions options;
    options.seed = 7;
    options.settings.appendonly = true;
    options.settings.save.clear();
    options.settings.auto_aof_rewrite_percentage = 0;
    options.settings.appendfsync = fsync == "always"     ? family::AppendFsync::kAlways
                                   : fsync == "everysec" ? family::AppendFsync::kEverySec
                                                         : family::AppendFsync::kNo;
    engine_ = std::make_unique<Engine>(std::move(options));
    engine_->start(now_);
    collect();
  }
  void connect() {
    conn_ = engine_->accepted({ListenerId{1}, {"127.0.0.1", 40000, {}}, {"127.0.0.1", 6379, {}}}, now_);
    collect();
  }
  void send(std::initializer_list<std::string_view> words) {
    std::string request;
    codec::append_request(request, words);
    engine_->receive(conn_, request, now_);
    collect();
  }
  /// One file operation or due deadline. False: nothing to do.
  bool step() {
    if (exited) return false;
    if (!work_.empty()) {
      const auto one = std::move(work_.front());
      work_.erase(work_.begin());
      one();
      collect();
      return true;
    }
    if (engine_->next_deadline() > now_.mono) return false;
    engine_->tick(now_);
    collect();
    return true;
  }
  void run() {
    for (int i = 0; step(); ++i) ASSERT_LT(i, 100000);
  }
  void wait(Duration d) {
    now_.mono += d;
    now_.wall += d;
    engine_->tick(now_);
    collect();
    run();
  }
  std::string ask(std::initializer_list<std::string_view> words) {
    received.clear();
    send(words);
    run();
    return received;
  }
  Engine& engine() { return *engine_; }

  std::string received;
  std::string log;
  bool exited = false;
  int error = 0;  // of appends

 private:
  void collect() {
    Action action;
    while (engine_->poll_action(action)) take(action);
  }
  void answer(JobId job, int status) { engine_->job_done(job, status, now_); }
  void later(std::function<void()> what) { work_.push_back(std::move(what)); }
  void take(Action& any);

  Disk& disk_;
  Now now_;
  std::unique_ptr<Engine> engine_;
  ConnId conn_;
  std::vector<std::function<void()>> work_;
  std::map<JobId, std::string> logs_;
  std::map<JobId, std::pair<std::string, std::string>> open_;
  std::string unwritten_;
};

void Host::take(Action& any) {
  if (auto* flush = std::get_if<action::Flush>(&any)) {
    OutQueue& out = engine_->output(flush->conn);
    received += out.to_string();
    out.clear();
  } else if (auto* say = std::get_if<action::Log>(&any)) {
    log += say->text + "\n";
  } else if (auto* a = std::get_if<action::Listen>(&any)) {
    later([this, id = a->listener, address = a->address] { engine_->listening(id, address, 0, now_); });
  } else if (std::holds_alternative<action::Exit>(any)) {
    exited = true;
  } else if (auto* write = std::get_if<action::WriteFile>(&any)) {
    later([this, a = *write] {
      disk_.files[a.path] = {a.bytes, a.bytes.size()};
      answer(a.job, 0);
    });
  } else if (auto* begin = std::get_if<action::BeginFile>(&any)) {
    open_[begin->job] = {begin->path, {}};
  } else if (auto* more = std::get_if<action::AppendFile>(&any)) {
    open_[more->job].second += more->bytes;
  } else if (auto* commit = std::get_if<action::CommitFile>(&any)) {
    later([this, job = commit->job] {
      const auto [path, bytes] = open_[job];
      disk_.files[path] = {bytes, bytes.size()};
      answer(job, 0);
    });
  } else if (auto* read = std::get_if<action::ReadFile>(&any)) {
    later([this, a = *read] {
      const auto at = disk_.files.find(a.path);
      if (at != disk_.files.end() && !at->second.bytes.empty()) engine_->file_data(a.job, at->second.bytes, now_);
      collect();
      answer(a.job, at == disk_.files.end() ? ENOENT : 0);
    });
  } else if (auto* remove = std::get_if<action::RemoveFile>(&any)) {
    later([this, path = remove->path] { disk_.files.erase(path); });
  } else if (auto* stat = std::get_if<action::StatFile>(&any)) {
    later([this, a = *stat] {
      const auto at = disk_.files.find(a.path);
      if (at != disk_.files.end()) engine_->file_data(a.job, std::to_string(at->second.bytes.size()), now_);
      answer(a.job, at == disk_.files.end() ? ENOENT : 0);
    });
  } else if (auto* cut = std::get_if<action::TruncateFile>(&any)) {
    later([this, a = *cut] {
      Disk::File& file = disk_.files[a.path];
      file.bytes.resize(a.size);
      file.durable = a.size;
      answer(a.job, 0);
    });
  } else if (auto* rename = std::get_if<action::RenameFile>(&any)) {
    later([this, a = *rename] {
      auto moved = disk_.files.extract(a.from);
      if (!moved.empty()) disk_.files[a.to] = std::move(moved.mapped());
      for (auto& [job, path] : logs_) path = path == a.from ? a.to : path;
      answer(a.job, moved.empty() ? ENOENT : 0);
    });
  } else if (auto* directory = std::get_if<action::MakeDirectory>(&any)) {
    later([this, job = directory->job] { answer(job, 0); });
  } else if (auto* open = std::get_if<action::OpenLog>(&any)) {
    later([this, a = *open] {
      logs_[a.job] = a.path;
      if (a.truncate) disk_.files[a.path] = {};
      disk_.files[a.path];
      answer(a.job, 0);
    });
  } else if (auto* append = std::get_if<action::AppendLog>(&any)) {
    later([this, a = *append] {
      unwritten_ += a.bytes;
      if (error != 0) return answer(a.job, error);
      Disk::File& file = disk_.files[logs_.at(a.log)];
      file.bytes += std::exchange(unwritten_, {});
      if (a.sync) file.durable = file.bytes.size();
      answer(a.job, 0);
    });
  } else if (auto* sync = std::get_if<action::SyncLog>(&any)) {
    later([this, a = *sync] {
      Disk::File& file = disk_.files[logs_.at(a.log)];
      file.durable = file.bytes.size();
      answer(a.job, 0);
    });
  } else if (auto* shut = std::get_if<action::CloseLog>(&any)) {
    later([this, a = *shut] {
      Disk::File& file = disk_.files[logs_.at(a.log)];
      file.durable = file.bytes.size();
      logs_.erase(a.log);
      answer(a.job, 0);
    });
  }
}

std::string value_after(Disk disk, double torn) {
  disk.lose_power(torn);
  Host host(disk, "always");
  host.run();
  if (host.exited) return "exited: " + host.log;
  host.connect();
  return host.ask({"GET", "counter"});
}

int64_t number_in(const std::string& reply) {
  const size_t at = reply.find("\r\n");
  return reply.starts_with("$-1") ? 0 : std::stoll(reply.substr(at + 2));
}

TEST(AppendOnly, NothingAcknowledgedIsLostAtAnyStepOfARewrite) {
  Disk disk;
  Host host(disk, "always");
  host.run();
  host.connect();
  int64_t acknowledged = 0;
  int steps = 0;
  for (int round = 0; round < 6; ++round) {
    host.received.clear();
    if (round % 2 == 1) host.send({"BGREWRITEAOF"});
    for (int i = 0; i < 12; ++i) {
      host.send({"INCR", "counter"});
      while (host.step()) {
        ++steps;
        for (size_t at = host.received.rfind(':'); at != std::string::npos; at = std::string::npos) {
          acknowledged = std::stoll(host.received.substr(at + 1));
        }
        for (const double torn : {0.0, 0.5, 1.0}) {
          const std::string value = value_after(disk, torn);
          ASSERT_TRUE(value.starts_with("$")) << value;
          ASSERT_GE(number_in(value), acknowledged) << "step " << steps << " torn " << torn;
        }
        if (i % 3 == 0 && steps % 2 == 0) break;  // several commands meet one fsync
      }
    }
  }
  host.run();
  EXPECT_EQ(number_in(host.ask({"GET", "counter"})), 72);
  EXPECT_GT(steps, 150);
}

TEST(AppendOnly, RepliesWaitForTheFsync) {
  Disk disk;
  Host host(disk, "always");
  host.run();
  host.connect();
  host.send({"SET", "a", "1"});
  host.send({"GET", "a"});
  EXPECT_EQ(host.received, "");  // the second client to ask would be told of a write that may be lost
  host.run();
  EXPECT_EQ(host.received, "+OK\r\n$1\r\n1\r\n");
}

TEST(AppendOnly, AFailedWriteRefusesWritesUntilItSucceeds) {
  Disk disk;
  Host host(disk, "everysec");
  host.run();
  host.connect();
  host.error = ENOSPC;
  EXPECT_EQ(host.ask({"SET", "a", "1"}), "+OK\r\n");
  EXPECT_EQ(host.ask({"SET", "b", "1"}), "-MISCONF Errors writing to the AOF file: No space left on device\r\n");
  host.error = 0;
  host.wait(2s);
  EXPECT_EQ(host.ask({"SET", "b", "1"}), "+OK\r\n");
  host.wait(2s);
  Disk copy = disk;
  copy.lose_power(0);
  Host again(copy, "always");
  again.run();
  again.connect();
  EXPECT_EQ(again.ask({"MGET", "a", "b"}), "*2\r\n$1\r\n1\r\n$1\r\n1\r\n");
}

TEST(AppendOnly, AFailedWriteEndsAServerThatPromisedAlways) {
  Disk disk;
  Host host(disk, "always");
  host.run();
  host.connect();
  host.error = EIO;
  host.send({"SET", "a", "1"});
  host.run();
  EXPECT_TRUE(host.exited);
  EXPECT_EQ(host.received, "");
  EXPECT_NE(host.log.find("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."),
            std::string::npos);
}

TEST(AppendOnly, EverySecondIsDurable) {
  Disk disk;
  Host host(disk, "everysec");
  host.run();
  host.connect();
  EXPECT_EQ(host.ask({"SET", "counter", "5"}), "+OK\r\n");
  EXPECT_EQ(host.ask({"WAITAOF", "0", "0", "0"}), "*2\r\n:0\r\n:0\r\n");
  host.wait(1100ms);
  EXPECT_EQ(host.ask({"WAITAOF", "1", "0", "0"}), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(number_in(value_after(disk, 0)), 5);
}

TEST(AppendOnly, SwitchedOnItHoldsWhatWasThereBefore) {
  Disk disk;
  Host host(disk, "always");
  host.run();
  host.connect();
  host.ask({"CONFIG", "SET", "appendonly", "no"});
  host.ask({"SET", "counter", "8"});
  EXPECT_EQ(host.ask({"WAITAOF", "1", "0", "0"}),
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n");
  host.ask({"CONFIG", "SET", "appendonly", "yes"});
  host.ask({"INCR", "counter"});
  EXPECT_EQ(number_in(value_after(disk, 0)), 9);
}

TEST(AppendOnly, ATornTailIsCutAndAnUnfinishedTransactionWithIt) {
  Disk disk;
  {
    Host host(disk, "always");
    host.run();
    host.connect();
    host.ask({"SET", "counter", "1"});
    host.ask({"MULTI"});
    host.ask({"INCR", "counter"});
    host.ask({"INCR", "counter"});
    host.ask({"EXEC"});
  }
  const std::string path = "appendonlydir/appendonly.aof.1.incr.aof";
  const std::string whole = disk.files[path].bytes;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    Disk copy = disk;
    copy.files[path] = {whole.substr(0, cut), cut};
    Host host(copy, "always");
    host.run();
    ASSERT_FALSE(host.exited) << cut;
    host.connect();
    const int64_t value = number_in(host.ask({"GET", "counter"}));
    EXPECT_TRUE(value == 0 || value == 1 || (value == 3 && cut == whole.size())) << cut << " " << value;
    host.ask({"SET", "counter", "7"});  // what is appended now must not fall into a half transaction
    EXPECT_EQ(number_in(value_after(copy, 0)), 7) << cut;
  }
}

}  // namespace
}  // namespace holdfast::server
