// One question over one blocking connection: for command-line tools that have no loop of their own.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/time.h"

namespace holdfast::net {

/// Connects, sends `request` and returns what arrives until `enough` bytes, the peer's FIN, or a first full line.
/// Errno on failure; ETIMEDOUT after `limit` altogether.
std::expected<std::string, int> ask(const Address& to, std::string_view request, Duration limit, size_t enough = 1);
/// 0 if a listener could be opened on `address` now, else errno.
int port_is_free(const Address& address);

}  // namespace holdfast::net
