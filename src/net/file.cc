#include "net/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "net/mailbox.h"

namespace holdfast::net {
namespace {

constexpr size_t kUnwrittenMax = size_t{256} << 20;
constexpr size_t kUnreadMax = size_t{16} << 20;
constexpr size_t kReadPiece = size_t{1} << 20;

std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> sequence{0};
  return path + '.' + std::to_string(getpid()) + '-' + std::to_string(++sequence) + ".tmp";
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

int truncate_file(const std::string& path, uint64_t size) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = ::ftruncate(fd, static_cast<off_t>(size)) == 0 ? 0 : errno;
  if (error == 0 && fsync(fd) != 0) error = errno;
  ::close(fd);
  return error;
}

/// A file being written under its temporary name. The first error sticks.
struct Stream {
  std::string path;
  std::string temporary;
  int fd = -1;
  int error = 0;

  void open(std::string target, uint32_t mode) {
    path = std::move(target);
    temporary = temporary_name(path);
    fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) error = errno;
  }
  void append(std::string_view bytes) {
    if (error == 0) error = write_all(fd, bytes);
  }
  int commit() {
    if (error == 0 && fsync(fd) != 0) error = errno;
    if (fd >= 0 && ::close(std::exchange(fd, -1)) != 0 && error == 0) error = errno;
    if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
    if (error != 0) {
      ::unlink(temporary.c_str());
      return error;
    }
    return sync_directory_of(path);
  }
  void abandon() {
    if (fd >= 0) ::close(std::exchange(fd, -1));
    ::unlink(temporary.c_str());
  }
};

}  // namespace

int sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;  // EINVAL: a file system without it
  ::close(fd);
  return error;
}

int replace_file(const std::string& path, std::string_view bytes, uint32_t mode) {
  Stream stream;
  stream.open(path, mode);
  stream.append(bytes);
  return stream.commit();
}

std::expected<std::string, int> read_whole_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(errno);
  std::string out;
  while (true) {
    const size_t before = out.size();
    out.resize(before + 64 * 1024);
    const ssize_t n = ::read(fd, out.data() + before, 64 * 1024);
    const int error = errno;
    out.resize(before + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n == 0) break;
    if (n < 0 && error != EINTR) {
      ::close(fd);
      return std::unexpected(error);
    }
  }
  ::close(fd);
  return out;
}

struct FileWorker::State {
  enum class Kind : uint8_t {
    kWrite,
    kBegin,
    kAppend,
    kCommit,
    kAbandon,
    kRead,
    kRemove,
    kStat,
    kTruncate,
    kRename,
    kDirectory,
  };
  struct Task {
    Kind kind{};
    JobId job{};
    std::string path;
    std::string bytes;
    uint32_t mode = 0;
    uint64_t size = 0;
    std::string to;
  };

  void give(Task task) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return unwritten < kUnwrittenMax; });
    unwritten += task.bytes.size();
    tasks.push_back(std::move(task));
    if (!thread.joinable()) thread = std::thread([this] { run(); });
    changed.notify_all();
  }
  void run();
  void perform(Task& task);
  void read(const Task& task);
  bool may_read_on(size_t bytes);

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> tasks;
  size_t unwritten = 0;
  size_t unread = 0;
  bool busy = false;
  bool hurry = false;  // cut reads short
  bool over = false;
  Mailbox<Result> results;
  std::map<JobId, Stream> streams;  // worker thread only
  std::thread thread;
};

void FileWorker::State::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return over || !tasks.empty(); });
    if (tasks.empty()) break;
    Task task = std::move(tasks.front());
    tasks.pop_front();
    busy = true;
    lock.unlock();
    perform(task);
    lock.lock();
    busy = false;
    unwritten -= task.bytes.size();
    changed.notify_all();
  }
  for (auto& [job, stream] : streams) stream.abandon();
}

