// The inside of World: what world.cc (processes, disks) and network.cc (connections) share. Not for users of World.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "sim/task.h"
#include "sim/world.h"

namespace holdfast::sim {

using MachineTask = Call<Machine&, Now>;

struct Node {
  std::string name;
  std::string host;
  std::unique_ptr<Boot> boot;
  Disk disk;
  std::unique_ptr<Machine> machine;  // null: not running
  uint64_t incarnation = 0;
  bool paused = false;
  bool powered_off = false;
  std::deque<Task> held;  // inputs of a paused process
  uint64_t tick_version = 0;
  std::map<ListenerId, Address> listeners;
  std::map<ConnId, std::pair<uint64_t, int>> conns;  // to pipe and end
  struct Write {
    std::string path, bytes;
  };
  std::map<JobId, Write> open_files;  // begun, not committed
  std::map<JobId, Write> committing;
  struct Log {
    std::string path;
    size_t durable = 0;  // bytes that survive a loss of power
  };
  std::map<JobId, Log> logs;       // open for appending
  std::map<JobId, bool> children;  // running
  std::vector<std::string> spawned;
  int disk_error = 0;
  bool disk_lies = false;
  std::map<std::string, std::optional<std::string>> believed;  // files as they were before the first lie
  std::optional<int> exit_code;
};

struct Piece {
  enum class Kind : uint8_t { kBytes, kFin, kReset } kind = Kind::kBytes;
  std::string bytes;
};

struct End {
  Node* node = nullptr;  // null: a client outside the picture
  std::string host;
  uint64_t incarnation = 0;
  ConnId conn;
  Address address;
  bool open = false;
  bool silent = false;  // gone without a word
  bool reading_paused = false;
  std::string inbox;  // of an outside client
  // Towards this end:
  std::deque<Piece> pieces;
  size_t arriving = 0;  // arrivals that are scheduled
  Mono last_arrival{};
};

struct Pipe {
  bool held = false;      // World::ask is looking at it: stays until it is let go
  End ends[2];            // 0 connected, 1 accepted
  bool syn_lost = false;  // waits for a way to the other side
};

struct World::State {
  State(uint64_t seed, Weather w, std::vector<LogLine>& lines) : prng(seed), weather(w), log(lines) {}

  Prng prng;
  Weather weather;
  std::vector<LogLine>& log;
  Mono begin = Mono(Duration(1'000'000));
  Mono now = begin;
  Wall wall_begin = wall_from_ms(1'790'000'000'000);
  std::map<std::pair<Mono, uint64_t>, Task> events;
  uint64_t last_event = 0;
  std::map<std::string, std::string> hosts;  // name to ip
  std::map<std::string, std::string> names;  // to ip
  std::map<std::string, std::unique_ptr<Node>> nodes;
  std::set<std::pair<std::string, std::string>> cuts;     // from, to
  std::set<std::pair<std::string, std::string>> rejects;  // from, to
  std::map<std::pair<std::string, std::string>, Duration> slowness;
  std::map<std::string, int64_t> drifts;       // of hosts, parts per million
  std::map<std::string, Duration> wall_jumps;  // of hosts
  std::map<uint64_t, Pipe> pipes;
  uint64_t last_pipe = 0;
  uint16_t last_port = 30000;

  /// Time as the processes of a host see it.
  Now clock(const std::string& host) const;
  /// When a host's clock will show `mono`.
  Mono world_time(const std::string& host, Mono mono) const;
  void at(Mono when, Task what) { events.emplace(std::pair(when, ++last_event), std::move(what)); }
  void after(Duration d, Task what) { at(now + d, std::move(what)); }
  Duration between(Duration min, Duration max);
  Duration delay(const std::string& from, const std::string& to);
  bool is_cut(const std::string& from, const std::string& to) const { return cuts.contains({from, to}); }
  Node& node(const std::string& name);

  // world.cc: processes
  void input(Node& node, uint64_t incarnation, MachineTask what);
  void drain(Node& node);
  void schedule_tick(Node& node);
  void end_process(Node& node);
  void carry_out(Node& node, Action& action);
  void write_file(Node& node, JobId job, Node::Write write);
  /// True if it was one of the actions on logs and single files.
  bool carry_out_file(Node& node, Action& action);
  void sync_log(Node& node, JobId log, JobId job, bool close);
  void read_file(Node& node, JobId job, const std::string& path);
  void spawn(Node& node, const action::Spawn& spawn);
  void job_done_later(Node& node, JobId job, int status, Duration d);
  void lose_unwritten(Node& node);

  // network.cc: connections
  void listen(Node& node, const action::Listen& listen);
  void connect(Node& node, const action::Connect& connect);
  void arrive_syn(uint64_t pipe);
  Node* listener_at(const std::string& host, const std::string& ip, uint16_t port, ListenerId& listener);
  std::string host_of(const std::string& ip, const std::string& asker) const;
  void fail_connect(uint64_t pipe, CloseReason reason, int error);
  void transmit(Node& node, ConnId conn);
  void send(uint64_t pipe, int to, Piece piece);
  void arrive(uint64_t pipe, int to);
  void deliver(uint64_t pipe, int to);
  void lose_end(uint64_t pipe, int end);
  void close(Node& node, ConnId conn, action::CloseMode mode);
  void pause_reading(Node& node, ConnId conn, bool paused);
  void reset_between(const std::string& from, const std::string& to);
  void drop_connections(Node& node, Piece::Kind how, bool silent);
  void wake_stuck();
};

}  // namespace holdfast::sim
