// Replication, what replicas are sent: one image per cut and one stream, kept once in spools; each replica reads at its
// own speed. What the slowest still need moves to disk, and comes back from there in chunks (docs/decisions/0030).
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/error_text.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/saving.h"

namespace holdfast::server {
namespace {

using family::Session;
using repl::Spool;

constexpr size_t kAhead = 1 << 20;            // queued for a replica before its socket is waited for
constexpr size_t kSnapshotSlice = 64 * 1024;  // of the image per turn, so that commands get their turns in between
constexpr size_t kChunk = 2 << 20;            // moved to disk, and back, at once
constexpr size_t kPayloadMemory = 16 << 20;   // of an image
constexpr size_t kJoinWindow = 8 << 20;       // of an image: who comes this late still joins
constexpr size_t kStreamExcess = 4 * kChunk;  // waits for the disk before writers do
constexpr Duration kWritersRest = 10ms;
constexpr Duration kStoreAgainAfter = 1s;  // when the disk failed

}  // namespace

// Cuts.

/// Every replica that waits shares this image and the offset of its cut.
void Replication::start_cut(Now now) {
  HF_ASSERT(!snapshot_ && backlog_);
  engine_.flush_effects(now);
  engine_.log(LogLevel::kNotice, fmt::format("Starting BGSAVE for SYNC with target: {}",
                                             sends_whole_images() ? "disk" : "replicas sockets"));
  snapshot_ = engine_.saving_->make_snapshot(now);
  engine_.propagator_.forget_db();
  const Spool::Limits limits{.keep = kJoinWindow, .memory_max = kPayloadMemory, .chunk = kChunk};
  payloads_.emplace(++last_payload_, Payload{.spool = Spool(limits, 0), .offset = offset_, .id = id_});
  for (auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kWaitCut) {
      begin_payload(*engine_.clients_.find_by_id(client), peer, last_payload_);
    }
  }
}

/// `repl-diskless-sync no`: an image is sent when all of it is there, with its size in front.
bool Replication::sends_whole_images() const {
  const auto& accepted = engine_.state_.settings.accepted;
  const auto diskless = accepted.find("repl-diskless-sync");
  return diskless != accepted.end() && diskless->second == "no";
}

/// A replica that comes while an image is being made takes part in it, if all of it is still there.
bool Replication::join_cut(Session& session, ReplicaPeer& peer) {
  if (!snapshot_) return false;
  const Payload& payload = payloads_.at(last_payload_);
  if (payload.spool.begin() > 0 || payload.id != id_ || !backlog_->covers(payload.offset + 1)) return false;
  engine_.log(LogLevel::kNotice, "Waiting for end of BGSAVE for SYNC");
  begin_payload(session, peer, last_payload_);
  return true;
}

void Replication::begin_payload(Session& session, ReplicaPeer& peer, uint64_t number) {
  const Payload& payload = payloads_.at(number);
  OutQueue& out = engine_.output_of(session);
  if (!peer.old_sync) out.append(fmt::format("+FULLRESYNC {} {}\r\n", payload.id, payload.offset));
  if (peer.capa_eof && !sends_whole_images()) {
    peer.mark = engine_.state_.prng.hex(40);
    out.append("$EOF:" + peer.mark + "\r\n");
  }
  peer.state = ReplicaPeer::State::kPayload;
  peer.payload = number;
  peer.payload_at = 0;
  peer.next = payload.offset + 1;
  peer.ack_offset = payload.offset;
}

/// Whether some replica of the image being made has taken what there is of it.
bool Replication::wants_payload() const {
  const Spool& spool = payloads_.at(last_payload_).spool;
  if (spool.memory() > kPayloadMemory + 2 * kChunk) return false;  // the disk, or the slowest, comes first
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& row) {
    const ReplicaPeer& peer = row.second;
    if (peer.state != ReplicaPeer::State::kPayload || peer.payload != last_payload_) return false;
    if (peer.mark.empty()) return true;  // waits for the size of the whole
    return peer.payload_at == spool.end() && engine_.clients_.find_by_id(row.first)->output.size() < kAhead;
  });
}

