// Model: what the programs made up for the simulator share: connections, requests, replies, one timer.
//
// A model speaks the real wire format, so that our machines cannot tell it from the program it stands for, but keeps
// only the state that decides about failovers. It is written against reference texts, not against our own machines.
// An incoming connection carries requests; an outgoing one carries replies, unless it is a replication link.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "base/prng.h"
#include "codec/resp/reply.h"
#include "codec/resp/request.h"
#include "command/reply.h"

namespace holdfast::sim {

struct ModelConn {
  ConnId id;
  OutQueue out;
  bool outgoing = false;
  bool established = false;
  bool requests_come = false;  // both ways on a replication link
  Address peer, local;
  codec::RequestStream requests;
  codec::ReplyReader replies;
  int tag = 0;  // the model's own
};

class Model : public Machine {
 public:
  explicit Model(uint64_t seed, uint16_t port) : prng_(seed), port_(port) {}

  void start(Now now) override;
  ConnId accepted(const Accepted& from, Now now) override;
  void listening(ListenerId, const Address&, int, Now) override {}
  void connected(ConnId conn, const Address& local, const Address& peer, Now now) override;
  void receive(ConnId conn, std::string_view bytes, Now now) override;
  void eof(ConnId conn, Now now) override { closed(conn, {}, now); }
  void closed(ConnId conn, Closed why, Now now) override;
  void drained(ConnId, Now) override {}
  void file_data(JobId, std::string_view, Now) override {}
  void job_done(JobId, int, Now) override {}
  void resolved(JobId, const std::vector<std::string>&, Now) override {}
  void signal(int, Now) override { act(action::Exit{0}); }
  void tick(Now now) override;
  Mono next_deadline() const override { return deadline(); }
  OutQueue& output(ConnId conn) override;

 protected:
  using Args = std::vector<std::string_view>;
  virtual void began() = 0;
  virtual void request(ModelConn& conn, const Args& args, command::Reply& reply) = 0;
  virtual void reply(ModelConn& conn, const codec::Reply& what) = 0;
  virtual void up(ModelConn& conn) = 0;
  virtual void down(ModelConn& conn, CloseReason reason) = 0;
  virtual void time_passed() = 0;
  virtual Mono deadline() const = 0;

  ModelConn& connect(const Address& to, int tag);
  ModelConn* find(ConnId id);
  void send(ModelConn& conn, std::initializer_list<std::string_view> words);
  void send_bytes(ModelConn& conn, std::string_view bytes);
  /// No down() follows.
  void close(ConnId id);
  void log(std::string text) { act(action::Log{LogLevel::kNotice, std::move(text)}); }
  const std::map<ConnId, std::unique_ptr<ModelConn>>& conns() const { return conns_; }
  Mono now() const { return now_; }

  Prng prng_;
  uint16_t port_;

 private:
  Mono now_{};
  SlotIds ids_;
  std::map<ConnId, std::unique_ptr<ModelConn>> conns_;
  OutQueue nothing_;
  std::vector<std::unique_ptr<ModelConn>> ended_;  // of this turn: the host may still take their output
};

}  // namespace holdfast::sim
