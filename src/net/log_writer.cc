#include "net/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "net/file.h"
#include "net/mailbox.h"

namespace holdfast::net {
namespace {

/// One open log. The descriptor lives until both threads are done with it.
struct Log {
  explicit Log(int descriptor) : fd(descriptor) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { ::close(fd); }

  const int fd;
  std::string unwritten;  // of failed appends; appending thread only

  int append(std::string bytes) {
    if (!unwritten.empty()) bytes = std::exchange(unwritten, {}) + bytes;
    struct stat before{};
    const bool known = fstat(fd, &before) == 0;
    std::string_view rest = bytes;
    int error = 0;
    while (!rest.empty() && error == 0) {
      const ssize_t n = ::write(fd, rest.data(), rest.size());
      if (n >= 0) {
        rest.remove_prefix(static_cast<size_t>(n));
      } else if (errno != EINTR) {
        error = errno;
      }
    }
    if (error == 0) return 0;
    // Half a record must not stay in the file; where it has to, only the other half is written next time.
    const bool undone = known && ::ftruncate(fd, before.st_size) == 0;
    unwritten = undone ? std::move(bytes) : std::string(rest);
    return error;
  }
  int make_durable() const { return fdatasync(fd) == 0 || errno == EINVAL ? 0 : errno; }
};

}  // namespace

struct LogWriter::State {
  enum class Kind : uint8_t { kOpen, kAppend, kClose };
  struct Task {
    Kind kind{};
    JobId log{};
    JobId job{};
    std::string text;  // path or bytes
    uint32_t mode = 0;
    bool flag = false;  // sync, or truncate
  };
  struct Sync {
    std::shared_ptr<Log> log;
    JobId job{};
  };

  void give(Task task) {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
    if (!appender.joinable()) appender = std::thread([this] { append_loop(); });
    changed.notify_all();
  }
  void append_loop();
  void sync_loop();
  int perform(Task& task);
  int open(const Task& task);
  std::shared_ptr<Log> find(JobId id) {
    const std::lock_guard lock(mutex);
    const auto at = logs.find(id);
    return at == logs.end() ? nullptr : at->second;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> tasks;
  std::deque<Sync> syncs;
  bool appending = false;
  bool syncing = false;
  bool over = false;
  std::map<JobId, std::shared_ptr<Log>> logs;
  Mailbox<Result> results;
  std::thread appender;
  std::thread syncer;
};

void LogWriter::State::append_loop() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return over || !tasks.empty(); });
    if (tasks.empty()) return;
    Task task = std::move(tasks.front());
    tasks.pop_front();
    appending = true;
    lock.unlock();
    const int status = perform(task);
    results.put({task.job, status});
    lock.lock();
    appending = false;
    changed.notify_all();
  }
}

void LogWriter::State::sync_loop() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return over || !syncs.empty(); });
    if (syncs.empty()) return;
    Sync sync = std::move(syncs.front());
    syncs.pop_front();
    syncing = true;
    lock.unlock();
    results.put({sync.job, sync.log->make_durable()});
    sync.log.reset();
    lock.lock();
    syncing = false;
    changed.notify_all();
  }
}

int LogWriter::State::open(const Task& task) {
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (task.flag ? O_TRUNC : 0);
  const int fd = ::open(task.text.c_str(), flags, task.mode);
  if (fd < 0) return errno;
  auto log = std::make_shared<Log>(fd);
  if (const int error = sync_directory_of(task.text); error != 0) return error;
  const std::lock_guard lock(mutex);
  logs[task.log] = std::move(log);
  return 0;
}

int LogWriter::State::perform(Task& task) {
  if (task.kind == Kind::kOpen) return open(task);
  const std::shared_ptr<Log> log = find(task.log);
  if (!log) return EBADF;
  if (task.kind == Kind::kAppend) {
    const int error = log->append(std::move(task.text));
    return error == 0 && task.flag ? -log->make_durable() : error;
  }
  {
    const std::lock_guard lock(mutex);
    logs.erase(task.log);
  }
  const int error = log->unwritten.empty() ? 0 : log->append({});
  const int synced = log->make_durable();
  return error != 0 ? error : synced;
}

LogWriter::LogWriter() : state_(std::make_unique<State>()) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
    state_->changed.notify_all();
  }
  if (state_->appender.joinable()) state_->appender.join();
  if (state_->syncer.joinable()) state_->syncer.join();
}

int LogWriter::descriptor() const { return state_->results.descriptor(); }
std::vector<LogWriter::Result> LogWriter::take() { return state_->results.take(); }

void LogWriter::open(JobId log, std::string path, bool truncate, uint32_t mode) {
  state_->give({State::Kind::kOpen, log, log, std::move(path), mode, truncate});
}
void LogWriter::append(JobId log, JobId job, std::string bytes, bool sync) {
  state_->give({State::Kind::kAppend, log, job, std::move(bytes), 0, sync});
}
void LogWriter::close(JobId log, JobId job) { state_->give({State::Kind::kClose, log, job, {}, 0, false}); }

void LogWriter::sync(JobId log, JobId job) {
  const std::shared_ptr<Log> found = state_->find(log);
  if (!found) return state_->results.put({job, EBADF});
  const std::lock_guard lock(state_->mutex);
  state_->syncs.push_back({found, job});
  if (!state_->syncer.joinable()) state_->syncer = std::thread([this] { state_->sync_loop(); });
  state_->changed.notify_all();
}

void LogWriter::finish() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(
      lock, [&] { return state_->tasks.empty() && state_->syncs.empty() && !state_->appending && !state_->syncing; });
}

}  // namespace holdfast::net