void Replication::pump_payload(Now now) {
  if (!wants_payload()) return;
  Payload& payload = payloads_.at(last_payload_);
  payload.complete = snapshot_->slice(kSnapshotSlice, Duration(engine_.state_.settings.rdb_key_save_delay_us), now);
  payload.spool.append(snapshot_->take());
  if (payload.complete) snapshot_.reset();
  for (auto& [client, peer] : peers_) {
    if (peer.state != ReplicaPeer::State::kPayload || peer.payload != last_payload_) continue;
    Session& session = *engine_.clients_.find_by_id(client);
    if (payload.complete && peer.mark.empty()) {
      engine_.output_of(session).append(fmt::format("${}\r\n", payload.spool.end()));
    }
    pump_peer(session, peer, now);
  }
  trim_spools();
}

void Replication::pump_peer(Session& session, ReplicaPeer& peer, Now now) {
  if (peer.state == ReplicaPeer::State::kOnline) return pump_stream(session, peer);
  if (peer.state != ReplicaPeer::State::kPayload || peer.reading) return;
  const Payload& payload = payloads_.at(peer.payload);
  if (peer.mark.empty() && !payload.complete) return;
  while (session.output.size() < kAhead && peer.payload_at < payload.spool.end()) {
    if (peer.payload_at < payload.spool.memory_begin()) {
      return read_back(peer, payload.spool.chunk_at(peer.payload_at));
    }
    const std::string_view bytes = payload.spool.piece(peer.payload_at);
    engine_.output_of(session).append(bytes);
    peer.payload_at += static_cast<int64_t>(bytes.size());
  }
  if (payload.complete && peer.payload_at == payload.spool.end()) finish_payload(session, peer, now);
}

void Replication::pump_stream(Session& session, ReplicaPeer& peer) {
  if (peer.reading) return;
  while (session.output.size() < kAhead && peer.next < backlog_->end()) {
    if (peer.next < backlog_->memory_begin()) return read_back(peer, backlog_->chunk_at(peer.next));
    const std::string_view bytes = backlog_->piece(peer.next);
    engine_.output_of(session).append(bytes);
    peer.next += static_cast<int64_t>(bytes.size());
  }
}

void Replication::finish_payload(Session& session, ReplicaPeer& peer, Now now) {
  peer.ack_time = now.mono;
  peer.payload = 0;
  if (peer.mark.empty()) return go_online(session, peer, now);
  // COMPAT: a stock replica finds the mark only at the end of what it has read, so nothing may follow it until the
  // replica's first acknowledgement.
  engine_.output_of(session).append(peer.mark);
  peer.state = ReplicaPeer::State::kWaitAck;
  engine_.log(LogLevel::kNotice,
              fmt::format("Streamed replica with replica {} (socket). Waiting for REPLCONF ACK from replica to enable "
                          "streaming",
                          peer_name(session, peer)));
}

void Replication::abort_payload(std::string_view why) {
  engine_.log(LogLevel::kNotice, fmt::format("Diskless rdb transfer, {}, ending the snapshot", why));
  snapshot_.reset();
}

void Replication::abandon_payload() {
  if (!snapshot_) return;
  abort_payload("the dataset is needed otherwise");
  for (auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kPayload && peer.payload == last_payload_) {
      engine_.clients_.find_by_id(client)->close_after_reply = true;
    }
  }
}

void Replication::go_online(Session& session, ReplicaPeer& peer, Now now) {
  peer.state = ReplicaPeer::State::kOnline;
  keep_mark(now);
  peer.ack_time = now.mono;
  pump_stream(session, peer);
  engine_.log(LogLevel::kNotice, fmt::format("Synchronization with replica {} succeeded", peer_name(session, peer)));
}

