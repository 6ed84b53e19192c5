#include "net/tls_layer.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace holdfast::net {
namespace {

constexpr size_t kRecordMax = 16 * 1024;
constexpr size_t kCipherMax = 256 * 1024;  // encrypted ahead of the socket
constexpr size_t kViews = 16;
constexpr std::string_view kTooSlow = "TLS handshake timed out";

std::string der_of(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = certificate == nullptr ? -1 : i2d_X509(certificate, &bytes);
  std::string out;
  if (size > 0) out.assign(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

}  // namespace

struct TlsLayer::Session {
  ConnId conn;
  SSL* ssl = nullptr;
  OutQueue cipher;         // what the reactor writes
  std::string_view input;  // received and not read by the library yet; valid inside advance() only
  std::string held;        // the same, between calls; not more than one receive of the reactor
  std::string failure;     // found where a connection cannot be ended; for work()
  size_t plain_stalled = 0;
  TlsVerifyErrors verify_errors;
  bool handshaking = true;
  bool paused = false;       // by the client
  bool stalled = false;      // the library must write before it reads on
  bool read_paused = false;  // what the reactor was told
  bool unbounded = false;    // the last bytes are taken whatever they are
  bool input_ended = false;  // FIN
  bool end_told = false;     // the client knows that no more bytes come
  bool shutdown_wanted = false;
  bool shutdown_done = false;
  bool closing = false;  // nothing is encrypted any more
  bool woken = false;
};

namespace {

// A BIO without buffers: it reads a session's input in place and writes to its queue.

template <typename Session>
struct Wire {
  static int write(BIO* bio, const char* bytes, size_t size, size_t* written) {
    auto& session = *static_cast<Session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session.cipher.size() >= kCipherMax && !session.unbounded) {
      BIO_set_retry_write(bio);
      return 0;
    }
    session.cipher.append({bytes, size});
    *written = size;
    return 1;
  }
  static int read(BIO* bio, char* bytes, size_t size, size_t* got) {
    auto& session = *static_cast<Session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session.input.empty()) {
      if (!session.input_ended) BIO_set_retry_read(bio);
      return 0;
    }
    *got = std::min(size, session.input.size());
    std::copy_n(session.input.data(), *got, bytes);
    session.input.remove_prefix(*got);
    return 1;
  }
  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command != BIO_CTRL_EOF) return 0;
    const auto& session = *static_cast<Session*>(BIO_get_data(bio));
    return session.input.empty() && session.input_ended ? 1 : 0;
  }
  static BIO* make(Session* session) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast");
      BIO_meth_set_write_ex(made, write);
      BIO_meth_set_read_ex(made, read);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

}  // namespace

void TlsLayer::SessionFree::operator()(Session* session) const {
  SSL_free(session->ssl);
  delete session;
}

TlsLayer::TlsLayer(Reactor& reactor, TlsClient& client)
    : reactor_(reactor), client_(client), buffer_(new char[kRecordMax]) {}
TlsLayer::~TlsLayer() = default;

TlsLayer::Session* TlsLayer::find(ConnId conn) const {
  if (conn.index >= sessions_.size()) return nullptr;
  Session* session = sessions_[conn.index].get();
  return session != nullptr && session->conn == conn ? session : nullptr;
}

void TlsLayer::drop(ConnId conn) {
  sessions_[conn.index].reset();
  --live_;
}

// ---- the client's side ------------------------------------------------------------------------------------------

