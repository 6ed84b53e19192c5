#include "store/heap.h"

#include <cstdlib>
#include <cstring>
#include <iterator>

#include "base/assert.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOLDFAST_STORE_MALLOC_ONLY 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HOLDFAST_STORE_MALLOC_ONLY 1
#endif

namespace holdfast::store {

namespace {
#ifdef HOLDFAST_STORE_MALLOC_ONLY
constexpr bool kSlabs = false;  // so that the sanitizer sees every block
#else
constexpr bool kSlabs = true;
#endif
constexpr size_t kHeaderBytes = 64;  // keeps 64-byte blocks on cache lines
}  // namespace

struct Heap::FreeBlock {
  FreeBlock* next;
};

struct Heap::Page {
  Page* previous;
  Page* next;
  FreeBlock* free;
  uint32_t size_class;  // bytes / 8
  uint32_t live;
  uint32_t fresh;     // blocks never handed out start here
  uint32_t capacity;  // blocks
  bool vacating;
  uint32_t free_blocks() const { return capacity - live; }
  char* block(uint32_t index) { return reinterpret_cast<char*>(this) + kHeaderBytes + size_t{index} * size_class * 8; }
};

Heap::~Heap() {
  HF_ASSERT(used_ == 0);
  purge();
}

void Heap::purge() {
  while (spare_ != nullptr) {
    Page* const page = spare_;
    spare_ = page->next;
    std::free(page);
  }
  pages_ -= spares_;
  spares_ = 0;
}

size_t Heap::class_bytes(size_t bytes) {
  return bytes <= kSmallMax ? (bytes + 7) & ~size_t{7} : (bytes + 15) & ~size_t{15};
}

Heap::Page* Heap::page_of(void* block) {
  return reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(block) & ~uintptr_t{kPageBytes - 1});
}

void* Heap::allocate(size_t bytes) {
  HF_ASSERT(bytes > 0);
  const size_t rounded = class_bytes(bytes);
  used_ += rounded;
  if (!kSlabs || rounded > kSmallMax) {
    void* const block = std::malloc(rounded);
    HF_ASSERT(block != nullptr);
    return block;
  }
  const size_t size_class = rounded / 8;
  SizeClass& own = classes_[size_class];
  Page* page = own.partial;
  if (page == nullptr) page = new_page(size_class);
  --own.free;
  void* block = nullptr;
  if (page->free != nullptr) {
    block = page->free;
    page->free = page->free->next;
  } else {
    block = page->block(page->fresh++);
  }
  if (++page->live == page->capacity) unlink(page);
  return block;
}

void Heap::release(void* block, size_t bytes) {
  const size_t rounded = class_bytes(bytes);
  HF_ASSERT(used_ >= rounded);
  used_ -= rounded;
  if (!kSlabs || rounded > kSmallMax) {
    std::free(block);
    return;
  }
  Page* const page = page_of(block);
  HF_ASSERT(page->size_class == rounded / 8 && page->live > 0);
  auto* const free = static_cast<FreeBlock*>(block);
  free->next = page->free;
  page->free = free;
  if (page->vacating) [[unlikely]] {
    if (--page->live == 0) {
      unlink(page);
      retire(page);
    }
    return;
  }
  SizeClass& own = classes_[page->size_class];
  ++own.free;
  if (page->live-- == page->capacity) link(page);
  if (page->live == 0) {
    own.free -= page->capacity;
    unlink(page);
    retire(page);
  }
}

void Heap::retire(Page* page) {
  if (spares_ == kSpareMax) {
    --pages_;
    std::free(page);
    return;
  }
  page->next = spare_;
  spare_ = page;
  ++spares_;
}

Heap::Page* Heap::take_page() {
  if (spare_ == nullptr) {
    ++pages_;
    return static_cast<Page*>(std::aligned_alloc(kPageBytes, kPageBytes));
  }
  Page* const page = spare_;
  spare_ = page->next;
  --spares_;
  return page;
}