void Replication::drained(Session& session, Now now) {
  const auto at = peers_.find(session.id);
  if (at == peers_.end()) return;
  pump_peer(session, at->second, now);
  if (snapshot_) pump_payload(now);
  trim_spools();
}

// Spools.

std::string Replication::chunk_path(uint64_t number) const {
  return engine_.state_.settings.dir + "/" + chunk_name(number);
}

void Replication::remove_chunks(const std::vector<Spool::Chunk>& chunks) {
  for (const Spool::Chunk& chunk : chunks) engine_.act(action::RemoveFile{chunk_path(chunk.number)});
}

size_t Replication::spilled_bytes() const {
  size_t bytes = backlog_ ? backlog_->on_disk() : 0;
  for (const auto& [number, payload] : payloads_) bytes += payload.spool.on_disk();
  return bytes;
}

/// Drops what nobody needs any more; what is too much for memory goes to disk.
void Replication::trim_spools() {
  int64_t oldest = backlog_ ? backlog_->end() : 0;
  std::map<uint64_t, int64_t> oldest_of;  // by payload
  for (const auto& [client, peer] : peers_) {
    if (peer.state <= ReplicaPeer::State::kWaitCut) continue;
    oldest = std::min(oldest, peer.next);
    if (peer.state != ReplicaPeer::State::kPayload) continue;
    const auto at = oldest_of.emplace(peer.payload, peer.payload_at).first;
    at->second = std::min(at->second, peer.payload_at);
  }
  if (backlog_) {
    const std::vector<Spool::Chunk> gone = backlog_->release(oldest);
    if (!gone.empty()) index_dirty_ = true;
    remove_chunks(gone);
    store(*backlog_, 0);
  }
  for (auto at = payloads_.begin(); at != payloads_.end();) {
    const auto needed = oldest_of.find(at->first);
    Spool& spool = at->second.spool;
    if (needed == oldest_of.end() && !(snapshot_ && at->first == last_payload_)) {
      remove_chunks(spool.chunks());
      at = payloads_.erase(at);
      continue;
    }
    remove_chunks(spool.release(needed == oldest_of.end() ? 0 : needed->second));
    store(spool, at->first);
    ++at;
  }
}

void Replication::store(Spool& spool, uint64_t payload) {
  const family::Settings& settings = engine_.state_.settings;
  const auto room =
      static_cast<size_t>(settings.repl_spill_size) + static_cast<size_t>(settings.repl_backlog_disk_size);
  if (spilled_bytes() + kChunk > room) return;
  auto out = spool.next_to_store(last_chunk_ + 1);
  if (!out) return;
  ++last_chunk_;
  const JobId job = engine_.next_job();
  storing_.emplace(job, Storing{payload, out->chunk.number});
  engine_.act(action::WriteFile{job, chunk_path(out->chunk.number), std::move(out->bytes), 0600});
}

void Replication::stored(const Storing& done, int status, Now now) {
  Spool* spool = nullptr;
  if (done.payload == 0 && backlog_) spool = &*backlog_;
  if (const auto at = payloads_.find(done.payload); at != payloads_.end()) spool = &at->second.spool;
  if (spool == nullptr || spool->storing() != done.chunk) {
    return engine_.act(action::RemoveFile{chunk_path(done.chunk)});  // nobody waits for it any more
  }
  if (status == 0) {
    spool->stored();
    if (done.payload == 0) index_dirty_ = true;
  } else {
    engine_.log(LogLevel::kWarning,
                fmt::format("Cannot keep on disk what replicas have not taken yet: {}", error_text(status)));
    spool->not_stored();
    store_again_at_ = now.mono + kStoreAgainAfter;
  }
  trim_spools();
}

void Replication::store_again(Now now) {
  if (now.mono < store_again_at_) return;
  store_again_at_ = kNever;
  if (backlog_) backlog_->retry();
  for (auto& [number, payload] : payloads_) payload.spool.retry();
  trim_spools();
}

