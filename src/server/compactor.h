// Compactor: when the dataset is compacted (store/compaction.h), and how much per turn.
//
// Begins when the holes in pages in use are an eighth of them and 16 MB at least; then a slice every two milliseconds,
// so that it takes a fifth of one core at most. A walk that did not help is not repeated before there is more to gain.
// It rests while a snapshot reads the dataset. docs/decisions/0056.
#pragma once

#include <cstddef>
#include <memory>

#include "base/time.h"
#include "store/compaction.h"

namespace holdfast::server {

class Engine;

class Compactor {
 public:
  explicit Compactor(Engine& engine) : engine_(engine) {}

  /// Something may have been freed: a look is due within a second. Nobody looks while nothing happens.
  void consider(Now now);
  void work(Now now);
  Mono next_deadline() const { return next_; }
  bool running() const { return walk_ != nullptr; }
  /// Before the dataset is replaced.
  void data_goes();

 private:
  void look(Now now);

  Engine& engine_;
  std::unique_ptr<store::Compaction> walk_;
  Mono next_ = kNever;
  size_t in_vain_ = 0;  // free bytes that the last walk left
};

}  // namespace holdfast::server