void TlsLayer::start(ConnId conn, TlsStart how) {
  if (reactor_.descriptor(conn) < 0 || find(conn) != nullptr) return;
  if (conn.index >= sessions_.size()) sessions_.resize(conn.index + 1);
  HF_ASSERT(sessions_[conn.index] == nullptr);
  auto session = std::unique_ptr<Session, SessionFree>(new Session);
  session->conn = conn;
  session->ssl = SSL_new(how.context);
  BIO* bio = Wire<Session>::make(session.get());
  SSL_set_bio(session->ssl, bio, bio);
  remember_verify_errors(session->ssl, &session->verify_errors);
  if (how.client) {
    SSL_set_connect_state(session->ssl);
    if (!how.server_name.empty()) SSL_set_tlsext_host_name(session->ssl, how.server_name.c_str());
    if (!how.verify_name.empty()) {
      SSL_set_hostflags(session->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host(session->ssl, how.verify_name.c_str());
    }
  } else {
    SSL_set_accept_state(session->ssl);
  }
  session->cipher.append(how.preface);
  Session& made = *session;
  sessions_[conn.index] = std::move(session);
  ++live_;
  if (how.limit) {
    const Timer timer{reactor_.now().mono + *how.limit, conn};
    const auto later = [](const Timer& a, const Timer& b) { return a.due < b.due; };
    timers_.insert(std::upper_bound(timers_.begin(), timers_.end(), timer, later), timer);
  }
  made.held = std::move(how.received);
  wake(made);
}

/// Its turn comes when no callback of this session is running.
void TlsLayer::wake(Session& session) {
  if (session.woken) return;
  session.woken = true;
  woken_.push_back(session.conn);
}

void TlsLayer::close(ConnId conn, action::CloseMode mode) {
  Session* session = find(conn);
  if (session == nullptr) return reactor_.close(conn, mode);
  const bool whole = !session->handshaking && session->failure.empty() && mode != action::CloseMode::kReset;
  if (whole && mode == action::CloseMode::kFlush) {
    session->unbounded = true;
    pump(*session);
  }
  session->closing = true;
  // Where bytes are dropped, the stream is not whole: no close_notify.
  const bool notify = whole && (mode == action::CloseMode::kFlush || session->cipher.empty());
  if (notify && !session->shutdown_done) {
    session->unbounded = true;
    ERR_clear_error();
    SSL_shutdown(session->ssl);
  }
  // COMPAT: a refusal before the handshake is over cannot be told; the connection just ends.
  reactor_.close(conn, notify                              ? action::CloseMode::kFlush
                       : mode == action::CloseMode::kFlush ? action::CloseMode::kNow
                                                           : mode);
  drop(conn);
}

void TlsLayer::pause(ConnId conn, bool paused) {
  Session* session = find(conn);
  if (session == nullptr) return reactor_.pause(conn, paused);
  if (session->paused == paused) return;
  session->paused = paused;
  settle_reading(*session);
  if (!paused) wake(*session);
}

void TlsLayer::settle_reading(Session& session) {
  const bool wanted = session.paused || session.stalled;
  if (wanted == session.read_paused) return;
  session.read_paused = wanted;
  reactor_.pause(session.conn, wanted);
}

void TlsLayer::shutdown_write(ConnId conn) {
  Session* session = find(conn);
  if (session == nullptr) return reactor_.shutdown_write(conn);
  session->shutdown_wanted = true;
  reactor_.flush(conn);
  wake(*session);
}

// ---- the reactor's side -----------------------------------------------------------------------------------------

void TlsLayer::on_received(ConnId conn, std::string_view bytes) {
  Session* session = find(conn);
  session == nullptr ? client_.on_received(conn, bytes) : advance(*session, bytes);
}

void TlsLayer::on_eof(ConnId conn) {
  Session* session = find(conn);
  if (session == nullptr) return client_.on_eof(conn);
  session->input_ended = true;
  advance(*session, {});
}

void TlsLayer::on_closed(ConnId conn, int error) {
  if (find(conn) != nullptr) drop(conn);
  client_.on_closed(conn, error);
}

OutQueue& TlsLayer::output(ConnId conn) {
  Session* session = find(conn);
  if (session == nullptr) return client_.output(conn);
  pump(*session);
  return session->cipher;
}

void TlsLayer::on_drained(ConnId conn) {
  Session* session = find(conn);
  if (session == nullptr) return client_.on_drained(conn);
  pump(*session);
  if (!session->cipher.empty()) reactor_.flush(conn);
  if (session->stalled && session->cipher.size() < kCipherMax) {
    session->stalled = false;
    settle_reading(*session);
    wake(*session);
  }
  if (session->handshaking) return;
  const size_t left = client_.output(conn).size();
  if (left == 0 || left < session->plain_stalled / 2) {
    session->plain_stalled = left;
    client_.on_drained(conn);
  } else if (session->plain_stalled == 0) {
    session->plain_stalled = left;
  }
}

// ---- the library's side -----------------------------------------------------------------------------------------

/// Lets the library work on what was received. `session` may be gone afterwards.
void TlsLayer::advance(Session& session, std::string_view bytes) {
  const ConnId conn = session.conn;
  std::string kept = std::exchange(session.held, {});
  if (!kept.empty()) bytes = kept.append(bytes);
  session.input = bytes;
  const bool alive = shake_hands(session) && read(session);
  if (!alive || find(conn) != &session) return;
  if (!session.input.empty()) session.held.assign(session.input);
  session.input = {};
  settle_reading(session);
  if (session.shutdown_wanted) pump(session);
  if (!session.cipher.empty() || !client_.output(conn).empty()) reactor_.flush(conn);
}

/// False: the session is over.
bool TlsLayer::shake_hands(Session& session) {
  if (!session.handshaking) return true;
  const ConnId conn = session.conn;
  ERR_clear_error();
  const int result = SSL_do_handshake(session.ssl);
  if (result == 1) {
    session.handshaking = false;
    client_.on_secured(conn, facts_of(session));
    return find(conn) == &session;
  }
  switch (SSL_get_error(session.ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return true;
    case SSL_ERROR_WANT_WRITE:
      session.stalled = true;
      return true;
    default:
      fail(session, take_tls_error());
      return false;
  }
}

/// False: the session is over.
bool TlsLayer::read(Session& session) {
  const ConnId conn = session.conn;
  while (!session.handshaking && !session.paused && !session.end_told) {
    ERR_clear_error();
    const int got = SSL_read(session.ssl, buffer_.get(), static_cast<int>(kRecordMax));
    if (got > 0) {
      client_.on_received(conn, {buffer_.get(), static_cast<size_t>(got)});
      if (find(conn) != &session) return false;
      continue;
    }
    switch (SSL_get_error(session.ssl, got)) {
      case SSL_ERROR_WANT_READ:
        return true;
      case SSL_ERROR_WANT_WRITE:
        session.stalled = true;
        return true;
      case SSL_ERROR_ZERO_RETURN:
        peer_ended(session);
        return find(conn) == &session;
      default:
        // COMPAT: a stream that ends without close_notify has ended all the same.
        session.input_ended&& session.input.empty() ? peer_ended(session) : fail(session, take_tls_error());
        return find(conn) == &session;
    }
  }
  if (session.end_told) session.input = {};
  return true;
}

/// Encrypts what the client queued, as far as there is room.
void TlsLayer::pump(Session& session) {
  if (session.handshaking || session.closing || session.shutdown_done || !session.failure.empty()) return;
  OutQueue& plain = client_.output(session.conn);
  std::string_view views[kViews];
  bool room = true;
  while (room && !plain.empty() && (session.unbounded || session.cipher.size() < kCipherMax)) {
    const size_t count = plain.peek(views);
    size_t taken = 0;
    for (size_t i = 0; i < count && room && (session.unbounded || session.cipher.size() < kCipherMax); ++i) {
      ERR_clear_error();
      const size_t size = std::min(views[i].size(), kRecordMax);
      const int written = SSL_write(session.ssl, views[i].data(), static_cast<int>(size));
      if (written > 0) taken += static_cast<size_t>(written);
      room = written == static_cast<int>(views[i].size());  // else the views no longer begin where the library goes on
      if (written > 0) continue;
      const int why = SSL_get_error(session.ssl, written);
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return plain.consume(taken);
      session.failure = take_tls_error();
      wake(session);
      return plain.consume(taken);
    }
    plain.consume(taken);
    room = taken > 0;
  }
  if (session.shutdown_wanted && plain.empty()) {
    session.shutdown_done = true;
    ERR_clear_error();
    SSL_shutdown(session.ssl);
    reactor_.shutdown_write(session.conn);
  }
}

/// No more bytes come. `session` may be gone afterwards.
void TlsLayer::peer_ended(Session& session) {
  if (std::exchange(session.end_told, true)) return;
  const ConnId conn = session.conn;
  if (client_.half_open(conn)) return client_.on_eof(conn);
  close(conn, action::CloseMode::kFlush);  // a client that sent its last command and left still reads the reply
  client_.on_closed(conn, 0);
}

/// Ends the connection, after the alert that the library may have queued.
void TlsLayer::fail(Session& session, std::string text) {
  const ConnId conn = session.conn;
  session.closing = true;
  reactor_.close(conn, session.cipher.empty() ? action::CloseMode::kNow : action::CloseMode::kFlush);
  drop(conn);
  client_.on_tls_failed(conn, text);
}

TlsFacts TlsLayer::facts_of(const Session& session) const {
  SSL* ssl = session.ssl;
  TlsFacts out;
  out.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    out.cipher = SSL_CIPHER_get_name(cipher);
    out.cipher_bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) out.sni = name;
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn_size > 0) out.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  out.resumed = SSL_session_reused(ssl) == 1;
  X509* peer = SSL_get0_peer_certificate(ssl);
  out.peer_certificate = peer != nullptr;
  out.peer_der = der_of(peer);
  out.own_der = der_of(SSL_get_certificate(ssl));
  out.verify_error = session.verify_errors.error;
  out.verify_ca_error = session.verify_errors.ca_error;
  out.verify_depth = session.verify_errors.depth;
  return out;
}

// ---- time -------------------------------------------------------------------------------------------------------

Mono TlsLayer::next_deadline() const {
  if (!woken_.empty()) return Mono::min();
  return timers_.empty() ? kNever : timers_.front().due;
}

void TlsLayer::work(Mono now) {
  for (const ConnId conn : std::exchange(woken_, {})) {
    Session* session = find(conn);
    if (session == nullptr) continue;
    session->woken = false;
    if (!session->failure.empty()) {
      fail(*session, session->failure);
    } else {
      pump(*session);
      advance(*session, {});
    }
  }
  while (!timers_.empty()) {
    Session* session = find(timers_.front().conn);
    const bool waits = session != nullptr && session->handshaking;
    if (waits && timers_.front().due > now) return;
    timers_.pop_front();
    if (waits) fail(*session, std::string(kTooSlow));
  }
}

}  // namespace holdfast::net
