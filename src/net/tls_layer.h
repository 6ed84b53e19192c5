// TlsLayer: stands between a reactor and its client and makes TLS connections look like plain ones.
//
// It is put in between when the first connection starts TLS (Reactor::set_client): a process without TLS pays nothing,
// in one with TLS a plain connection pays one look into a table per event. Rules:
//  - the client's queues hold plain bytes, a session's own queue what the reactor writes; encryption happens when the
//    reactor asks for the queue, at most kCipherMax ahead of the socket;
//  - a peer that does not read what the library must answer (alerts, key updates) is not read from either;
//  - the client is told nothing of a handshake but its end;
//  - a close sends close_notify where the stream is whole; a broken handshake sends its alert.
#pragma once

#include <openssl/ssl.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tls.h"
#include "net/reactor.h"
#include "net/tls_context.h"

namespace holdfast::net {

class TlsClient : public ReactorClient {
 public:
  virtual void on_secured(ConnId conn, const TlsFacts& facts) = 0;
  /// As on_closed: the handshake or the stream broke a rule. `text` is the library's, or why the limit ended it.
  virtual void on_tls_failed(ConnId conn, std::string_view text) = 0;
};

struct TlsStart {
  SSL_CTX* context = nullptr;
  bool client = false;
  std::string preface;
  std::string server_name, verify_name;
  std::string received;
  std::optional<Duration> limit;
};

class TlsLayer final : public ReactorClient {
 public:
  TlsLayer(Reactor& reactor, TlsClient& client);
  ~TlsLayer() override;

  /// The connection speaks TLS from here on; nothing if it is not open.
  void start(ConnId conn, TlsStart how);
  // As the reactor's; plain connections pass through.
  void close(ConnId conn, action::CloseMode mode);
  void pause(ConnId conn, bool paused);
  void shutdown_write(ConnId conn);

  /// What waits for its time, or for the end of a callback, is worked off; after every turn.
  void work(Mono now);
  Mono next_deadline() const;
  /// Sessions there are.
  size_t sessions() const { return live_; }

  void on_accepted(ListenerId listener, int fd) override { client_.on_accepted(listener, fd); }
  void on_connected(ConnId conn) override { client_.on_connected(conn); }
  void on_received(ConnId conn, std::string_view bytes) override;
  void on_eof(ConnId conn) override;
  void on_closed(ConnId conn, int error) override;
  void on_drained(ConnId conn) override;
  void on_watched(int fd) override { client_.on_watched(fd); }
  OutQueue& output(ConnId conn) override;
  bool half_open(ConnId conn) const override { return find(conn) != nullptr || client_.half_open(conn); }

 private:
  struct Session;
  struct SessionFree {
    void operator()(Session* session) const;
  };
  struct Timer {
    Mono due;
    ConnId conn;
  };

  Session* find(ConnId conn) const;
  void drop(ConnId conn);
  void advance(Session& session, std::string_view bytes);
  bool shake_hands(Session& session);
  bool read(Session& session);
  void pump(Session& session);
  void settle_reading(Session& session);
  void peer_ended(Session& session);
  void fail(Session& session, std::string text);
  void wake(Session& session);
  TlsFacts facts_of(const Session& session) const;

  Reactor& reactor_;
  TlsClient& client_;
  std::vector<std::unique_ptr<Session, SessionFree>> sessions_;  // by ConnId::index
  size_t live_ = 0;
  std::vector<ConnId> woken_;
  std::deque<Timer> timers_;  // sorted by their time
  std::unique_ptr<char[]> buffer_;
};

}  // namespace holdfast::net
