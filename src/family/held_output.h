// HeldOutput: what a client is to be told once the effects before it are safe in the append-only file.
//
// While the file is in use every ordinary client's output goes through here: at the end of a turn the new bytes are
// marked with the position in the file they wait for. A reply can then not overtake the file, whatever it was asked
// for. Invariants: bytes leave in the order they came; positions of marks rise; marked bytes <= bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/out_queue.h"

namespace holdfast::family {

class HeldOutput {
 public:
  OutQueue bytes;

  bool empty() const { return bytes.empty(); }
  bool waits() const { return !marks_.empty(); }
  /// The bytes added since the last call wait for `position`.
  void mark(uint64_t position);
  /// Moves what waits for nothing beyond `safe` to `out`.
  void release(uint64_t safe, OutQueue& out);

 private:
  struct Mark {
    uint64_t position;
    size_t bytes;
  };
  std::vector<Mark> marks_;  // a few: what is under way, what gathers
  size_t marked_ = 0;
};

}  // namespace holdfast::family
