// ClientTable: all sessions of the server, by connection and by client id.
//
// A session that is closed stays readable until purge(), which the engine calls at its next input: the host still takes
// unsent output over while it carries out the Close.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "family/session.h"
#include "family/state.h"
#include "store/function_ref.h"

namespace holdfast::server {

class ClientTable {
 public:
  family::Session& open(Now now);
  /// Null for a connection that is unknown or closed.
  family::Session* find(ConnId conn) {
    if (conn.index >= slots_.size() || !slots_[conn.index] || slots_[conn.index]->conn != conn) return nullptr;
    return slots_[conn.index]->closing ? nullptr : slots_[conn.index].get();
  }
  family::Session* find_by_id(family::ClientId id);
  /// For the host, which may ask for the output of a session that is just being closed.
  family::Session& at(ConnId conn);

  /// Marks as closed; the session disappears with the next purge().
  void close(family::Session& session);
  void purge();

  /// In the order of client ids.
  void visit(store::FunctionRef<void(family::Session&)> visit);
  void visit(store::FunctionRef<void(const family::Session&)> visit) const;
  size_t size() const { return by_id_.size(); }

 private:
  SlotIds ids_;
  std::vector<std::unique_ptr<family::Session>> slots_;
  std::map<family::ClientId, family::Session*> by_id_;
  std::vector<ConnId> closed_;
  family::ClientId next_id_ = 1;
};

/// One line of CLIENT LIST, without a newline.
std::string client_line(const family::State& state, const family::Session& session, Now now);

}  // namespace holdfast::server
