#include "server/shutdown.h"

#include <fmt/format.h>

#include "base/error_text.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/listeners.h"
#include "server/replication.h"
#include "server/saving.h"

namespace holdfast::server {

void Shutdown::begin(family::Session* session, const Options& options, Now now) {
  if (session != nullptr) {
    waiting_.push_back(session->id);
    session->blocked = true;
  }
  if (initiated()) return;
  options_ = options;
  engine_.log(LogLevel::kNotice, "User requested shutdown...");
  const int64_t timeout_s = engine_.state_.settings.shutdown_timeout_s;
  if (!options.now && timeout_s != 0 && !engine_.replication_->all_caught_up()) {
    step_ = Step::kReplicas;
    deadline_ = now.mono + std::chrono::seconds(timeout_s);
    engine_.replication_->ask_for_acknowledgements(now);
    engine_.pause(Engine::PauseReason::kShutdown, kNever, true);
    engine_.log(LogLevel::kNotice, "Waiting for replicas before shutting down.");
    return;
  }
  finish(now);
}

bool Shutdown::abort(Now now) {
  if (step_ != Step::kReplicas) return false;
  cancel(now);
  engine_.log(LogLevel::kNotice, "Shutdown manually aborted.");
  return true;
}

int64_t Shutdown::left_ms(Now now) const {
  return step_ == Step::kReplicas ? std::max<int64_t>(to_ms(deadline_ - now.mono), 0) : -1;
}

void Shutdown::work(Now now) {
  if (step_ == Step::kReplicas && (now.mono >= deadline_ || engine_.replication_->all_caught_up())) finish(now);
}

Mono Shutdown::next_deadline() const {
  if (step_ != Step::kReplicas) return kNever;
  return engine_.replication_->all_caught_up() ? engine_.now_.mono : deadline_;
}

void Shutdown::finish(Now now) {
  engine_.replication_->report_lag(now);
  if (engine_.saving_->writes_file()) {
    engine_.log(LogLevel::kWarning, "There is a child saving an .rdb. Killing it!");
    engine_.saving_->abandon();
  }
  AppendOnly& log = *engine_.aof_;
  if (log.rewriting()) {
    if (log.writes_initial_base()) {
      engine_.log(LogLevel::kWarning,
                  options_.force ? "Writing initial AOF. Exit anyway." : "Writing initial AOF, can't exit.");
      if (!options_.force) return fail(now);
    }
    engine_.log(LogLevel::kWarning, "There is a child rewriting the AOF. Killing it!");
    log.abandon_rewrite();
  }
  engine_.flush_effects(now);
  step_ = Step::kAppendOnly;
  if (!log.close_for_exit(now)) save_or_end(now);
}

void Shutdown::append_only_synced(Now now) {
  if (step_ == Step::kAppendOnly) save_or_end(now);
}

void Shutdown::save_or_end(Now now) {
  using Choice = family::Services::SaveChoice;
  const bool wanted =
      options_.save == Choice::kSave || (options_.save == Choice::kDefault && !engine_.state_.settings.save.empty());
  // A dataset that was not loaded yet must not replace the file it is in.
  if (!wanted || engine_.state_.loading) return end();
  engine_.log(LogLevel::kNotice, "Saving the final RDB snapshot before exiting.");
  step_ = Step::kSnapshot;
  engine_.replication_->abandon_payload();
  engine_.saving_->save_for_exit(now);
}

void Shutdown::saved(int status, Now now) {
  if (status == 0) return end();
  if (options_.force) {
    engine_.log(LogLevel::kWarning, "Error trying to save the DB. Exit anyway.");
    return end();
  }
  engine_.log(LogLevel::kWarning, "Error trying to save the DB, can't exit.");
  fail(now);
}

void Shutdown::fail(Now now) {
  engine_.log(LogLevel::kWarning, "Errors trying to shut down the server. Check the logs for more information.");
  cancel(now);
}

void Shutdown::cancel(Now) {
  step_ = Step::kNone;
  deadline_ = kNever;
  engine_.unpause(Engine::PauseReason::kShutdown);
  for (const family::ClientId client : std::exchange(waiting_, {})) {
    engine_.unblock(client, [](command::Reply& reply) { reply.error("ERR Errors trying to SHUTDOWN. Check logs."); });
  }
}

void Shutdown::end() {
  engine_.exiting_ = true;
  // The host removes the file: it knows where it was written before the directory changed.
  const family::Settings& settings = engine_.state_.settings;
  if (settings.daemonize || !settings.pidfile.empty()) engine_.log(LogLevel::kNotice, "Removing the pid file.");
  engine_.log(LogLevel::kWarning, "Redis is now ready to exit, bye bye...");
  engine_.listeners_->close_all();
  engine_.replication_->keep_history(engine_.now_);
  engine_.act(action::Exit{0});
}

}  // namespace holdfast::server
