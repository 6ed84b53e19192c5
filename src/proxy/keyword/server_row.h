// ServerRow: one option of `server`, `default-server` and `server-template` lines.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {

struct ServerRow {
  std::string_view name;
  int values;  // words after the name
  /// Empty = fine, else the error's text.
  std::string (*apply)(KeywordContext&, ServerConfig&, std::string_view value);
};

/// The options about names: resolvers, resolve-prefer, resolve-opts, resolve-net, init-addr.
std::span<const ServerRow> resolve_options();

}  // namespace holdfast::proxy
