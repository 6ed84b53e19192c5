// ElementSink: who is shown a large collection piece by piece (store/walk.h).
//
// Views are borrowed for the call. A sink must not touch the store.
#pragma once

#include <string_view>

namespace holdfast::store {

struct StreamNode;

class ElementSink {
 public:
  /// Of a hash, in no order.
  virtual void pair(std::string_view field, std::string_view value) = 0;
  /// Of a set, in no order.
  virtual void member(std::string_view member) = 0;
  /// Of a sorted set: mostly from the highest down.
  virtual void scored(std::string_view member, double score) = 0;
  /// Of a list, from head to tail.
  virtual void element(std::string_view element) = 0;
  /// Of a stream, ascending.
  virtual void node(const StreamNode& node) = 0;

 protected:
  ~ElementSink() = default;
};

}  // namespace holdfast::store
