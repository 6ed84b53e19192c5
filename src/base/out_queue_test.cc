#include "base/out_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"

namespace holdfast {
namespace {

std::string peeked(const OutQueue& queue, size_t views) {
  std::vector<std::string_view> pieces(views);
  std::string out;
  const size_t filled = queue.peek(pieces);
  for (size_t i = 0; i < filled; ++i) out += pieces[i];
  return out;
}

TEST(OutQueue, AgreesWithAStringUnderRandomUse) {
  Prng prng(42);
  OutQueue queue;
  std::string model;
  for (int step = 0; step < 20000; ++step) {
    switch (prng.below(5)) {
      case 0:
      case 1: {
        const std::string bytes(prng.below(prng.below(20) == 0 ? 100000 : 300), static_cast<char>('a' + step % 26));
        queue.append(bytes);
        model += bytes;
        break;
      }
      case 2: {
        const size_t count = prng.below(model.size() + 1);
        queue.consume(count);
        model.erase(0, count);
        break;
      }
      case 3: {
        char* at = queue.reserve(10);
        at[0] = 'x';
        at[1] = 'y';
        queue.commit(2);
        model += "xy";
        break;
      }
      case 4: {
        OutQueue moved = std::move(queue);
        EXPECT_TRUE(queue.empty());
        queue = std::move(moved);
        break;
      }
    }
    ASSERT_EQ(queue.size(), model.size());
    if (step % 50 == 0) {
      ASSERT_EQ(queue.to_string(), model);
      ASSERT_TRUE(model.starts_with(peeked(queue, 3)));
    }
    if (model.empty()) {
      ASSERT_EQ(queue.memory(), 0u);
    }
  }
}

TEST(OutQueue, ReservationsThatWereNotUsedLeaveTheBytesInOrder) {
  OutQueue queue;
  queue.reserve(10);  // nothing committed
  queue.append(std::string(5000, 'a'));
  std::string expected(5000, 'a');
  for (const size_t reserved : {20'000u, 100'000u, 200'000u}) {
    queue.reserve(reserved);  // a block behind unread bytes
    queue.append(std::string(300'000, 'b'));
    expected += std::string(300'000, 'b');
    ASSERT_EQ(queue.to_string(), expected);
  }
  queue.consume(5001);
  EXPECT_EQ(queue.to_string(), expected.substr(5001));
  queue.consume(queue.size());
  EXPECT_EQ(queue.memory(), 0u);
  OutQueue& same = queue;
  queue.append("x");
  queue = std::move(same);
  EXPECT_EQ(queue.to_string(), "x");
}

}  // namespace
}  // namespace holdfast
