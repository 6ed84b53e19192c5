#include "command/catalogue.h"

#include <array>
#include <vector>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::command {
namespace {

constexpr size_t kSlots = 2048;  // power of two, at least four times the rows

/// FNV-1a over the lower-cased name; the parent's index keeps subcommands of different commands apart.
uint32_t hash_name(SpecIndex parent, std::string_view name) {
  uint32_t hash = 2166136261u ^ parent;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(to_lower(c))) * 16777619u;
  return hash ^ (hash >> 15);
}

struct Catalogue {
  std::vector<const Spec*> specs;
  std::vector<SpecIndex> parents;  // kNoSpec for top-level commands
  std::vector<bool> containers;
  std::array<SpecIndex, kSlots> slots;

  Catalogue() {
    slots.fill(kNoSpec);
    for (const auto rows :
         {bitmap_rows(), cluster_rows(), connection_rows(), generic_rows(), geo_rows(), hash_rows(), hyperloglog_rows(),
          list_rows(), pubsub_rows(), scripting_rows(), sentinel_rows(), server_rows(), set_rows(), sorted_set_rows(),
          stream_rows(), string_rows(), transactions_rows()}) {
      for (const Spec& row : rows) specs.push_back(&row);
    }
    parents.assign(specs.size(), kNoSpec);
    containers.assign(specs.size(), false);
    for (size_t i = 0; i < specs.size(); ++i) {
      if (specs[i]->parent.empty()) insert(kNoSpec, static_cast<SpecIndex>(i));
    }
    for (size_t i = 0; i < specs.size(); ++i) {
      if (specs[i]->parent.empty()) continue;
      parents[i] = find(kNoSpec, specs[i]->parent);
      HF_ASSERT(parents[i] != kNoSpec);
      containers[parents[i]] = true;
      insert(parents[i], static_cast<SpecIndex>(i));
    }
  }

  void insert(SpecIndex parent, SpecIndex index) {
    size_t slot = hash_name(parent, specs[index]->name) % kSlots;
    while (slots[slot] != kNoSpec) slot = (slot + 1) % kSlots;
    slots[slot] = index;
  }

  SpecIndex find(SpecIndex parent, std::string_view name) const {
    for (size_t slot = hash_name(parent, name) % kSlots; slots[slot] != kNoSpec; slot = (slot + 1) % kSlots) {
      const SpecIndex index = slots[slot];
      if (parents[index] == parent && (parent != kNoSpec || specs[index]->parent.empty()) &&
          equal_ignoring_case(specs[index]->name, name)) {
        return index;
      }
    }
    return kNoSpec;
  }
};

const Catalogue& catalogue() {
  static const Catalogue instance;
  return instance;
}

}  // namespace

std::span<const Spec* const> all_specs() { return catalogue().specs; }

const Spec& spec_at(SpecIndex index) {
  HF_ASSERT(index < catalogue().specs.size());
  return *catalogue().specs[index];
}

SpecIndex find_command(std::string_view name) { return catalogue().find(kNoSpec, name); }

SpecIndex find_subcommand(SpecIndex parent, std::string_view name) { return catalogue().find(parent, name); }

bool has_subcommands(SpecIndex parent) { return catalogue().containers[parent]; }

std::string full_name(const Spec& spec) {
  return spec.parent.empty() ? std::string(spec.name) : std::string(spec.parent) + "|" + std::string(spec.name);
}

uint32_t categories_of(const Spec& spec) {
  uint32_t out = spec.categories;
  if (spec.is(kWrite)) out |= kCatWrite;
  if (spec.is(kReadonly) && (out & kCatScripting) == 0) out |= kCatRead;
  if (spec.is(kAdmin)) out |= kCatAdmin | kCatDangerous;
  if (spec.is(kPubsub)) out |= kCatPubsub;
  if (spec.is(kBlocking)) out |= kCatBlocking;
  return out | (spec.is(kFast) ? kCatFast : kCatSlow);
}

}  // namespace holdfast::command
