// Which primary to believe in: what several Sentinels say, weighed by their configuration epochs. Pure.
//
// Rules: an epoch that is not higher than the current one never wins. Of the higher ones the highest counts; it is
// believed when a majority of the configured Sentinels (at least two) say it, or when one says it and the server
// itself says that it is a primary. Before the first decision a majority of the Sentinels, or all that can be reached
// after a moment (`settled`), must have spoken: an isolated Sentinel must not win by answering first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"

namespace holdfast::proxy {

/// What one Sentinel says of one monitored name.
struct PrimaryReport {
  Address address;
  int64_t epoch = 0;
  int64_t quorum = 0;
};

struct PrimaryChoice {
  enum class Verdict : uint8_t {
    kKeep,     // nothing better than the current one
    kConfirm,  // believe `address` once its server says it is a primary
    kAdopt,
  };
  Verdict verdict = Verdict::kKeep;
  Address address;
  int64_t epoch = -1;
  size_t voices = 0;
  size_t first_voice = 0;  // index of the first Sentinel that says so
};

/// `reports` has one entry per configured Sentinel; `current_epoch` is -1 before the first decision.
PrimaryChoice choose_primary(int64_t current_epoch, std::span<const std::optional<PrimaryReport>> reports,
                             bool settled);

}  // namespace holdfast::proxy
