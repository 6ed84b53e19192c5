// Where the server listens and who speaks TLS there, through the whole engine and a host that can refuse.
#include "server/listeners.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "server/engine.h"

namespace holdfast::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Provider final : public TlsProvider {
 public:
  std::expected<TlsContextId, TlsFailure> make(const TlsOptions& options) override {
    if (options.certificate_file == "broken") {
      return std::unexpected(TlsFailure{TlsFailure::Step::kCertificate, "broken", "words", 0});
    }
    living.insert(TlsContextId{++last});
    return TlsContextId{last};
  }
  void release(TlsContextId context) override { living.erase(context); }
  std::set<TlsContextId> living;
  uint32_t last = 0;
};

class ListenersTest : public testing::Test {
 protected:
  void start(family::Settings settings = {}) {
    settings.save.clear();
    settings.bind = {"127.0.0.1"};
    EngineOptions options;
    options.settings = std::move(settings);
    options.tls = &provider;
    engine = std::make_unique<Engine>(std::move(options));
    engine->start(now);
    act();
  }
  static family::Settings secure() {
    family::Settings settings;
    settings.port = 0;
    settings.tls.port = 6380;
    settings.tls.cert_file = settings.tls.key_file = settings.tls.ca_cert_file = "good";
    return settings;
  }
  /// Carries out what is asked; answers of listeners come after the actions of their input, as the host's do.
  void act() {
    std::vector<std::pair<ListenerId, int>> answers;
    Action action;
    while (engine->poll_action(action)) {
      if (auto* listen = std::get_if<action::Listen>(&action)) {
        const bool refused = taken.contains(listen->address.port);
        answers.emplace_back(listen->listener, refused ? EADDRINUSE : 0);
        if (!refused) open[listen->listener] = listen->address.port;
      } else if (auto* close = std::get_if<action::CloseListener>(&action)) {
        open.erase(close->listener);
      } else if (auto* tls = std::get_if<action::StartTls>(&action)) {
        started.push_back(*tls);
      } else if (auto* log = std::get_if<action::Log>(&action)) {
        logs += log->text + "\n";
      } else if (auto* exit = std::get_if<action::Exit>(&action)) {
        exit_code = exit->code;
      } else if (auto* read = std::get_if<action::ReadFile>(&action)) {
        engine->job_done(read->job, ENOENT, now);
      } else if (auto* gone = std::get_if<action::Close>(&action)) {
        closed.push_back(gone->conn);
      }
    }
    for (const auto& [listener, error] : answers) engine->listening(listener, {}, error, now);
    if (!answers.empty()) act();
  }
  ConnId accept(uint16_t port, const std::string& host = "127.0.0.1") {
    for (const auto& [listener, at] : open) {
      if (at != port) continue;
      const ConnId conn = engine->accepted({listener, {host, 5000, {}}, {"127.0.0.1", port, {}}}, now);
      act();
      return conn;
    }
    ADD_FAILURE() << "nobody listens on " << port;
    return {};
  }
  std::string call(ConnId conn, const std::vector<std::string>& words) {
    std::string request = fmt::format("*{}\r\n", words.size());
    for (const std::string& word : words) request += fmt::format("${}\r\n{}\r\n", word.size(), word);
    engine->receive(conn, request, now);
    act();
    std::string reply = engine->output(conn).to_string();
    engine->output(conn).clear();
    return reply;
  }
  std::vector<uint16_t> ports() const {
    std::vector<uint16_t> out;
    for (const auto& [listener, port] : open) out.push_back(port);
    return out;
  }

  Now now;
  Provider provider;
  std::unique_ptr<Engine> engine;
  std::map<ListenerId, uint16_t> open;
  std::set<uint16_t> taken;
  std::vector<action::StartTls> started;
  std::vector<ConnId> closed;
  std::string logs;
  std::optional<int> exit_code;
};

TEST_F(ListenersTest, ConfigSetMovesThePort) {
  start();
  const ConnId conn = accept(6379);
  EXPECT_EQ(call(conn, {"CONFIG", "SET", "port", "7000"}), "+OK\r\n");
  EXPECT_THAT(ports(), ElementsAre(7000));
  EXPECT_EQ(call(conn, {"CONFIG", "SET", "port", "0"}), "+OK\r\n");
  EXPECT_TRUE(ports().empty());
  EXPECT_EQ(call(conn, {"PING"}), "+PONG\r\n");
}

