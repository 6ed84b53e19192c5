#include "store/walk.h"

#include <algorithm>

#include "base/assert.h"
#include "store/entry.h"
#include "store/entry_factory.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::store {

namespace {

constexpr size_t kLargeBytes = 32 * 1024;
constexpr size_t kLargeNodes = 4;

/// Runs `act` on the collection.
template <typename Act>
auto with_body(Type type, void* body, Act act) {
  switch (type) {
    case Type::kList:
      return act(*static_cast<List*>(body));
    case Type::kHash:
      return act(*static_cast<Hash*>(body));
    case Type::kSet:
      return act(*static_cast<Set*>(body));
    case Type::kSortedSet:
      return act(*static_cast<SortedSet*>(body));
    case Type::kStream:
      return act(*static_cast<Stream*>(body));
    case Type::kString:
      break;
  }
  HF_UNREACHABLE();
}

}  // namespace

bool Walk::is_worth(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::kHashtable:
    case Encoding::kSkiplist:
      return entry.memory() > kLargeBytes;
    case Encoding::kQuicklist:
      return entry.list().nodes() > kLargeNodes;
    case Encoding::kStream:
      return entry.stream().nodes() > kLargeNodes;
    default:
      return false;
  }
}

Walk::Walk(Context& context, const Entry& entry, ElementSink& sink)
    : context_(context), type_(entry.type()), body_(reinterpret_cast<void*>(EntryFactory::parts(entry).word)) {
  with_body(type_, body_, [&](auto& body) { body.begin_walk(sink); });
}

Walk::~Walk() {
  with_body(type_, body_, [](auto& body) { body.end_walk(); });
  auto& detained = context_.detained;
  const auto gone =
      std::find_if(detained.begin(), detained.end(), [&](const Doomed& one) { return one.body == body_; });
  if (gone == detained.end()) return;
  context_.doomed.push_back(*gone);
  detained.erase(gone);
}

bool Walk::step() {
  return with_body(type_, body_, [](auto& body) { return body.walk(); });
}

}  // namespace holdfast::store
