#include "sim/world.h"

#include <cerrno>

#include "base/address.h"
#include "base/assert.h"
#include "sim/world_state.h"

namespace holdfast::sim {

using State = World::State;

namespace {

constexpr size_t kReadPiece = 64 * 1024;
constexpr Duration kTickJitter = 200us;  // how late a process gets the processor

}  // namespace

Node& State::node(const std::string& name) {
  const auto at = nodes.find(name);
  HF_ASSERT(at != nodes.end());
  return *at->second;
}

Now State::clock(const std::string& host) const {
  Duration since = now - begin;
  if (const auto at = drifts.find(host); at != drifts.end()) since += since * at->second / 1'000'000;
  Duration jumped{};
  if (const auto at = wall_jumps.find(host); at != wall_jumps.end()) jumped = at->second;
  return {begin + since, wall_begin + since + jumped};
}

Mono State::world_time(const std::string& host, Mono mono) const {
  const auto at = drifts.find(host);
  if (at == drifts.end() || mono <= begin) return mono;
  return begin + (mono - begin) * 1'000'000 / (1'000'000 + at->second) + 1us;
}

void State::input(Node& node, uint64_t incarnation, MachineTask what) {
  if (node.incarnation != incarnation || node.machine == nullptr) return;
  if (node.paused) {
    node.held.emplace_back(
        [this, &node, incarnation, what = std::move(what)]() mutable { input(node, incarnation, std::move(what)); });
    return;
  }
  what(*node.machine, clock(node.host));
  drain(node);
}

void State::drain(Node& node) {
  Action action;
  const uint64_t incarnation = node.incarnation;
  while (node.machine != nullptr && node.incarnation == incarnation && node.machine->poll_action(action)) {
    carry_out(node, action);
  }
  if (node.machine == nullptr || node.incarnation != incarnation) return;
  node.boot->check(*node.machine);
  schedule_tick(node);
}

void State::schedule_tick(Node& node) {
  const uint64_t version = ++node.tick_version;
  const Mono deadline = node.machine->next_deadline();
  if (deadline == kNever) return;
  const Mono when = std::max(world_time(node.host, deadline), now) + between(1us, kTickJitter);
  at(when, [this, &node, version, incarnation = node.incarnation] {
    if (node.tick_version != version) return;
    input(node, incarnation, [](Machine& machine, Now now_) { machine.tick(now_); });
  });
}

void State::job_done_later(Node& node, JobId job, int status, Duration d) {
  after(d, [this, &node, job, status, incarnation = node.incarnation] {
    input(node, incarnation, [job, status](Machine& machine, Now now_) { machine.job_done(job, status, now_); });
  });
}

void State::write_file(Node& node, JobId job, Node::Write write) {
  const Duration d = between(weather.disk_min, weather.disk_max);
  if (node.disk_error != 0) return job_done_later(node, job, node.disk_error, d);
  node.committing[job] = std::move(write);
  after(d, [this, &node, job, incarnation = node.incarnation] {
    if (node.incarnation != incarnation) return;
    const auto at = node.committing.find(job);
    if (at == node.committing.end()) return;
    if (node.disk_lies && !node.believed.contains(at->second.path)) {
      const auto before = node.disk.find(at->second.path);
      node.believed[at->second.path] = before == node.disk.end() ? std::nullopt : std::optional(before->second);
    }
    node.disk[at->second.path] = std::move(at->second.bytes);
    node.committing.erase(at);
    input(node, incarnation, [job](Machine& machine, Now now_) { machine.job_done(job, 0, now_); });
  });
}

void State::read_file(Node& node, JobId job, const std::string& path) {
  const auto at = node.disk.find(path);
  const Duration d = between(weather.disk_min, weather.disk_max);
  if (at == node.disk.end()) return job_done_later(node, job, ENOENT, d);
  after(d, [this, &node, job, bytes = at->second, incarnation = node.incarnation] {
    for (size_t from = 0; from < bytes.size(); from += kReadPiece) {
      const std::string piece = bytes.substr(from, kReadPiece);
      input(node, incarnation, [job, piece](Machine& machine, Now now_) { machine.file_data(job, piece, now_); });
    }
    input(node, incarnation, [job](Machine& machine, Now now_) { machine.job_done(job, 0, now_); });
  });
}

/// The answer comes when what was in the file at the asking is durable.
void State::sync_log(Node& node, JobId log_job, JobId job, bool shut) {
  const auto at = node.logs.find(log_job);
  if (at == node.logs.end()) return job_done_later(node, job, EBADF, 1us);
  const Duration d = between(weather.disk_min, weather.disk_max);
  if (node.disk_error != 0) return job_done_later(node, job, node.disk_error, d);
  after(d, [this, &node, log_job, job, shut, size = node.disk[at->second.path].size(), incarnation = node.incarnation] {
    if (node.incarnation != incarnation) return;
    const auto open = node.logs.find(log_job);
    if (open != node.logs.end()) open->second.durable = std::max(open->second.durable, size);
    if (shut) node.logs.erase(log_job);
    input(node, incarnation, [job](Machine& machine, Now now_) { machine.job_done(job, 0, now_); });
  });
}

bool State::carry_out_file(Node& node, Action& action) {
  const Duration d = between(weather.disk_min, weather.disk_max);
  if (auto* open = std::get_if<action::OpenLog>(&action)) {
    if (node.disk_error == 0) {
      std::string& bytes = node.disk[open->path];
      if (open->truncate) bytes.clear();
      node.logs[open->job] = {open->path, bytes.size()};
    }
    job_done_later(node, open->job, node.disk_error, d);
  } else if (auto* append = std::get_if<action::AppendLog>(&action)) {
    const auto at = node.logs.find(append->log);
    const int error = at == node.logs.end() ? EBADF : node.disk_error;
    if (error == 0) node.disk[at->second.path] += append->bytes;
    if (error != 0 || !append->sync) {
      job_done_later(node, append->job, error, d);
    } else {
      sync_log(node, append->log, append->job, false);
    }
  } else if (auto* sync = std::get_if<action::SyncLog>(&action)) {
    sync_log(node, sync->log, sync->job, false);
  } else if (auto* shut = std::get_if<action::CloseLog>(&action)) {
    sync_log(node, shut->log, shut->job, true);
  } else if (auto* directory = std::get_if<action::MakeDirectory>(&action)) {
    job_done_later(node, directory->job, node.disk_error, d);
  } else if (auto* rename = std::get_if<action::RenameFile>(&action)) {
    auto moved = node.disk.extract(rename->from);
    const int error = moved.empty() ? ENOENT : 0;
    for (auto& [job, one] : node.logs) {
      if (one.path == rename->from) one.path = rename->to;
    }
    if (error == 0) node.disk[rename->to] = std::move(moved.mapped());
    job_done_later(node, rename->job, error, d);
  } else if (auto* cut = std::get_if<action::TruncateFile>(&action)) {
    const auto at = node.disk.find(cut->path);
    if (at != node.disk.end()) at->second.resize(std::min<size_t>(at->second.size(), cut->size));
    job_done_later(node, cut->job, at == node.disk.end() ? ENOENT : 0, d);
  } else if (auto* stat = std::get_if<action::StatFile>(&action)) {
    const auto at = node.disk.find(stat->path);
    if (at == node.disk.end()) {
      job_done_later(node, stat->job, ENOENT, d);
    } else {
      after(d, [this, &node, job = stat->job, size = std::to_string(at->second.size()), inc = node.incarnation] {
        input(node, inc, [job, size](Machine& machine, Now now_) { machine.file_data(job, size, now_); });
        input(node, inc, [job](Machine& machine, Now now_) { machine.job_done(job, 0, now_); });
      });
    }
  } else {
    return false;
  }
  return true;
}

void State::spawn(Node& node, const action::Spawn& spawn) {
  std::string line;
  for (const std::string& word : spawn.argv) line += (line.empty() ? "" : " ") + word;
  node.spawned.push_back(line);
  node.children[spawn.job] = true;
  after(1ms, [this, &node, job = spawn.job, incarnation = node.incarnation] {
    if (node.incarnation != incarnation || node.children.erase(job) == 0) return;
    input(node, incarnation, [job](Machine& machine, Now now_) { machine.job_done(job, 0, now_); });
  });
}

/// What was on its way to the disk when the process died: there, or not.
void State::lose_unwritten(Node& node) {
  for (auto& [job, write] : node.committing) {
    if (prng.below(2) == 0) node.disk[write.path] = std::move(write.bytes);
  }
  node.committing.clear();
  node.open_files.clear();
  node.logs.clear();
  node.children.clear();
}

void State::end_process(Node& node) {
  node.machine.reset();
  node.paused = false;
  node.held.clear();
  ++node.tick_version;
  ++node.incarnation;
}

void State::carry_out(Node& node, Action& action) {
  if (auto* flush = std::get_if<action::Flush>(&action)) return transmit(node, flush->conn);
  if (auto* close_ = std::get_if<action::Close>(&action)) return close(node, close_->conn, close_->mode);
  if (auto* connect_ = std::get_if<action::Connect>(&action)) return connect(node, *connect_);
  if (auto* listen_ = std::get_if<action::Listen>(&action)) return listen(node, *listen_);
  if (carry_out_file(node, action)) return;
  if (auto* stop = std::get_if<action::CloseListener>(&action)) {
    node.listeners.erase(stop->listener);
  } else if (auto* pause = std::get_if<action::PauseReading>(&action)) {
    pause_reading(node, pause->conn, pause->paused);
  } else if (auto* fin = std::get_if<action::ShutdownWrite>(&action)) {
    transmit(node, fin->conn);
    const auto at = node.conns.find(fin->conn);
    if (at != node.conns.end()) send(at->second.first, 1 - at->second.second, {Piece::Kind::kFin, {}});
  } else if (auto* say = std::get_if<action::Log>(&action)) {
    log.push_back({now - begin, node.name, say->level, say->text});
  } else if (auto* write = std::get_if<action::WriteFile>(&action)) {
    write_file(node, write->job, {write->path, write->bytes});
  } else if (auto* open = std::get_if<action::BeginFile>(&action)) {
    node.open_files[open->job] = {open->path, {}};
  } else if (auto* more = std::get_if<action::AppendFile>(&action)) {
    node.open_files[more->job].bytes += more->bytes;
  } else if (auto* commit = std::get_if<action::CommitFile>(&action)) {
    Node::Write pending = std::move(node.open_files[commit->job]);
    node.open_files.erase(commit->job);
    write_file(node, commit->job, std::move(pending));
  } else if (auto* abandon = std::get_if<action::AbandonFile>(&action)) {
    node.open_files.erase(abandon->job);
  } else if (auto* read = std::get_if<action::ReadFile>(&action)) {
    read_file(node, read->job, read->path);
  } else if (auto* remove = std::get_if<action::RemoveFile>(&action)) {
    node.disk.erase(remove->path);
  } else if (auto* child = std::get_if<action::Spawn>(&action)) {
    spawn(node, *child);
  } else if (auto* kill = std::get_if<action::KillChild>(&action)) {
    if (node.children.erase(kill->job) > 0) job_done_later(node, kill->job, kill->signal, 10us);
  } else if (auto* lookup = std::get_if<action::Resolve>(&action)) {
    std::vector<std::string> found;
    if (names.contains(lookup->host)) found.push_back(names[lookup->host]);
    after(between(weather.delay_min, weather.delay_max),
          [this, &node, job = lookup->job, found, incarnation = node.incarnation] {
            input(node, incarnation, [=](Machine& machine, Now now_) { machine.resolved(job, found, now_); });
          });
  } else if (auto* stall = std::get_if<action::Stall>(&action)) {
    node.paused = true;
    after(stall->duration, [this, name = node.name, incarnation = node.incarnation] {
      if (nodes.at(name)->incarnation != incarnation) return;
      nodes.at(name)->paused = false;
      std::deque<Task> held = std::move(nodes.at(name)->held);
      for (Task& what : held) what();
    });
  } else if (std::get_if<action::Crash>(&action) != nullptr) {
    drop_connections(node, Piece::Kind::kReset, false);
    lose_unwritten(node);
    end_process(node);
  } else if (auto* exit = std::get_if<action::Exit>(&action)) {
    std::vector<ConnId> conns;
    for (const auto& [conn, pipe] : node.conns) conns.push_back(conn);
    for (const ConnId conn : conns) transmit(node, conn);
    node.exit_code = exit->code;
    drop_connections(node, Piece::Kind::kFin, false);
    lose_unwritten(node);
    end_process(node);
  }
}

World::World(uint64_t seed, Weather weather) : state_(std::make_unique<State>(seed, weather, log_)) {}
World::~World() = default;

void World::add_host(const std::string& host, const std::string& ip) { state_->hosts[host] = ip; }
void World::add_name(const std::string& name, const std::string& ip) { state_->names[name] = ip; }

void World::add_node(const std::string& name, const std::string& host, std::unique_ptr<Boot> boot) {
  HF_ASSERT(state_->hosts.contains(host) && !state_->nodes.contains(name));
  auto node = std::make_unique<Node>();
  node->name = name;
  node->host = host;
  node->boot = std::move(boot);
  state_->nodes[name] = std::move(node);
}

void World::start(const std::string& name) {
  Node& node = state_->node(name);
  HF_ASSERT(node.machine == nullptr);
  ++node.incarnation;
  node.powered_off = false;
  node.exit_code.reset();
  node.machine = node.boot->boot(node.disk, state_->prng.next());
  node.machine->start(state_->clock(node.host));
  state_->drain(node);
}

void World::kill(const std::string& name) {
  Node& node = state_->node(name);
  if (node.machine == nullptr) return;
  state_->drop_connections(node, Piece::Kind::kReset, false);
  state_->lose_unwritten(node);
  state_->end_process(node);
}

void World::power_off(const std::string& name) {
  Node& node = state_->node(name);
  if (node.machine == nullptr) return;
  state_->drop_connections(node, Piece::Kind::kReset, true);
  for (const auto& [job, log] : node.logs) {  // what was appended after the last sync: all, some or nothing of it
    std::string& bytes = node.disk[log.path];
    bytes.resize(log.durable + state_->prng.below(bytes.size() - log.durable + 1));
  }
  state_->lose_unwritten(node);
  state_->end_process(node);
  node.powered_off = true;
  for (auto& [path, bytes] : node.believed) {
    if (bytes) node.disk[path] = std::move(*bytes);
    if (!bytes) node.disk.erase(path);
  }
  node.believed.clear();
}

void World::signal(const std::string& name, int number) {
  Node& node = state_->node(name);
  state_->input(node, node.incarnation, [number](Machine& machine, Now now) { machine.signal(number, now); });
}

void World::pause(const std::string& name) {
  Node& node = state_->node(name);
  node.paused = node.machine != nullptr;
}

void World::resume(const std::string& name) {
  Node& node = state_->node(name);
  node.paused = false;
  std::deque<Task> held = std::move(node.held);
  node.held.clear();
  for (Task& what : held) what();
}

void World::cut(const std::string& from, const std::string& to) { state_->cuts.insert({from, to}); }
void World::heal(const std::string& from, const std::string& to) {
  state_->cuts.erase({from, to});
  state_->wake_stuck();
}
void World::heal_all() {
  state_->cuts.clear();
  state_->rejects.clear();
  state_->slowness.clear();
  state_->wake_stuck();
}
void World::slow(const std::string& from, const std::string& to, Duration extra) {
  state_->slowness[{from, to}] = extra;
}
void World::reject(const std::string& from, const std::string& to) {
  state_->rejects.insert({from, to});
  state_->reset_between(from, to);
}
void World::drift(const std::string& host, int64_t ppm) { state_->drifts[host] = ppm; }
void World::jump_wall(const std::string& host, Duration by) { state_->wall_jumps[host] += by; }
void World::lie_disk(const std::string& name, bool lies) { state_->node(name).disk_lies = lies; }
void World::fail_disk(const std::string& name, int error) { state_->node(name).disk_error = error; }

bool World::running(const std::string& name) const { return state_->node(name).machine != nullptr; }
std::optional<int> World::exit_code(const std::string& name) const { return state_->node(name).exit_code; }
Machine* World::machine(const std::string& name) { return state_->node(name).machine.get(); }
Disk& World::disk(const std::string& name) { return state_->node(name).disk; }
const std::vector<std::string>& World::spawned(const std::string& name) const { return state_->node(name).spawned; }
Duration World::elapsed() const { return state_->now - state_->begin; }

bool World::step(Duration limit) {
  const Mono end = state_->begin + limit;
  const auto first = state_->events.begin();
  if (first == state_->events.end() || first->first.first > end) {
    state_->now = std::max(state_->now, end);
    return false;
  }
  HF_ASSERT(first->first.first >= state_->now);
  state_->now = first->first.first;
  Task what = std::move(first->second);
  state_->events.erase(first);
  what();
  return true;
}

void World::run_for(Duration d) {
  const Duration limit = elapsed() + d;
  while (step(limit)) {
  }
}

std::optional<std::string> World::ask(const std::string& name, uint16_t port, const std::string& bytes,
                                      Duration patience) {
  const Node& target = state_->node(name);
  const uint64_t id = ++state_->last_pipe;
  Pipe& pipe = state_->pipes[id];
  pipe.held = true;
  for (End& end : pipe.ends) end.host = target.host;
  pipe.ends[0].address = {state_->hosts[target.host], 29999, {}};
  pipe.ends[0].open = true;
  pipe.ends[1].address = {state_->hosts[target.host], port, {}};
  state_->arrive_syn(id);
  if (!state_->pipes.contains(id) || !pipe.ends[1].open) {
    state_->pipes.erase(id);
    return std::nullopt;
  }
  state_->send(id, 1, {Piece::Kind::kBytes, bytes});
  run_for(patience);
  std::string answer = pipe.ends[0].inbox;
  const bool open = pipe.ends[0].open;
  pipe.ends[0].open = false;
  pipe.held = false;
  if (open && pipe.ends[1].open) {
    state_->send(id, 1, {Piece::Kind::kFin, {}});
  } else if (!pipe.ends[1].open && pipe.ends[0].arriving + pipe.ends[1].arriving == 0) {
    state_->pipes.erase(id);
  }
  if (!open && answer.empty()) return std::nullopt;
  return answer;
}

}  // namespace holdfast::sim
