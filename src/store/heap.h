// Heap: where entries and values live; 8-byte size classes up to 512 bytes in 32 KiB pages, larger blocks from malloc.
//
// Units: bytes. used() is the sum of all blocks handed out, each rounded up to its class, and is exact: `used_memory`
// grows and shrinks with it. A page whose last block is released is kept for any class, up to kSpareMax of them; the
// others go back to the system: a value that grows through the classes does not fetch a page for each. Invariants: live
// blocks of a page <= blocks per page; a page is on its class' list iff it has a free block. One thread. The caller
// remembers sizes: release() must get the size that allocate() got.
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

  Page* partial_[kSmallMax / 8 + 1] = {};  // pages with a free block, by size class
  size_t used_ = 0;
  size_t pages_ = 0;
  Page* spare_ = nullptr;
  size_t spares_ = 0;
};

}  // namespace holdfast::store
