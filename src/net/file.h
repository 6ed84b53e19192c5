// FileWorker: file operations in order on one thread, so that the event loop never waits for a disk.
//
// A replaced file is durable and whole at every moment: temporary file beside it, fsync, rename, fsync of the
// directory. Jobs run in the order given. Bounds: kUnwrittenMax bytes wait to be written (the caller then blocks: the
// disk is the limit), kUnreadMax bytes wait to be taken (the worker then waits).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace holdfast::net {

/// Replaces `path` durably with `bytes`. 0 or errno.
int replace_file(const std::string& path, std::string_view bytes, uint32_t mode);
/// Makes the names in the directory of `path` durable. 0 or errno.
int sync_directory_of(const std::string& path);
/// The whole file, or errno. For start-up only; blocks.
std::expected<std::string, int> read_whole_file(const std::string& path);

class FileWorker {
 public:
  struct Result {
    JobId job{};
    bool done = false;  // false: a piece of a file being read
    int status = 0;     // errno, meaningful when done
    std::string bytes;
  };
  FileWorker();
  /// Finishes what was asked, then ends. Unfinished streamed files are abandoned.
  ~FileWorker();
  FileWorker(const FileWorker&) = delete;
  FileWorker& operator=(const FileWorker&) = delete;

  int descriptor() const;
  /// Results so far, in order. On the loop's thread.
  std::vector<Result> take();

  void write(JobId job, std::string path, std::string bytes, uint32_t mode);
  void begin(JobId job, std::string path, uint32_t mode);
  void append(JobId job, std::string bytes);
  void commit(JobId job);
  void abandon(JobId job);
  void read(JobId job, std::string path);
  void remove(std::string path);
  void stat(JobId job, std::string path);
  void truncate(JobId job, std::string path, uint64_t size);
  void rename(JobId job, std::string from, std::string to);
  void make_directory(JobId job, std::string path);
  /// Returns when every job given so far is finished; reads under way are cut short (ECANCELED).
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::net
