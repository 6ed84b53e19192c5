// Proxy: the balancing machine. Listeners, sessions, health checks and the runtime API, without any I/O.
//
// A host gives it a parsed config (config.h), calls its inputs and carries out its actions. Log actions carry text and
// a LogLevel::kProxy*; next_log_channel() tells where each one goes. Units: see base/time.h. Order of reading:
// runtime.h (the state), session.h (a connection's life), check/runner.h (health), cli/cli.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/machine.h"
#include "proxy/config.h"
#include "proxy/log_target.h"

namespace holdfast::proxy {

struct ProxyOptions {
  uint64_t seed = 1;
  int64_t pid = 0;
  std::string node;                // host name, used where `node` is not configured
  int64_t utc_offset_seconds = 0;  // of local time, for %t in logs
  int64_t maxconn = 10000;         // the process limit where `maxconn` is not configured
  int64_t max_sockets = 20000;     // Ulimit-n of `show info`
  bool quiet = false;
  std::string startup_logs;    // what the start said on standard error, for `show startup-logs`
  TlsProvider* tls = nullptr;  // outlives the proxy; none: contexts cannot be made anew
};

class Proxy final : public Machine {
 public:
  Proxy(Config config, ProxyOptions options);
  ~Proxy() override;

  void start(Now now) override;
  ConnId accepted(const Accepted& from, Now now) override;
  void listening(ListenerId listener, const Address& bound, int error, Now now) override;
  void connected(ConnId conn, const Address& local, const Address& peer, Now now) override;
  void receive(ConnId conn, std::string_view bytes, Now now) override;
  void eof(ConnId conn, Now now) override;
  void closed(ConnId conn, Closed why, Now now) override;
  void secured(ConnId conn, const TlsFacts& facts, Now now) override;
  void drained(ConnId conn, Now now) override;
  void file_data(JobId job, std::string_view bytes, Now now) override;
  void job_done(JobId job, int status, Now now) override;
  void resolved(JobId job, const std::vector<std::string>& addresses, Now now) override;
  /// SIGTERM and SIGINT end the process, SIGUSR1 closes the listeners and ends it after the last session.
  void signal(int number, Now now) override;
  void tick(Now now) override;
  Mono next_deadline() const override;
  OutQueue& output(ConnId conn) override;
  bool half_open() const override { return true; }

  /// True once every listener asked for in start() listens: the moment to daemonize, write pidfiles, signal old pids.
  bool ready() const;
  /// Where the next Log action goes. Call exactly once per Log action, in order; valid until the next call.
  const LogChannel& next_log_channel();
  /// Asserts what must hold between two inputs; for tests and the simulator.
  void check_invariants() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::proxy
