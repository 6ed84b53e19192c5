#include <cerrno>

#include "base/assert.h"
#include "sim/world_state.h"

namespace holdfast::sim {

using State = World::State;

namespace {
constexpr Duration kRetransmit = 200ms;  // as long as TCP waits at first
}

Duration State::between(Duration min, Duration max) {
  const auto span = static_cast<uint64_t>((max - min).count()) + 1;
  return min + Duration(static_cast<int64_t>(prng.below(span)));
}

Duration State::delay(const std::string& from, const std::string& to) {
  Duration d = between(weather.delay_min, weather.delay_max);
  if (from == to) return d / 10;
  if (weather.lost_per_thousand > 0 && prng.below(1000) < weather.lost_per_thousand) d += kRetransmit;
  const auto slow = slowness.empty() ? slowness.end() : slowness.find({from, to});
  return slow == slowness.end() ? d : d + slow->second;
}

std::string State::host_of(const std::string& ip, const std::string& asker) const {
  if (ip.starts_with("127.") || ip == "::1") return asker;
  for (const auto& [host, address] : hosts) {
    if (address == ip) return host;
  }
  return "";
}

Node* State::listener_at(const std::string& host, const std::string& ip, uint16_t port, ListenerId& listener) {
  for (const auto& [name, candidate] : nodes) {
    if (candidate->host != host || candidate->machine == nullptr) continue;
    for (const auto& [id, address] : candidate->listeners) {
      if (address.port != port || (address.host != "*" && address.host != ip)) continue;
      listener = id;
      return candidate.get();
    }
  }
  return nullptr;
}

void State::listen(Node& node, const action::Listen& listen) {
  ListenerId other{};
  const bool ipv4 = listen.address.host.find(':') == std::string::npos && !listen.address.is_unix();
  const std::string& ip = hosts[node.host];
  const bool taken = ipv4 && listener_at(node.host, ip, listen.address.port, other) != nullptr;
  int error = taken ? EADDRINUSE : 0;
  if (!ipv4) error = EAFNOSUPPORT;  // only IPv4 exists here
  if (error == 0) node.listeners[listen.listener] = listen.address;
  const Address bound = listen.address;
  const ListenerId id = listen.listener;
  after(10us, [this, &node, incarnation = node.incarnation, id, bound, error] {
    input(node, incarnation, [=](Machine& machine, Now at) { machine.listening(id, bound, error, at); });
  });
}

void State::connect(Node& node, const action::Connect& connect) {
  const uint64_t id = ++last_pipe;
  Pipe& pipe = pipes[id];
  if (++last_port < 30000) last_port = 30000;
  const bool loopback = connect.to.host.starts_with("127.");
  End& near = pipe.ends[0];
  near.node = &node;
  near.host = node.host;
  near.incarnation = node.incarnation;
  near.conn = connect.conn;
  near.address = {loopback ? connect.to.host : hosts[node.host], last_port, {}};
  near.open = true;
  End& far = pipe.ends[1];
  far.host = host_of(connect.to.host, node.host);
  far.address = connect.to;
  node.conns[connect.conn] = {id, 0};
  after(far.host.empty() ? 1ms : delay(near.host, far.host), [this, id] { arrive_syn(id); });
}

void State::arrive_syn(uint64_t id) {
  const auto at_pipe = pipes.find(id);
  if (at_pipe == pipes.end()) return;
  End& near = at_pipe->second.ends[0];
  End& far = at_pipe->second.ends[1];
  if (!near.open) {
    pipes.erase(at_pipe);
    return;
  }
  if (far.host.empty()) return fail_connect(id, CloseReason::kUnreachable, EHOSTUNREACH);
  bool off = false;
  for (const auto& [name, other] : nodes) off |= other->host == far.host && other->powered_off;
  if (is_cut(near.host, far.host) || is_cut(far.host, near.host) || off) {
    if (!at_pipe->second.syn_lost) {
      at_pipe->second.syn_lost = true;
      after(weather.connect_timeout, [this, id] {
        const auto at = pipes.find(id);
        if (at != pipes.end() && at->second.syn_lost) fail_connect(id, CloseReason::kTimedOut, ETIMEDOUT);
      });
    }
    return;
  }
  at_pipe->second.syn_lost = false;
  ListenerId listener{};
  Node* target = rejects.contains({near.host, far.host})
                     ? nullptr
                     : listener_at(far.host, far.address.host, far.address.port, listener);
  if (target == nullptr) {
    after(delay(far.host, near.host), [this, id] { fail_connect(id, CloseReason::kRefused, ECONNREFUSED); });
    return;
  }
  far.node = target;
  far.incarnation = target->incarnation;
  far.open = true;
  // The kernel accepts: the other side is connected whether or not the process gets to run.
  const Address local = near.address;
  const Address peer = far.address;
  if (near.node != nullptr) {
    after(delay(far.host, near.host), [this, id, local, peer] {
      const auto at = pipes.find(id);
      if (at == pipes.end() || !at->second.ends[0].open) return;
      const End& end = at->second.ends[0];
      input(*end.node, end.incarnation,
            [conn = end.conn, local, peer](Machine& machine, Now now_) { machine.connected(conn, local, peer, now_); });
    });
  }
  input(*target, target->incarnation, [this, id, listener, local, peer, target](Machine& machine, Now now_) {
    const auto at = pipes.find(id);
    if (at == pipes.end() || !at->second.ends[1].open) return;
    const ConnId conn = machine.accepted({listener, local, peer}, now_);
    at->second.ends[1].conn = conn;
    target->conns[conn] = {id, 1};
    while (at->second.ends[1].pieces.size() > at->second.ends[1].arriving) {
      ++at->second.ends[1].arriving;
      after(1us, [this, id] { arrive(id, 1); });
    }
  });
}

void State::fail_connect(uint64_t id, CloseReason reason, int error) {
  const auto at = pipes.find(id);
  if (at == pipes.end()) return;
  const End near = at->second.ends[0];
  pipes.erase(at);
  if (!near.open || near.node == nullptr) return;
  near.node->conns.erase(near.conn);
  input(*near.node, near.incarnation,
        [conn = near.conn, reason, error](Machine& machine, Now now_) { machine.closed(conn, {reason, error}, now_); });
}

/// Everything in the connection's output queue goes on its way, in one piece or two.
void State::transmit(Node& node, ConnId conn) {
  const auto at = node.conns.find(conn);
  if (at == node.conns.end()) return;
  const auto [id, end] = at->second;
  OutQueue& queue = node.machine->output(conn);
  if (queue.empty()) return;
  std::string bytes = queue.to_string();
  queue.clear();
  if (bytes.size() > 1 && prng.below(8) == 0) {
    const size_t split = 1 + prng.below(bytes.size() - 1);
    send(id, 1 - end, {Piece::Kind::kBytes, bytes.substr(0, split)});
    bytes.erase(0, split);
  }
  send(id, 1 - end, {Piece::Kind::kBytes, std::move(bytes)});
  if (!node.boot->heeds_drained()) return;
  after(1us, [this, &node, conn, incarnation = node.incarnation] {
    input(node, incarnation, [&node, conn](Machine& machine, Now now_) {
      if (node.conns.contains(conn)) machine.drained(conn, now_);
    });
  });
}

void State::send(uint64_t id, int to, Piece piece) {
  const auto found = pipes.find(id);
  if (found == pipes.end()) return;  // both ends are gone, one process just has not been told yet
  Pipe& pipe = found->second;
  End& target = pipe.ends[to];
  target.pieces.push_back(std::move(piece));
  target.last_arrival = std::max(target.last_arrival, now + delay(pipe.ends[1 - to].host, target.host));
  ++target.arriving;
  at(target.last_arrival, [this, id, to] { arrive(id, to); });
}

void State::arrive(uint64_t id, int to) {
  const auto found = pipes.find(id);
  if (found == pipes.end()) return;
  End& target = found->second.ends[to];
  HF_ASSERT(target.arriving > 0);
  --target.arriving;
  if (target.pieces.empty() || is_cut(found->second.ends[1 - to].host, target.host)) return;  // waits for heal()
  if (target.reading_paused) return;                                  // waits in the kernel's buffer
  if (target.open && target.node != nullptr && !target.conn) return;  // not accepted yet
  deliver(id, to);
  const auto left = pipes.find(id);
  if (left == pipes.end()) return;
  const Pipe& pipe = left->second;
  if (pipe.held) return;
  if (!pipe.ends[0].open && !pipe.ends[1].open && pipe.ends[0].arriving + pipe.ends[1].arriving == 0) pipes.erase(id);
}

void State::deliver(uint64_t id, int to) {
  Pipe& pipe = pipes.at(id);
  End& target = pipe.ends[to];
  Piece piece = std::move(target.pieces.front());
  target.pieces.pop_front();
  if (!target.open) {
    // Bytes for nobody are answered by a reset, unless there is nobody left to answer.
    const bool dead_host = target.silent && target.node != nullptr && target.node->machine == nullptr;
    if (piece.kind == Piece::Kind::kBytes && pipe.ends[1 - to].open && !dead_host) {
      send(id, 1 - to, {Piece::Kind::kReset, {}});
    }
    return;
  }
  if (target.node == nullptr) {
    if (piece.kind == Piece::Kind::kBytes) {
      target.inbox += piece.bytes;
    } else {
      target.open = false;
    }
    return;
  }
  Node& node = *target.node;
  const ConnId conn = target.conn;
  const uint64_t incarnation = target.incarnation;
  if (piece.kind == Piece::Kind::kBytes) {
    input(node, incarnation, [&node, conn, bytes = std::move(piece.bytes)](Machine& machine, Now now_) {
      if (node.conns.contains(conn)) machine.receive(conn, bytes, now_);
    });
    return;
  }
  const bool half = piece.kind == Piece::Kind::kFin && node.machine != nullptr && node.machine->half_open();
  if (half) {
    input(node, incarnation, [&node, conn](Machine& machine, Now now_) {
      if (node.conns.contains(conn)) machine.eof(conn, now_);
    });
    return;
  }
  target.open = false;
  const Closed why =
      piece.kind == Piece::Kind::kFin ? Closed{CloseReason::kEof, 0} : Closed{CloseReason::kReset, ECONNRESET};
  input(node, incarnation, [&node, conn, why](Machine& machine, Now now_) {
    if (node.conns.erase(conn) > 0) machine.closed(conn, why, now_);
  });
}

void State::close(Node& node, ConnId conn, action::CloseMode mode) {
  const auto at = node.conns.find(conn);
  if (at == node.conns.end()) return;
  const auto [id, end] = at->second;
  if (mode == action::CloseMode::kFlush) transmit(node, conn);
  node.conns.erase(conn);
  const auto found = pipes.find(id);
  if (found == pipes.end()) return;
  Pipe& pipe = found->second;
  pipe.ends[end].open = false;
  if (end == 0 && pipe.ends[1].node == nullptr && !pipe.ends[1].open) return;  // still connecting
  send(id, 1 - end, {mode == action::CloseMode::kReset ? Piece::Kind::kReset : Piece::Kind::kFin, {}});
}

void State::pause_reading(Node& node, ConnId conn, bool paused) {
  const auto at = node.conns.find(conn);
  if (at == node.conns.end()) return;
  const auto [id, end] = at->second;
  const auto found = pipes.find(id);
  if (found == pipes.end()) return;
  End& mine = found->second.ends[end];
  mine.reading_paused = paused;
  if (paused) return;
  while (mine.arriving < mine.pieces.size()) {
    ++mine.arriving;
    after(1us, [this, id = id, end = end] { arrive(id, end); });
  }
}

/// Both ends of every connection from one host to another hear a reset.
void State::reset_between(const std::string& from, const std::string& to) {
  std::vector<uint64_t> doomed;
  for (const auto& [id, pipe] : pipes) {
    if (pipe.ends[0].host == from && pipe.ends[1].host == to) doomed.push_back(id);
  }
  for (const uint64_t id : doomed) {
    for (int end = 0; end < 2; ++end) {
      if (pipes.contains(id) && pipes.at(id).ends[end].open) send(id, end, {Piece::Kind::kReset, {}});
    }
  }
}

void State::drop_connections(Node& node, Piece::Kind how, bool silent) {
  for (auto& [id, pipe] : pipes) {
    for (int end = 0; end < 2; ++end) {
      End& mine = pipe.ends[end];
      if (mine.node != &node || mine.incarnation != node.incarnation || !mine.open) continue;
      mine.open = false;
      mine.silent = silent;
      if (!silent && pipe.ends[1 - end].open) send(id, 1 - end, {how, {}});
    }
  }
  node.conns.clear();
  node.listeners.clear();
}

void State::wake_stuck() {
  for (auto& [id, pipe] : pipes) {
    if (pipe.syn_lost) after(delay(pipe.ends[0].host, pipe.ends[1].host), [this, id = id] { arrive_syn(id); });
    for (int end = 0; end < 2; ++end) {
      End& target = pipe.ends[end];
      while (target.arriving < target.pieces.size()) {
        ++target.arriving;
        target.last_arrival = std::max(target.last_arrival, now + delay(pipe.ends[1 - end].host, target.host));
        at(target.last_arrival, [this, id = id, end] { arrive(id, end); });
      }
    }
  }
}

}  // namespace holdfast::sim
