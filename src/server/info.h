// INFO: sections and fields as rows, printed in the original's order.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/time.h"

namespace holdfast::server {

class Engine;

/// The text for the wanted sections (none = the default ones); unknown names are passed over.
std::string print_info(const Engine& engine, size_t clients, std::span<const std::string_view> sections, Now now);

}  // namespace holdfast::server
