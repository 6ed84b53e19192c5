// Heap: where entries and values live; 8-byte size classes up to 512 bytes in 32 KiB pages, larger blocks from malloc.
//
// Units: bytes. used() is the sum of all blocks handed out, each rounded up to its class, and is exact: `used_memory`
// grows and shrinks with it. A page whose last block is released is kept for any class, up to kSpareMax of them; the
// others go back to the system: a value that grows through the classes does not fetch a page for each. One thread. The
// caller remembers sizes: release() must get the size that allocate() got.
// Compaction: who owns blocks asks should_move() of each; pages whose blocks fit into the holes of others of their
// class are being vacated then: nothing is allocated in them, and they go when their last block does. Invariants: live
// blocks of a page <= blocks per page; a page is on its class' list iff it has a free block and is not being vacated; a
// class' free blocks are those of the pages on its list.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::store {

class Heap {
 public:
  static constexpr size_t kSmallMax = 512;
  static constexpr size_t kPageBytes = 32 * 1024;
  static constexpr size_t kSpareMax = 32;  // pages

  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  /// Everything must have been released: a leak is a bug and asserts.
  ~Heap();

  /// Never null; `bytes` > 0. Aligned to 8.
  void* allocate(size_t bytes);
  /// Aligned to 64; released with release_aligned.
  void* allocate_aligned(size_t bytes);
  void release(void* block, size_t bytes);
  void release_aligned(void* block, size_t bytes);
  /// Gives the spare pages back to the system.
  void purge();
  /// Bytes a block of `bytes` really takes.
  static size_t class_bytes(size_t bytes);

  size_t used() const { return used_; }
  /// Bytes taken from the system for small blocks, including free ones: fragmentation = pages - used.
  size_t page_memory() const { return pages_ * kPageBytes; }

  /// Bytes of free blocks in pages that are in use: what compaction can give back of, at most.
  size_t free_bytes() const;
  /// Whether the block should go elsewhere: allocate another of its size, copy, release this one. May choose its page
  /// to be vacated.
  bool should_move(void* block, size_t bytes);
  /// The block, or where its bytes are now if it had to go: what refers to it must be told.
  void* compact(void* block, size_t bytes);
  /// Gives up on at most `pages` pages that could not be vacated; true when none are left.
  bool end_vacating(size_t pages);

  void check_invariants() const;

 private:
  struct Page;
  struct FreeBlock;
  static Page* page_of(void* block);
  Page* new_page(size_t size_class);
  Page* take_page();
  void retire(Page* page);
  void unlink(Page* page);
  void link(Page* page);

  struct SizeClass {
    Page* partial = nullptr;  // pages with a free block
    size_t free = 0;          // blocks in them
  };
  void choose_to_vacate(Page* page);

  SizeClass classes_[kSmallMax / 8 + 1] = {};  // by size / 8
  Page* vacating_ = nullptr;
  size_t used_ = 0;
  size_t pages_ = 0;
  Page* spare_ = nullptr;
  size_t spares_ = 0;
};

}  // namespace holdfast::store
