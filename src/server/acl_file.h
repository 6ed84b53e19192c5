// AclFile: where users come from at start, and ACL LOAD and ACL SAVE.
//
// Users stand either in lines of redis.conf or in a file of their own (`aclfile`), never in both. The file at start is
// read by the host; later it is read and written through actions, and the client that asked waits for its answer.
// Source: ACL of Redis 7.2.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"
#include "family/services.h"

namespace holdfast::server {

class Engine;

class AclFile {
 public:
  explicit AclFile(Engine& engine) : engine_(engine) {}

  /// False: the users cannot be had as configured; the reason is logged and the server must not start.
  bool start();

  void load(family::Context& context);
  void save(family::Context& context);
  /// True if the job was one of ours.
  bool file_data(JobId job, std::string_view bytes);
  bool job_done(JobId job, int status);

 private:
  struct Job {
    family::ClientId client = 0;
    bool saving = false;
    bool answered = false;  // inside EXEC the reply stands at its place and is held back
    std::string content;    // read so far
  };

  /// Empty = done, else the error.
  std::string adopt(std::string_view content);
  void log_warnings();

  Engine& engine_;
  std::map<JobId, Job> jobs_;
};

}  // namespace holdfast::server
