#include "in_process.h"

#include <cerrno>

#include "base/assert.h"

namespace holdfast::rt {

class InProcessTalker final : public Talker {
 public:
  InProcessTalker(InProcess& world, ConnId conn) : world_(world), conn_(conn) {}
  ~InProcessTalker() override {
    if (world_.connections_[conn_].open) world_.engine_->closed(conn_, {}, world_.now_);
    world_.connections_[conn_].open = false;
    world_.settle();
  }
  void send(std::string_view bytes) override {
    if (!world_.connections_[conn_].open) return;
    world_.engine_->receive(conn_, bytes, world_.now_);
    world_.settle();
  }
  std::optional<codec::Reply> next() override {
    auto& received = world_.connections_[conn_].received;
    reader_.feed(received);
    received.clear();
    return reader_.next();
  }

 private:
  InProcess& world_;
  ConnId conn_;
  codec::ReplyReader reader_;
};

InProcess::InProcess(server::EngineOptions options) {
  now_.mono = Mono(1000s);
  now_.wall = wall_from_ms(1'700'000'000'000);
  if (options.seed == 0) options.seed = 7;
  engine_ = std::make_unique<server::Engine>(std::move(options));
  engine_->start(now_);
  settle();
}

std::unique_ptr<Talker> InProcess::connect() {
  const ConnId conn = engine_->accepted({ListenerId{1}, {"127.0.0.1", 40000, {}}, {"127.0.0.1", 6379, {}}}, now_);
  connections_[conn];
  settle();
  return std::make_unique<InProcessTalker>(*this, conn);
}

bool InProcess::advance(int64_t ms) {
  now_.mono += from_ms(ms);
  now_.wall += from_ms(ms);
  settle();
  return true;
}

void InProcess::settle() {
  constexpr int kTurnsMax = 100000;  // an engine that never comes to rest is a defect
  for (int turn = 0;; ++turn) {
    HF_ASSERT(turn < kTurnsMax);
    drain();
    if (exited_) return;
    if (!listens_.empty()) {
      const auto [id, address] = listens_.back();
      listens_.pop_back();
      engine_->listening(id, address, 0, now_);
    } else if (!reads_.empty()) {
      const auto [job, path] = reads_.back();
      reads_.pop_back();
      const auto file = files_.find(path);
      if (file != files_.end()) engine_->file_data(job, file->second, now_);
      drain();
      engine_->job_done(job, file == files_.end() ? ENOENT : 0, now_);
    } else if (!stats_.empty()) {
      const auto [job, size] = stats_.back();
      stats_.pop_back();
      engine_->file_data(job, size, now_);
      drain();
      engine_->job_done(job, 0, now_);
    } else if (!finished_jobs_.empty()) {
      const auto [job, status] = finished_jobs_.front();
      finished_jobs_.erase(finished_jobs_.begin());
      engine_->job_done(job, status, now_);
    } else if (engine_->next_deadline() <= now_.mono) {
      engine_->tick(now_);
    } else {
      engine_->check_invariants();
      return;
    }
  }
}

void InProcess::drain() {
  Action action;
  while (engine_->poll_action(action)) carry_out(action);
}

bool InProcess::carry_out_file(const Action& any) {
  const auto done = [&](JobId job, int status) { finished_jobs_.emplace_back(job, status); };
  if (const auto* open = std::get_if<action::OpenLog>(&any)) {
    logs_[open->job] = open->path;
    if (open->truncate) files_[open->path].clear();
    files_[open->path];
    done(open->job, 0);
  } else if (const auto* append = std::get_if<action::AppendLog>(&any)) {
    files_[logs_.at(append->log)] += append->bytes;
    done(append->job, 0);
  } else if (const auto* sync = std::get_if<action::SyncLog>(&any)) {
    done(sync->job, 0);
  } else if (const auto* shut = std::get_if<action::CloseLog>(&any)) {
    logs_.erase(shut->log);
    done(shut->job, 0);
  } else if (const auto* directory = std::get_if<action::MakeDirectory>(&any)) {
    done(directory->job, 0);
  } else if (const auto* rename = std::get_if<action::RenameFile>(&any)) {
    auto moved = files_.extract(rename->from);
    done(rename->job, moved.empty() ? ENOENT : 0);
    if (!moved.empty()) files_[rename->to] = std::move(moved.mapped());
    for (auto& [log, path] : logs_) path = path == rename->from ? rename->to : path;
  } else if (const auto* cut = std::get_if<action::TruncateFile>(&any)) {
    if (files_.contains(cut->path)) files_[cut->path].resize(cut->size);
    done(cut->job, files_.contains(cut->path) ? 0 : ENOENT);
  } else if (const auto* stat = std::get_if<action::StatFile>(&any)) {
    if (!files_.contains(stat->path)) {
      done(stat->job, ENOENT);
    } else {
      stats_.emplace_back(stat->job, std::to_string(files_[stat->path].size()));
    }
  } else {
    return false;
  }
  return true;
}

void InProcess::carry_out(Action& any) {
  if (carry_out_file(any)) return;
  if (const auto* flush = std::get_if<action::Flush>(&any)) {
    OutQueue& out = engine_->output(flush->conn);
    connections_[flush->conn].received += out.to_string();
    out.clear();
  } else if (const auto* close = std::get_if<action::Close>(&any)) {
    Connection& connection = connections_[close->conn];
    if (close->mode == action::CloseMode::kFlush) connection.received += engine_->output(close->conn).to_string();
    connection.open = false;
  } else if (const auto* log = std::get_if<action::Log>(&any)) {
    log_ += log->text + "\n";
  } else if (const auto* listen = std::get_if<action::Listen>(&any)) {
    listens_.emplace_back(listen->listener, listen->address);
  } else if (const auto* write = std::get_if<action::WriteFile>(&any)) {
    files_[write->path] = write->bytes;
    finished_jobs_.emplace_back(write->job, 0);
  } else if (const auto* begin = std::get_if<action::BeginFile>(&any)) {
    open_files_[begin->job] = {begin->path, {}};
  } else if (const auto* append = std::get_if<action::AppendFile>(&any)) {
    open_files_.at(append->job).second += append->bytes;
  } else if (const auto* commit = std::get_if<action::CommitFile>(&any)) {
    const auto& [path, bytes] = open_files_.at(commit->job);
    files_[path] = bytes;
    open_files_.erase(commit->job);
    finished_jobs_.emplace_back(commit->job, 0);
  } else if (const auto* abandon = std::get_if<action::AbandonFile>(&any)) {
    open_files_.erase(abandon->job);
  } else if (const auto* read = std::get_if<action::ReadFile>(&any)) {
    reads_.emplace_back(read->job, read->path);
  } else if (std::holds_alternative<action::Exit>(any) || std::holds_alternative<action::Crash>(any)) {
    exited_ = true;
  }
}

}  // namespace holdfast::rt
