// External checks: a program decides whether a server is well. What it is called with, and what its end means. Pure.
// Source: HAProxy configuration manual 4.2 `external-check command`: arguments and environment; exit status 0 is
// health.
#pragma once

#include <string>
#include <vector>

#include "proxy/check/evaluator.h"
#include "proxy/runtime.h"

namespace holdfast::proxy {

/// The words to start: env(1) with exactly the check's variables, then the command, address and port of the proxy's
/// first listener, and those of the server. env looks for the command in the PATH it was given, then becomes it.
std::vector<std::string> external_check_words(const Runtime& runtime, const ServerState& server);
/// `wait_status` as the system gives it.
CheckOutcome external_check_outcome(int wait_status);

}  // namespace holdfast::proxy