void FileWorker::State::perform(Task& task) {
  switch (task.kind) {
    case Kind::kWrite:
      results.put({task.job, true, replace_file(task.path, task.bytes, task.mode), {}});
      return;
    case Kind::kBegin:
      streams[task.job].open(task.path, task.mode);
      return;
    case Kind::kAppend:
      if (const auto at = streams.find(task.job); at != streams.end()) at->second.append(task.bytes);
      return;
    case Kind::kCommit: {
      const auto at = streams.find(task.job);
      const int status = at == streams.end() ? EBADF : at->second.commit();
      if (at != streams.end()) streams.erase(at);
      results.put({task.job, true, status, {}});
      return;
    }
    case Kind::kAbandon:
      if (const auto at = streams.find(task.job); at != streams.end()) {
        at->second.abandon();
        streams.erase(at);
      }
      return;
    case Kind::kRead:
      read(task);
      return;
    case Kind::kRemove:
      ::unlink(task.path.c_str());
      return;
    case Kind::kStat: {
      struct stat facts{};
      const int status = ::stat(task.path.c_str(), &facts) == 0 ? 0 : errno;
      if (status == 0) {
        std::string size = std::to_string(facts.st_size);
        if (!may_read_on(size.size())) return results.put({task.job, true, ECANCELED, {}});
        results.put({task.job, false, 0, std::move(size)});
      }
      return results.put({task.job, true, status, {}});
    }
    case Kind::kTruncate:
      return results.put({task.job, true, truncate_file(task.path, task.size), {}});
    case Kind::kRename: {
      int status = std::rename(task.path.c_str(), task.to.c_str()) == 0 ? 0 : errno;
      if (status == 0) status = sync_directory_of(task.to);
      return results.put({task.job, true, status, {}});
    }
    case Kind::kDirectory: {
      int status = ::mkdir(task.path.c_str(), 0755) == 0 ? 0 : errno;
      if (status == EEXIST) {
        struct stat facts{};
        if (::stat(task.path.c_str(), &facts) == 0) status = S_ISDIR(facts.st_mode) ? 0 : ENOTDIR;
      } else if (status == 0) {
        status = sync_directory_of(task.path);
      }
      return results.put({task.job, true, status, {}});
    }
  }
}

bool FileWorker::State::may_read_on(size_t bytes) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return hurry || over || unread < kUnreadMax; });
  unread += bytes;
  return !hurry && !over;
}

void FileWorker::State::read(const Task& task) {
  const int fd = ::open(task.path.c_str(), O_RDONLY | O_CLOEXEC);
  int status = fd < 0 ? errno : 0;
  while (status == 0) {
    std::string piece(kReadPiece, '\0');
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = errno;
    if (n <= 0) break;
    piece.resize(static_cast<size_t>(n));
    if (!may_read_on(piece.size())) {
      status = ECANCELED;
      break;
    }
    results.put({task.job, false, 0, std::move(piece)});
  }
  if (fd >= 0) ::close(fd);
  results.put({task.job, true, status, {}});
}

FileWorker::FileWorker() : state_(std::make_unique<State>()) {}

FileWorker::~FileWorker() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
    state_->changed.notify_all();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

int FileWorker::descriptor() const { return state_->results.descriptor(); }

std::vector<FileWorker::Result> FileWorker::take() {
  std::vector<Result> out = state_->results.take();
  const std::lock_guard lock(state_->mutex);
  for (const Result& result : out) state_->unread -= result.bytes.size();
  state_->changed.notify_all();
  return out;
}

void FileWorker::write(JobId job, std::string path, std::string bytes, uint32_t mode) {
  state_->give({State::Kind::kWrite, job, std::move(path), std::move(bytes), mode, 0, {}});
}
void FileWorker::begin(JobId job, std::string path, uint32_t mode) {
  state_->give({State::Kind::kBegin, job, std::move(path), {}, mode, 0, {}});
}
void FileWorker::append(JobId job, std::string bytes) {
  state_->give({State::Kind::kAppend, job, {}, std::move(bytes), 0, 0, {}});
}
void FileWorker::commit(JobId job) { state_->give({State::Kind::kCommit, job, {}, {}, 0, 0, {}}); }
void FileWorker::abandon(JobId job) { state_->give({State::Kind::kAbandon, job, {}, {}, 0, 0, {}}); }
void FileWorker::read(JobId job, std::string path) {
  state_->give({State::Kind::kRead, job, std::move(path), {}, 0, 0, {}});
}
void FileWorker::remove(std::string path) { state_->give({State::Kind::kRemove, {}, std::move(path), {}, 0, 0, {}}); }
void FileWorker::stat(JobId job, std::string path) {
  state_->give({State::Kind::kStat, job, std::move(path), {}, 0, 0, {}});
}
void FileWorker::truncate(JobId job, std::string path, uint64_t size) {
  state_->give({State::Kind::kTruncate, job, std::move(path), {}, 0, size, {}});
}
void FileWorker::rename(JobId job, std::string from, std::string to) {
  state_->give({State::Kind::kRename, job, std::move(from), {}, 0, 0, std::move(to)});
}
void FileWorker::make_directory(JobId job, std::string path) {
  state_->give({State::Kind::kDirectory, job, std::move(path), {}, 0, 0, {}});
}

void FileWorker::finish() {
  std::unique_lock lock(state_->mutex);
  state_->hurry = true;
  state_->changed.notify_all();
  state_->changed.wait(lock, [&] { return state_->tasks.empty() && !state_->busy; });
  state_->hurry = false;
}

}  // namespace holdfast::net
