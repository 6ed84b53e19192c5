// `explain`: why connections go where they go, in words for people. An extension of the runtime API; its rows are
// explain_commands() of cli.h.
#pragma once

#include <string>

#include "proxy/runtime.h"

namespace holdfast::proxy {

/// One line: whether the server takes connections, and if not, why not.
std::string explain_server(const Runtime& runtime, const ServerState& server);

}  // namespace holdfast::proxy
