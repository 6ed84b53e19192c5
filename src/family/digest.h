// Digests of values and datasets: what DEBUG DIGEST and DEBUG DIGEST-VALUE answer.
//
// Source: redis-server 7.2. Ordered content is chained (digest = SHA1(digest xor SHA1(part))), unordered content is
// xored, so that equal data give equal digests whatever holds them. Times of expiry count only as being there.
#pragma once

#include <string>

#include "store/dataset.h"

namespace holdfast::family {

/// Hexadecimal.
std::string value_digest(const store::Entry& entry);
std::string dataset_digest(const store::Dataset& data);

}  // namespace holdfast::family
