#include "sentinel/sentinel.h"

#include <fmt/format.h>

#include <cerrno>
#include <map>

#include "base/error_text.h"
#include "sentinel/api.h"
#include "sentinel/clients.h"
#include "sentinel/commands.h"
#include "sentinel/config.h"
#include "sentinel/config_file.h"
#include "sentinel/crash.h"
#include "sentinel/discovery.h"
#include "sentinel/down.h"
#include "sentinel/election.h"
#include "sentinel/failover.h"
#include "sentinel/fast.h"
#include "sentinel/monitor.h"
#include "sentinel/reconcile.h"
#include "sentinel/secure.h"

namespace holdfast::sentinel {
namespace {

constexpr int kSigint = 2;
constexpr int kSigterm = 15;
constexpr int kPassesMax = 4;  // over what is touched in one input; the rest comes in the next

struct ListenerRecord {
  Address address;
  bool optional = false;  // written with a leading `-`
  bool tls = false;
};

/// An address that this machine does not have is no reason not to start, if it was marked so; a protocol never is.
bool may_do_without(int error, bool optional) {
  return (error == EADDRNOTAVAIL && optional) || error == ENOPROTOOPT || error == EPROTONOSUPPORT ||
         error == ESOCKTNOSUPPORT || error == EPFNOSUPPORT || error == EAFNOSUPPORT;
}

/// Something is going on: every deadline counts.
bool is_urgent(const Primary& primary) {
  return primary.s_down || primary.failover_in_progress || primary.crash.lost_at;
}

}  // namespace

struct Sentinel::Parts {
  explicit Parts(Options options) : core(std::move(options)) {
    clients.set_executor(commands);
    core.publisher = &clients;
  }

  Core core;
  ConfigFile config_file{core};
  Links links{core};
  Monitor monitor{core, links};
  Down down{core, links};
  Election election{core};
  Failover failover{core, links, monitor, election};
  Reconcile reconcile{core, links, failover};
  Discovery discovery{core, links};
  Clients clients{core};
  Secure secure{core};
  Api api{core, links, failover, election};
  Commands commands{core, clients, api, discovery};

  std::map<ListenerId, ListenerRecord> listeners;
  size_t listeners_pending = 0;
  size_t listeners_open = 0;
  bool configured = false;  // the topology is built (host names of the file are resolved)
  bool running = false;     // announced ourselves
  Mono deadline = kNever;

