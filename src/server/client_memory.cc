#include "server/client_memory.h"

#include <algorithm>

namespace holdfast::server {
namespace {

constexpr size_t kNode = 64;  // of a tree or table that holds something of the client, roughly
constexpr size_t kLimitMin = size_t{128} * 1024;

size_t registrations(const family::State& state, const family::Session& session) {
  size_t bytes = family::subscriptions_of(state, session.id) * 2 * kNode;
  for (const auto& [db, key] : session.transaction.watched) bytes += kNode + key.size();
  if (session.tracking) {
    bytes += sizeof(family::TrackingMode);
    for (const std::string& prefix : session.tracking->prefixes) bytes += 2 * kNode + prefix.size();
  }
  return bytes;
}

}  // namespace

ClientMemory memory_of(const family::State& state, const family::Session& session) {
  ClientMemory out;
  out.input = session.input.unparsed();
  out.input_free = session.input.room();
  if (!session.input.idle()) {
    for (const std::string_view word : session.input.args()) out.arguments += word.size();
  }
  const auto& queue = session.transaction.queue;
  out.queue = session.transaction.queue_bytes + queue.size() * sizeof(family::QueuedCommand);
  out.output = session.output.size() + (session.held ? session.held->bytes.size() : 0);
  // Arguments lie in the input: they are not counted again.
  out.total = sizeof(family::Session) + out.input + out.queue + out.output + registrations(state, session);
  return out;
}

std::optional<size_t> client_memory_limit(const family::Settings& settings) {
  const int64_t wanted = settings.maxmemory_clients;
  if (wanted == 0) return std::nullopt;
  if (wanted > 0) return std::max(kLimitMin, static_cast<size_t>(wanted));
  if (settings.maxmemory == 0) return std::nullopt;  // a part of no bound is no bound
  const double part = static_cast<double>(-wanted) / 100;
  return std::max(kLimitMin, static_cast<size_t>(static_cast<double>(settings.maxmemory) * part));
}

}  // namespace holdfast::server
