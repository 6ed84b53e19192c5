// LargeRecord: one large collection in an image, written in pieces while it goes on changing: an RDB record, or
// commands.
//
// Begun at the cut or by the first write behind it (persist/snapshot); what that and later writes would change is
// encoded before they happen and waits here until the record's turn comes. Costs are in bytes read, about.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "persist/rdb_save.h"
#include "store/element_sink.h"
#include "store/entry.h"
#include "store/walk.h"

namespace holdfast::persist {

class LargeRecord final : store::ElementSink {
 public:
  static bool is_worth(const store::Entry& entry) { return store::Walk::is_worth(entry); }

  LargeRecord(store::Context& context, const store::Entry& entry, const SaveOptions& options, size_t db);
  LargeRecord(const LargeRecord&) = delete;
  LargeRecord& operator=(const LargeRecord&) = delete;

  size_t db() const { return db_; }
  /// Appends pieces until about `cost` has been read. True when the record is whole.
  bool write(std::string& out, size_t cost);
  /// What was read by the last write().
  size_t cost() const { return cost_; }
  /// Bytes that wait for their turn.
  size_t pending() const { return head_.size() + text_.size() + tail_.size(); }

 private:
  void pair(std::string_view field, std::string_view value) override;
  void member(std::string_view member) override;
  void scored(std::string_view member, double score) override;
  void element(std::string_view element) override;
  void node(const store::StreamNode& node) override;
  void put(std::string_view text);
  void end_item(size_t count = 1);
  void end_command();
  void put_parts(const store::Entry& entry);

  SaveOptions options_;
  size_t db_;
  size_t total_ = 0;  // elements, or nodes of a stream
  size_t shown_ = 0;
  size_t cost_ = 0;
  std::string head_;
  std::string text_;
  std::string tail_;
  // Of commands.
  std::string_view name_;
  std::string key_;
  std::string items_;  // of the command not written yet
  size_t item_count_ = 0;
  size_t words_per_item_ = 1;
  store::Walk walk_;  // the last: it may show at once
};

}  // namespace holdfast::persist