  void begin(Now now);
  void settle();
  void look_at_primaries();
  bool put_off(Primary& primary);
  void configure();
  void open_listeners();
  void run_if_ready();
  void evaluate(Primary& primary);
  void look_at(Instance& instance, Agenda& agenda);
  void answered(const Links::Incoming& incoming);
};

/// First thing at every input: what time it is, and whether we slept.
void Sentinel::Parts::begin(Now now) {
  core.now = now;
  core.connections.reap();
  if (running && deadline != kNever && core.now.mono - deadline > kStallMin) {
    core.topology.excuse(core.now.mono - deadline, core.now.mono);
  }
  if (running && core.tilt.observe(now.mono, deadline, core.periods.tilt_trigger)) {
    core.event_text(Event::kTilt, nullptr, "#tilt mode entered");
    core.topology.touch_all();
    core.topology.want_pings();
  }
}

/// Last thing at every input: every decision that became possible, then the next deadline.
void Sentinel::Parts::settle() {
  if (core.exiting) {
    deadline = kNever;
    return;
  }
  Agenda agenda(core.now.mono);
  if (running) {
    if (core.tilt.active() && (agenda.due(core.tilt.ends(core.periods.tilt)) || core.tilt_is_over())) {
      core.tilt.end();
      core.event_text(Event::kTiltEnd, nullptr, "#tilt mode exited");
      core.topology.touch_all();
    }
    look_at_primaries();
    if (core.exiting) {
      deadline = kNever;
      return;
    }
    agenda.due(core.topology.worklist().next());
    core.scripts.run(core, agenda);
    clients.close_idle(agenda);
    config_file.save_if_needed();
  }
  deadline = core.topology.worklist().has_touched() && running ? core.now.mono : agenda.next();
}

/// Those that something happened to, and those whose time has come. One may touch another, through a shared link.
void Sentinel::Parts::look_at_primaries() {
  Worklist& worklist = core.topology.worklist();
  for (int pass = 0; pass < kPassesMax; ++pass) {
    for (const InstanceId id : worklist.take(core.now.mono)) {
      Instance* const instance = core.topology.instance(id);
      if (instance == nullptr) continue;
      auto& primary = static_cast<Primary&>(*instance);
      if (!primary.touched && primary.deadline > core.now.mono) continue;
      if (!put_off(primary)) evaluate(primary);
      if (core.exiting) return;
    }
    if (!worklist.has_touched()) return;
  }
}

/// Looking at a primary costs what it has of replicas and Sentinels: with a great many, not at every input.
bool Sentinel::Parts::put_off(Primary& primary) {
  const Mono when = primary.looked_at + grid_of(primary.replicas.size() + primary.sentinels.size());
  if (when <= core.now.mono || is_urgent(primary)) return false;
  primary.touched = false;
  core.topology.worklist().schedule(primary, when);
  return true;
}

void Sentinel::Parts::look_at(Instance& instance, Agenda& agenda) {
  links.maintain(instance, agenda);
  monitor.periodic(instance, agenda);
  if (!core.tilt.active()) down.check_subjective(instance, agenda);
}

void Sentinel::Parts::evaluate(Primary& primary) {
  bool again = true;
  while (again && !core.exiting) {
    again = false;
    primary.touched = false;
    Agenda agenda(core.now.mono);
    look_for_crash(core, primary, agenda);
    look_at(primary, agenda);
    for (const auto& [key, replica] : primary.replicas) look_at(*replica, agenda);
    for (const auto& [runid, sentinel] : primary.sentinels) look_at(*sentinel, agenda);
    if (!core.tilt.active()) {
      down.check_objective(primary);
      if (failover.start_if_needed(primary, agenda)) {
        failover.advance(primary, agenda);
        down.ask_others(primary, true, agenda);
      } else {
        again = failover.advance(primary, agenda);
      }
      if (!again) down.ask_others(primary, false, agenda);
    }
    // A step may have made another one possible (a hello to send, a connection to close and open again).
    again |= primary.touched;
    const Mono when = is_urgent(primary) ? agenda.next() : on_grid(agenda.next(), core.topology.primaries().size());
    primary.looked_at = core.now.mono;
    core.topology.worklist().schedule(primary, when);
  }
}

void Sentinel::Parts::configure() {
  configured = true;
  const std::vector<conf::Diagnostic> errors = apply_config(core, core.options.conf);
  for (const conf::Diagnostic& error : errors) {
    core.log(LogLevel::kWarning, fmt::format("{}:{}: {}", error.place.file, error.place.line, error.message));
  }
  run_if_ready();
}

void Sentinel::Parts::open_listeners() {
  std::vector<std::string> binds = core.settings.binds;
  if (binds.empty()) binds = {"*", "-::*"};
  uint32_t next = 0;
  const auto open = [&](Address address, bool optional, uint32_t mode, bool tls = false) {
    const ListenerId id{++next};
    listeners[id] = {address, optional, tls};
    ++listeners_pending;
    core.act(action::Listen{id, std::move(address), static_cast<int>(core.settings.tcp_backlog), mode});
  };
  for (std::string host : binds) {
    const bool optional = host.starts_with('-');
    if (optional) host.erase(0, 1);
    const auto tls_port = static_cast<uint16_t>(core.settings.tls.port);
    if (!host.empty() && core.settings.port != 0) open({host, core.settings.port, {}}, optional, 0);
    if (!host.empty() && tls_port != 0) open({host, tls_port, {}}, optional, 0, true);
  }
  if (!core.settings.unixsocket.empty()) {
    open({{}, 0, core.settings.unixsocket}, false, core.settings.unixsocket_mode);
  }
}

void Sentinel::Parts::run_if_ready() {
  if (running || !configured || listeners_pending > 0) return;
  running = true;
  if (core.settings.myid.empty()) {
    core.settings.myid = core.prng.hex(40);
    core.saver.request();
  }
  core.log(LogLevel::kNotice, fmt::format("Sentinel ID is {}", core.settings.myid));
  for (const auto& [name, primary] : core.topology.primaries()) {
    core.event(Event::kMonitor, *primary, fmt::format(" quorum {}", primary->quorum));
    core.touch(*primary);
    // A vote given just before a restart may bind us still; for whom it was is not known any more.
    if (primary->leader_epoch > 0 && primary->fast_failover != FastFailover::kNo) {
      primary->promised_until = core.now.mono + kVoteLease;
    }
  }
}

void Sentinel::Parts::answered(const Links::Incoming& incoming) {
  Instance* instance = core.topology.instance(incoming.instance);
  if (instance == nullptr) return;
  if (incoming.pubsub) return discovery.message(*instance, incoming.reply);
  switch (incoming.request) {
    case Request::kDiscard:
    case Request::kSubscribe:
      return;
    case Request::kPing:
      return monitor.ping_answered(*instance, incoming.reply, incoming.sent);
    case Request::kInfo:
      return reconcile.info_answered(*instance, incoming.reply, incoming.sent);
    case Request::kHello:
      return monitor.hello_answered(*instance, incoming.reply);
    case Request::kAsk:
      return down.ask_answered(*instance, incoming.reply);
    case Request::kExtension:
      core.topology.link_of(*instance).extended = incoming.reply.type == codec::Reply::Type::kInteger;
      return;
    case Request::kPromotion:
      return failover.promotion_answered(*instance, incoming.reply);
  }
  HF_UNREACHABLE();
}

Sentinel::Sentinel(Options options) : parts_(std::make_unique<Parts>(std::move(options))) {}
Sentinel::~Sentinel() = default;

/// Ends an input: decides, then hands the actions of this turn to the machine's own queue.
void Sentinel::finish() {
  parts_->settle();
  for (Action& action : parts_->core.actions) act(std::move(action));
  parts_->core.actions.clear();
}

void Sentinel::start(Now now) {
  Parts& parts = *parts_;
  parts.core.started = now.mono;
  parts.begin(now);
  // Settings are needed before the topology: read everything once into a scratch core.
  Core scratch{Options{}};
  apply_config(scratch, parts.core.options.conf);
  parts.core.settings = scratch.settings;
  if (const std::string error = load_users_at_start(parts.core); !error.empty()) {
    parts.core.log(LogLevel::kWarning, error);
    parts.core.act(action::Exit{1});
    parts.core.exiting = true;
    return finish();
  }
  if (!parts.secure.configure()) {
    parts.core.act(action::Exit{1});
    parts.core.exiting = true;
    return finish();
  }
  parts.open_listeners();
  bool waiting = false;
  for (const std::string& host : config_hostnames(parts.core.options.conf)) {
    waiting |= parts.core.names.request(parts.core, host);
  }
  if (!waiting) parts.configure();
  finish();
}

void Sentinel::listening(ListenerId listener, const Address&, int error, Now now) {
  Parts& parts = *parts_;
  parts.begin(now);
  const auto at = parts.listeners.find(listener);
  HF_ASSERT(at != parts.listeners.end() && parts.listeners_pending > 0);
  --parts.listeners_pending;
  if (error == 0) ++parts.listeners_open;
  if (error != 0) {
    const Address& address = at->second.address;
    parts.core.log(LogLevel::kWarning, fmt::format("Warning: Could not create server TCP listening socket {}:{}: {}",
                                                   address.host, address.port, error_text(error)));
    if (!may_do_without(error, at->second.optional)) {
      parts.core.log(LogLevel::kWarning, fmt::format("Failed listening on port {} ({}), aborting.", address.port,
                                                     at->second.tls ? "tls" : "tcp"));
      parts.core.act(action::Exit{1});
      parts.core.exiting = true;
    }
  }
  if (!parts.core.exiting) parts.run_if_ready();
  finish();
}

ConnId Sentinel::accepted(const Accepted& from, Now now) {
  parts_->begin(now);
  const ConnId conn = parts_->clients.accept(from);
  const auto listener = parts_->listeners.find(from.listener);
  if (listener != parts_->listeners.end() && listener->second.tls) parts_->secure.accept(conn, from);
  finish();
  return conn;
}

void Sentinel::connected(ConnId conn, const Address& local, const Address&, Now now) {
  parts_->begin(now);
  const Connection* connection = parts_->core.connections.find(conn);
  if (connection != nullptr && connection->use != Use::kFree && !parts_->secure.connect(conn, local)) {
    parts_->links.established(conn, local);
  }
  finish();
}

void Sentinel::secured(ConnId conn, const TlsFacts&, Now now) {
  parts_->begin(now);
  const Connection* connection = parts_->core.connections.find(conn);
  const std::optional<Address> local = parts_->secure.secured(conn);
  if (local && connection != nullptr && connection->use != Use::kFree) parts_->links.established(conn, *local);
  finish();
}

void Sentinel::receive(ConnId conn, std::string_view bytes, Now now) {
  Parts& parts = *parts_;
  parts.begin(now);
  const Connection* connection = parts.core.connections.find(conn);
  if (connection != nullptr && connection->use == Use::kClient) {
    parts.clients.receive(conn, bytes);
  } else if (connection != nullptr && connection->use != Use::kFree) {
    parts.links.feed(conn, bytes);
    while (!parts.core.exiting) {
      const std::optional<Links::Incoming> incoming = parts.links.next(conn);
      if (!incoming) break;
      parts.answered(*incoming);
    }
  }
  finish();
}

void Sentinel::eof(ConnId conn, Now now) { closed(conn, {CloseReason::kEof, 0}, now); }

void Sentinel::closed(ConnId conn, Closed why, Now now) {
  parts_->begin(now);
  parts_->secure.closed(conn, why);
  const Connection* connection = parts_->core.connections.find(conn);
  if (connection != nullptr && connection->use == Use::kClient) {
    parts_->clients.closed(conn);
  } else if (connection != nullptr && connection->use != Use::kFree) {
    parts_->links.lost(conn, why.reason);
  }
  finish();
}

void Sentinel::drained(ConnId, Now now) {
  parts_->begin(now);
  finish();
}

void Sentinel::file_data(JobId job, std::string_view bytes, Now) {
  Core& core = parts_->core;
  parts_->config_file.file_data(job, bytes);
  if (core.users_job == job && core.users_read) core.users_read->append(bytes);
}

void Sentinel::job_done(JobId job, int status, Now now) {
  Parts& parts = *parts_;
  parts.begin(now);
  if (parts.config_file.is_mine(job)) {
    const std::optional<Saver::Finished> finished = parts.config_file.job_done(job, status);
    if (finished) {
      parts.clients.saved(finished->generation, finished->ok);
      parts.core.topology.touch_all();  // votes that were waiting for the disk count now
    }
  } else if (parts.core.users_job == job) {
    parts.core.users_arrived = true;
    if (status != 0) parts.core.users_unread = error_text(status);
    parts.clients.name_answered(std::string(kUsersFile));  // ACL LOAD goes on
  } else {
    parts.core.scripts.ended(parts.core, job, status);
  }
  finish();
}

void Sentinel::resolved(JobId job, const std::vector<std::string>& addresses, Now now) {
  Parts& parts = *parts_;
  parts.begin(now);
  const std::optional<std::string> host = parts.core.names.answered(parts.core, job, addresses);
  if (host) {
    if (!parts.configured && parts.core.names.idle()) parts.configure();
    parts.clients.name_answered(*host);
    parts.core.topology.touch_all();  // some may connect now
  }
  finish();
}

void Sentinel::signal(int number, Now now) {
  parts_->begin(now);
  if (number == kSigterm || number == kSigint) {
    parts_->core.log(LogLevel::kWarning,
                     fmt::format("Received {} scheduling shutdown...", number == kSigterm ? "SIGTERM" : "SIGINT"));
    shut_down(parts_->core);
  }
  finish();
}

void Sentinel::tick(Now now) {
  parts_->begin(now);
  finish();
}

Mono Sentinel::next_deadline() const { return parts_->deadline; }

OutQueue& Sentinel::output(ConnId conn) { return parts_->core.connections.output(conn); }

void Sentinel::check_invariants() const {
  parts_->core.topology.check_invariants();
  parts_->core.scripts.check_invariants();
  for (const auto& [name, primary] : parts_->core.topology.primaries()) {
    HF_ASSERT(primary->leader_epoch <= parts_->core.settings.current_epoch);
    HF_ASSERT(primary->config_epoch <= parts_->core.settings.current_epoch);
    HF_ASSERT(!primary->o_down || primary->s_down || parts_->core.tilt.active());
  }
}

const std::string& Sentinel::myid() const { return parts_->core.settings.myid; }
uint64_t Sentinel::current_epoch() const { return parts_->core.settings.current_epoch; }

Address Sentinel::primary_address(std::string_view name) const {
  const Primary* primary = parts_->core.topology.find(name);
  if (primary == nullptr) return {};
  const NodeAddress& address = parts_->core.topology.current_address(*primary);
  return {parts_->core.announced(address), address.port, {}};
}

uint64_t Sentinel::config_epoch(std::string_view name) const {
  const Primary* primary = parts_->core.topology.find(name);
  return primary == nullptr ? 0 : primary->config_epoch;
}

Sentinel::Vote Sentinel::vote(std::string_view name) const {
  const Primary* primary = parts_->core.topology.find(name);
  if (primary == nullptr) return {};
  return {primary->leader, primary->leader_epoch, parts_->election.vote_is_durable(*primary)};
}

Sentinel::Progress Sentinel::progress(std::string_view name) const {
  const Primary* primary = parts_->core.topology.find(name);
  if (primary == nullptr || !primary->failover_in_progress) return {};
  Progress out;
  out.running = true;
  out.elected = primary->failover_state >= FailoverState::kSelectReplica;
  out.promoting = primary->failover_state >= FailoverState::kWaitPromotion;
  out.forced = primary->forced;
  out.votes_bind = promises_bind(parts_->core, *primary);
  out.epoch = primary->failover_epoch;
  const Instance* replica = parts_->core.topology.promoted(*primary);
  if (replica != nullptr) out.replica = {replica->address.ip, replica->address.port, {}};
  return out;
}

}  // namespace holdfast::sentinel
