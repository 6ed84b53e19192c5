// The one-line notation of replies in .rt files.
#pragma once

#include <string>

#include "codec/resp/reply.h"

namespace holdfast::rt {

std::string print(const codec::Reply& reply);
/// The same with the items of the outermost aggregate sorted.
std::string print_sorted(const codec::Reply& reply);

}  // namespace holdfast::rt
