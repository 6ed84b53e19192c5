#include "sim/model.h"

#include "codec/resp/encode.h"

namespace holdfast::sim {

void Model::start(Now now) {
  now_ = now.mono;
  act(action::Listen{ListenerId{1}, {"*", port_, {}}, 511});
  began();
}

ConnId Model::accepted(const Accepted& from, Now now) {
  now_ = now.mono;
  auto conn = std::make_unique<ModelConn>();
  conn->id = ids_.allocate();
  conn->established = true;
  conn->requests_come = true;
  conn->peer = from.peer;
  conn->local = from.local;
  const ConnId id = conn->id;
  conns_[id] = std::move(conn);
  return id;
}

ModelConn& Model::connect(const Address& to, int tag) {
  auto conn = std::make_unique<ModelConn>();
  conn->id = ids_.allocate();
  conn->outgoing = true;
  conn->peer = to;
  conn->tag = tag;
  act(action::Connect{conn->id, to});
  const ConnId id = conn->id;
  return *(conns_[id] = std::move(conn));
}

OutQueue& Model::output(ConnId id) {
  if (ModelConn* conn = find(id)) return conn->out;
  for (const auto& conn : ended_) {
    if (conn->id == id) return conn->out;
  }
  return nothing_;
}

ModelConn* Model::find(ConnId id) {
  const auto at = conns_.find(id);
  return at == conns_.end() ? nullptr : at->second.get();
}

void Model::connected(ConnId id, const Address& local, const Address&, Now now) {
  now_ = now.mono;
  ended_.clear();
  ModelConn* conn = find(id);
  if (conn == nullptr) return;
  conn->established = true;
  conn->local = local;
  if (!conn->out.empty()) act(action::Flush{id});
  up(*conn);
}

void Model::receive(ConnId id, std::string_view bytes, Now now) {
  now_ = now.mono;
  ended_.clear();
  ModelConn* conn = find(id);
  if (conn == nullptr) return;
  if (!conn->requests_come) {
    conn->replies.feed(bytes);
    while (const auto what = conn->replies.next()) {
      reply(*conn, *what);
      conn = find(id);
      if (conn == nullptr) return;
    }
    return;
  }
  conn->requests.feed(bytes);
  while (conn->requests.next({}) == codec::RequestParser::Status::kRequest) {
    if (conn->requests.args().empty()) continue;
    OutQueue out;
    command::Reply answer(out, 2);
    request(*conn, conn->requests.args(), answer);
    if (find(id) == nullptr) return;
    if (!out.empty()) send_bytes(*conn, out.to_string());
  }
  conn->requests.finish();
}

void Model::closed(ConnId id, Closed why, Now now) {
  now_ = now.mono;
  ended_.clear();
  ModelConn* conn = find(id);
  if (conn == nullptr) return;
  const auto at = conns_.find(id);
  ended_.push_back(std::move(at->second));
  conns_.erase(at);
  ids_.release(id);
  down(*ended_.back(), why.reason);
}

void Model::tick(Now now) {
  now_ = now.mono;
  ended_.clear();
  time_passed();
}

void Model::send_bytes(ModelConn& conn, std::string_view bytes) {
  const bool flush = conn.established && conn.out.empty();
  conn.out.append(bytes);
  if (flush) act(action::Flush{conn.id});
}

void Model::send(ModelConn& conn, std::initializer_list<std::string_view> words) {
  std::string bytes;
  codec::append_request(bytes, words);
  send_bytes(conn, bytes);
}

void Model::close(ConnId id) {
  const auto at = conns_.find(id);
  if (at == conns_.end()) return;
  ended_.push_back(std::move(at->second));
  conns_.erase(at);
  ids_.release(id);
  act(action::Close{id, action::CloseMode::kNow});
}

}  // namespace holdfast::sim
