// Replication, protected restart: what a server holds is not replaced by, and what it lost is not spread to, others
// before somebody says so (docs/decisions/0029).
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "server/engine.h"
#include "server/replication.h"

namespace holdfast::server {
namespace {

constexpr size_t kIdSize = 40;
constexpr Duration kMarkEvery = 1s;  // however often the last key comes and goes

}  // namespace

// As a replica.

bool Replication::accepts_primary(const std::string& info, Now now) {
  const Duration since = last_contact_ == Mono::min() ? Duration::max() / 2 : now.mono - last_contact_;
  const OwnHistory own{
      .id = id_, .next_offset = offset_ + 1, .has_data = engine_.state_.data->size() > 0, .since_contact = since};
  const Objection before = std::exchange(objection_, objection_to(parse_facts(info), own));
  if (objection_ == Objection::kNone) return true;
  if (objection_ != before) {
    engine_.log(
        LogLevel::kWarning,
        fmt::format("Refusing to synchronize with MASTER: {}. Our data stays. REPLICAOF {} {} takes its data all "
                    "the same, REPLICAOF NO ONE makes this server the primary.",
                    objection_text(objection_), engine_.state_.settings.replicaof_host,
                    engine_.state_.settings.replicaof_port));
  }
  return false;
}

// As a primary.

/// Beside the RDB file: the history that our replicas hold. Found with no data beside it, it says what was lost.
std::string Replication::mark_path() const {
  const family::Settings& settings = engine_.state_.settings;
  return settings.dir + "/" + settings.dbfilename + ".replicated";
}

void Replication::read_mark() {
  mark_job_ = engine_.next_job();
  engine_.act(action::ReadFile{*mark_job_, mark_path()});
}

bool Replication::mark_data(JobId job, std::string_view bytes) {
  if (!mark_job_ || *mark_job_ != job) return false;
  if (mark_.size() + bytes.size() <= kIdSize + 1) mark_ += bytes;
  return true;
}

bool Replication::mark_done(JobId job) {
  if (!mark_job_ || *mark_job_ != job) return false;
  mark_job_.reset();
  mark_ = trim(mark_);
  if (mark_.size() != kIdSize) mark_.clear();
  return true;
}

/// Says what would be lost: our history while replicas have data of it, nothing while there is none.
void Replication::keep_mark(Now now) {
  const family::Settings& settings = engine_.state_.settings;
  if (!settings.replica_protect_data || !settings.replicaof_host.empty() || now.mono < next_mark_) return;
  const bool fed = std::any_of(peers_.begin(), peers_.end(),
                               [](const auto& row) { return row.second.state == ReplicaPeer::State::kOnline; });
  const std::string wanted = engine_.state_.data->size() > 0 ? id_ : std::string();
  if (!fed || mark_ == wanted) return;
  mark_ = wanted;
  next_mark_ = now.mono + kMarkEvery;
  engine_.act(action::WriteFile{engine_.next_job(), mark_path(), mark_ + "\n", 0644});
}

/// Once, when the start has loaded what there is.
void Replication::judge_start() {
  if (start_judged_ || mark_job_ || engine_.state_.loading) return;
  start_judged_ = true;
  const family::Settings& settings = engine_.state_.settings;
  if (!settings.replicaof_host.empty() || !settings.replica_protect_data) return;
  // An append-only file that leaves nothing says that nothing was there.
  if (!settings.appendonly && !restored_ && engine_.state_.data->size() == 0) lost_id_ = mark_;
}

bool Replication::refuses_to_feed(family::Context& context, const ReplicaPeer* peer) {
  judge_start();
  if (!engine_.state_.settings.replica_protect_data || (peer != nullptr && peer->ordered)) return false;
  const std::string_view id = context.argv[1];
  const auto wanted = parse_int64(context.argv[2]);
  if (!wanted) return false;
  const bool gone = !lost_id_.empty() && id == lost_id_;
  const bool older = restored_ && id == id2_ && *wanted > second_offset_;
  if (!gone && !older) return false;
  const Objection why = gone ? Objection::kGone : Objection::kOlder;
  if (fed_nobody_ != why) {
    engine_.log(LogLevel::kWarning,
                fmt::format("Refusing to feed replicas: {}. They keep what they have. REPLICAOF NO ONE here makes them "
                            "take our data.",
                            why == Objection::kGone ? "this primary restarted without its data"
                                                    : "this primary restarted with data older than theirs"));
  }
  fed_nobody_ = why;
  context.reply.error(fmt::format("NOMASTERLINK Protected: {}", objection_text(why)));
  return true;
}

void Replication::confirm_primary() {
  lost_id_.clear();
  restored_ = false;
  fed_nobody_ = Objection::kNone;
}

}  // namespace holdfast::server