TEST_F(ListenersTest, APortThatCannotBeHadLeavesEverythingAsItWas) {
  start();
  taken = {7000};
  const ConnId conn = accept(6379);
  EXPECT_EQ(
      call(conn, {"CONFIG", "SET", "maxclients", "77", "port", "7000"}),
      "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server "
      "logs.\r\n");
  EXPECT_THAT(ports(), ElementsAre(6379));
  EXPECT_EQ(engine->state().settings.port, 6379);
  EXPECT_EQ(engine->state().settings.maxclients, 10000);
  EXPECT_FALSE(exit_code.has_value());
  EXPECT_THAT(logs, HasSubstr("Could not create server TCP listening socket"));
}

TEST_F(ListenersTest, TwoChangesInOneTransactionEndInTheSecond) {
  start();
  const ConnId conn = accept(6379);
  call(conn, {"MULTI"});
  call(conn, {"CONFIG", "SET", "port", "7000"});
  call(conn, {"CONFIG", "SET", "port", "7001"});
  call(conn, {"PING"});
  EXPECT_EQ(call(conn, {"EXEC"}), "*3\r\n+OK\r\n+OK\r\n+PONG\r\n");
  EXPECT_THAT(ports(), ElementsAre(7001));
  EXPECT_EQ(call(conn, {"PING"}), "+PONG\r\n");
}

TEST_F(ListenersTest, APortTakenAtStartEndsTheServer) {
  taken = {6379};
  start();
  EXPECT_EQ(exit_code, 1);
  EXPECT_THAT(logs, HasSubstr("Failed listening on port 6379 (tcp), aborting."));
}

TEST_F(ListenersTest, TlsBeginsAtOnceAndStrangersAreToldThroughIt) {
  family::Settings settings = secure();
  start(settings);
  EXPECT_THAT(logs, HasSubstr("Ready to accept connections tls"));
  const ConnId conn = accept(6380, "192.0.2.1");
  ASSERT_EQ(started.size(), 1u);
  EXPECT_EQ(started[0].conn, conn);
  EXPECT_FALSE(started[0].client);
  EXPECT_TRUE(started[0].limit.has_value());
  EXPECT_TRUE(closed.empty()) << "protected mode speaks after the handshake";
  engine->secured(conn, {}, now);
  EXPECT_THAT(engine->output(conn).to_string(), testing::StartsWith("-DENIED"));
  act();
  EXPECT_THAT(closed, ElementsAre(conn));
}

TEST_F(ListenersTest, ABrokenHandshakeIsLogged) {
  start(secure());
  const ConnId conn = accept(6380);
  engine->closed(conn, {CloseReason::kTls, 0, "error:0A00009C:SSL routines::http request"}, now);
  act();
  EXPECT_THAT(logs, HasSubstr("Error accepting a client connection: error:0A00009C:SSL routines::http request "
                              "(addr=127.0.0.1:5000 laddr=127.0.0.1:6380)"));
}

TEST_F(ListenersTest, FilesThatDoNotLoadKeepTheOldContexts) {
  start(secure());
  const ConnId conn = accept(6380);
  engine->secured(conn, {}, now);
  const auto before = provider.living;
  EXPECT_EQ(call(conn, {"CONFIG", "SET", "maxclients", "77", "tls-cert-file", "broken"}),
            "-ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update TLS "
            "configuration. Check server logs.\r\n");
  EXPECT_EQ(provider.living, before);
  EXPECT_EQ(engine->state().settings.tls.cert_file, "good");
  EXPECT_EQ(engine->state().settings.maxclients, 10000);
  EXPECT_THAT(logs, HasSubstr("Failed to load certificate: broken: words"));
  EXPECT_EQ(call(conn, {"CONFIG", "SET", "tls-cert-file", "other"}), "+OK\r\n");
  EXPECT_NE(provider.living, before);
  EXPECT_EQ(provider.living.size(), 2u) << "the old ones are given back";
}

TEST_F(ListenersTest, WithoutFilesItDoesNotStart) {
  family::Settings settings = secure();
  settings.tls.key_file.clear();
  start(settings);
  EXPECT_EQ(exit_code, 1);
  EXPECT_THAT(logs, HasSubstr("No tls-key-file configured!\nFailed to configure TLS. Check logs for more info."));
}

TEST_F(ListenersTest, InfoListsTheListeners) {
  family::Settings settings = secure();
  settings.port = 6379;
  start(settings);
  const ConnId conn = accept(6379);
  const std::string info = call(conn, {"INFO", "server"});
  EXPECT_THAT(info, HasSubstr("listener0:name=tcp,bind=127.0.0.1,port=6379\r\n"));
  EXPECT_THAT(info, HasSubstr("listener2:name=tls,bind=127.0.0.1,port=6380\r\n"));
}

}  // namespace
}  // namespace holdfast::server