void* Heap::allocate_aligned(size_t bytes) {
  const size_t rounded = (bytes + 63) & ~size_t{63};
  used_ += rounded;
  void* const block = std::aligned_alloc(64, rounded);
  HF_ASSERT(block != nullptr);
  return block;
}

void Heap::release_aligned(void* block, size_t bytes) {
  const size_t rounded = (bytes + 63) & ~size_t{63};
  HF_ASSERT(used_ >= rounded);
  used_ -= rounded;
  std::free(block);
}

Heap::Page* Heap::new_page(size_t size_class) {
  Page* const page = take_page();
  HF_ASSERT(page != nullptr);
  static_assert(sizeof(Page) <= kHeaderBytes);
  page->free = nullptr;
  page->size_class = static_cast<uint32_t>(size_class);
  page->live = 0;
  page->fresh = 0;
  page->capacity = static_cast<uint32_t>((kPageBytes - kHeaderBytes) / (size_class * 8));
  page->vacating = false;
  classes_[size_class].free += page->capacity;
  link(page);
  return page;
}

void Heap::link(Page* page) {
  Page*& head = page->vacating ? vacating_ : classes_[page->size_class].partial;
  page->previous = nullptr;
  page->next = head;
  if (head != nullptr) head->previous = page;
  head = page;
}

void Heap::unlink(Page* page) {
  if (page->previous != nullptr) {
    page->previous->next = page->next;
  } else {
    (page->vacating ? vacating_ : classes_[page->size_class].partial) = page->next;
  }
  if (page->next != nullptr) page->next->previous = page->previous;
}

// Compaction.

size_t Heap::free_bytes() const {
  size_t bytes = 0;
  for (size_t i = 0; i < std::size(classes_); ++i) bytes += classes_[i].free * i * 8;
  return bytes;
}

bool Heap::should_move(void* block, size_t bytes) {
  if (!kSlabs || class_bytes(bytes) > kSmallMax) return false;
  Page* const page = page_of(block);
  if (page->vacating) return true;
  // Moving what is nearly full costs much and gives little.
  if (page->live > page->capacity / 8 * 7) return false;
  const size_t elsewhere = classes_[page->size_class].free - page->free_blocks();
  if (elsewhere < page->live) return false;
  choose_to_vacate(page);
  return true;
}

void* Heap::compact(void* block, size_t bytes) {
  if (!should_move(block, bytes)) return block;
  void* const fresh = allocate(bytes);
  std::memcpy(fresh, block, bytes);
  release(block, bytes);
  return fresh;
}

void Heap::choose_to_vacate(Page* page) {
  unlink(page);
  classes_[page->size_class].free -= page->free_blocks();
  page->vacating = true;
  link(page);
}

bool Heap::end_vacating(size_t pages) {
  for (; vacating_ != nullptr; --pages) {
    if (pages == 0) return false;
    Page* const page = vacating_;
    unlink(page);
    page->vacating = false;
    classes_[page->size_class].free += page->free_blocks();
    link(page);
  }
  return true;
}

void Heap::check_invariants() const {
  for (size_t size_class = 1; size_class <= kSmallMax / 8; ++size_class) {
    const Page* previous = nullptr;
    size_t free_blocks = 0;
    for (Page* page = classes_[size_class].partial; page != nullptr; page = page->next) {
      HF_ASSERT(page->size_class == size_class && page->previous == previous);
      HF_ASSERT(page->live > 0 && page->live < page->capacity && !page->vacating);
      free_blocks += page->free_blocks();
      uint32_t free = page->capacity - page->fresh;
      for (const FreeBlock* block = page->free; block != nullptr; block = block->next) ++free;
      HF_ASSERT(page->live + free == page->capacity);
      previous = page;
    }
    HF_ASSERT(free_blocks == classes_[size_class].free);
  }
  for (const Page* page = vacating_; page != nullptr; page = page->next) HF_ASSERT(page->vacating && page->live > 0);
}

}  // namespace holdfast::store