void Replication::read_back(ReplicaPeer& peer, const Spool::Chunk& chunk) {
  peer.reading = engine_.next_job();
  peer.read_at = chunk.begin;
  peer.read_end = chunk.end;
  engine_.act(action::ReadFile{*peer.reading, chunk_path(chunk.number)});
}

void Replication::take_read(Session& session, ReplicaPeer& peer, std::string_view bytes) {
  int64_t& wanted = peer.state == ReplicaPeer::State::kPayload ? peer.payload_at : peer.next;
  const int64_t end = std::min(peer.read_at + static_cast<int64_t>(bytes.size()), peer.read_end);
  if (end > wanted) {
    const auto skipped = static_cast<size_t>(std::max<int64_t>(wanted - peer.read_at, 0));
    const std::string_view fresh = bytes.substr(0, static_cast<size_t>(end - peer.read_at)).substr(skipped);
    engine_.output_of(session).append(fresh);
    wanted = end;
  }
  peer.read_at = end;
}

/// Nobody is sent again what cannot be read: who needs it synchronizes anew.
void Replication::lose_chunk(const ReplicaPeer& peer) {
  if (peer.state == ReplicaPeer::State::kPayload || !backlog_ || peer.next >= backlog_->memory_begin() ||
      peer.next < backlog_->begin()) {
    return;
  }
  remove_chunks(backlog_->lose(backlog_->chunk_at(peer.next).number));
  index_dirty_ = true;
}

void Replication::read_done(Session& session, ReplicaPeer& peer, int status, Now now) {
  peer.reading.reset();
  if (status != 0 || peer.read_at != peer.read_end) {
    engine_.log(LogLevel::kWarning, fmt::format("Cannot read back what replica {} has not taken yet: {}",
                                                peer_name(session, peer), error_text(status)));
    lose_chunk(peer);
    return engine_.drop_session(session, action::CloseMode::kNow, now);
  }
  pump_peer(session, peer, now);
  trim_spools();
}

bool Replication::file_data(JobId job, std::string_view bytes) {
  if (mark_data(job, bytes) || index_data(job, bytes)) return true;
  for (auto& [client, peer] : peers_) {
    if (peer.reading != job) continue;
    take_read(*engine_.clients_.find_by_id(client), peer, bytes);
    return true;
  }
  return abandoned_reads_.contains(job);
}

bool Replication::job_done(JobId job, int status, Now now) {
  if (mark_done(job) || index_done(job, status) || abandoned_reads_.erase(job) > 0) return true;
  if (const auto at = storing_.find(job); at != storing_.end()) {
    const Storing done = at->second;
    storing_.erase(at);
    stored(done, status, now);
    return true;
  }
  for (auto& [client, peer] : peers_) {
    if (peer.reading != job) continue;
    read_done(*engine_.clients_.find_by_id(client), peer, status, now);
    return true;
  }
  return false;
}

/// The last resort: the disk does not take what a slow replica leaves lying, so writers wait a little with every turn.
void Replication::slow_writers(Now now) {
  if (backlog_->memory() <= stream_memory_max() + kStreamExcess) return;
  engine_.pause(Engine::PauseReason::kReplicas, now.mono + kWritersRest, true);
}

size_t Replication::buffered_bytes() const {
  size_t bytes = backlog_bytes();
  for (const auto& [number, payload] : payloads_) bytes += payload.spool.memory();
  return bytes;
}

size_t Replication::pinned_by(const Session& session) const {
  const auto at = peers_.find(session.id);
  if (at == peers_.end() || at->second.state <= ReplicaPeer::State::kWaitCut || !backlog_) return 0;
  return static_cast<size_t>(backlog_->end() - std::max(at->second.next, backlog_->memory_begin()));
}

}  // namespace holdfast::server
