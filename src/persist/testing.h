// Everything a dataset holds as comparable text, for tests of images and what is read from them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "persist/rdb_load.h"
#include "store/dataset.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::persist::testing {

inline constexpr size_t kDatabases = 4;

inline store::HashSeed seed() {
  Prng prng(77);
  return store::HashSeed::from(prng);
}

inline std::string print(store::StreamId id) { return std::to_string(id.ms) + "-" + std::to_string(id.sequence); }

/// All but active times, which version 10 does not hold.
inline void add_stream(const store::Stream& stream, std::vector<std::string>& parts) {
  stream.for_each(store::kStreamIdMin, store::kStreamIdMax, [&](const store::StreamEntry& entry) {
    parts.push_back(print(entry.id));
    entry.for_each([&](std::string_view field, std::string_view value) {
      parts.emplace_back(field);
      parts.emplace_back(value);
    });
    return true;
  });
  const auto& marks = stream.marks();
  parts.push_back(print(marks.first_id) + " " + print(marks.last_id) + " " + print(marks.max_deleted_id) + " " +
                  std::to_string(marks.entries_added) + " " + std::to_string(stream.nodes()));
  for (const auto& [name, group] : stream.groups()) {
    parts.push_back("group " + std::string(name) + print(group.last_id) + std::to_string(group.entries_read));
    for (const auto& [consumer_name, consumer] : group.consumers()) {
      parts.push_back("consumer " + std::string(consumer_name) + std::to_string(consumer.seen_ms));
    }
    for (auto at = group.pending().begin(); at != group.pending().end(); group.pending().forward(at)) {
      const auto& one = group.pending().at(at);
      parts.push_back(print(one.id) + " " + std::string(one.consumer->name) + " " + std::to_string(one.delivered_ms) +
                      " " + std::to_string(one.deliveries));
    }
  }
}

inline std::string content_of(const store::Entry& entry) {
  std::string out(store::type_name(entry.type()));
  std::vector<std::string> parts;
  const auto add = [&](std::string_view text) { return parts.emplace_back(text), true; };
  switch (entry.type()) {
    case store::Type::kString: {
      store::NumberBuffer buffer;
      add(entry.string(buffer));
      break;
    }
    case store::Type::kList:
      entry.list().for_each(add);
      break;
    case store::Type::kSet:
      entry.set().for_each(add);
      std::sort(parts.begin(), parts.end());
      break;
    case store::Type::kHash:
      entry.hash().for_each([&](std::string_view f, std::string_view v) {
        return parts.push_back(std::string(f) + "=" + std::string(v)), true;
      });
      std::sort(parts.begin(), parts.end());
      break;
    case store::Type::kSortedSet:
      entry.sorted_set().for_each([&](std::string_view m, double s) {
        return parts.push_back(std::string(m) + "@" + std::to_string(s)), true;
      });
      break;
    case store::Type::kStream:
      add_stream(entry.stream(), parts);
      break;
  }
  for (const std::string& part : parts) out += "|" + part;
  return out + " px " + std::to_string(entry.expires_at_ms());
}

using Image = std::map<std::string, std::string>;

inline Image image_of(const store::Dataset& data) {
  Image image;
  for (size_t i = 0; i < data.databases(); ++i) {
    data.db(i).for_each([&](const store::Entry& entry) {
      EXPECT_TRUE(image.emplace(std::to_string(i) + ":" + std::string(entry.key()), content_of(entry)).second);
      return true;
    });
  }
  return image;
}

inline std::unique_ptr<store::Dataset> load(const std::string& file, size_t chunk = SIZE_MAX,
                                            LoadOptions options = {}) {
  RdbLoader loader(std::make_unique<store::Dataset>(kDatabases, seed()), options);
  for (size_t at = 0; at < file.size(); at += chunk) {
    loader.feed(std::string_view(file).substr(at, chunk));
    if (chunk == SIZE_MAX) break;
  }
  EXPECT_EQ(loader.finish(), RdbLoader::Status::kDone) << loader.error();
  return loader.finish() == RdbLoader::Status::kDone ? loader.take() : nullptr;
}

}  // namespace holdfast::persist::testing
