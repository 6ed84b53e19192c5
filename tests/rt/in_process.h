// An Engine without an operating system: files live in a map, time moves when told.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "conversation.h"
#include "server/engine.h"

namespace holdfast::rt {

class InProcess final : public Server {
 public:
  explicit InProcess(server::EngineOptions options = {});
  std::unique_ptr<Talker> connect() override;
  bool advance(int64_t ms) override;
  bool is_oracle() const override { return false; }

  server::Engine& engine() { return *engine_; }
  Now now() const { return now_; }
  const std::string& log() const { return log_; }
  std::map<std::string, std::string>& files() { return files_; }
  bool exited() const { return exited_; }
  /// Carries out every action and every deadline that is due.
  void settle();

 private:
  friend class InProcessTalker;
  struct Connection {
    std::string received;
    bool open = true;
  };
  void drain();
  void carry_out(Action& action);
  bool carry_out_file(const Action& action);

  Now now_;
  std::unique_ptr<server::Engine> engine_;
  std::map<ConnId, Connection> connections_;
  std::map<std::string, std::string> files_;
  std::map<JobId, std::pair<std::string, std::string>> open_files_;
  std::map<JobId, std::string> logs_;  // paths
  std::vector<std::pair<JobId, int>> finished_jobs_;
  std::vector<std::pair<JobId, std::string>> reads_;
  std::vector<std::pair<JobId, std::string>> stats_;  // sizes to tell
  std::vector<std::pair<ListenerId, Address>> listens_;
  std::string log_;
  bool exited_ = false;
};

}  // namespace holdfast::rt
