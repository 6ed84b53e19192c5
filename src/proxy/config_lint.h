// Lints: settings that are valid and yet seldom what was meant, in front of Redis. Shown under -dD only, for HAProxy
// does not warn of them.
#pragma once

#include "conf/haproxy_diagnostics.h"
#include "proxy/config.h"

namespace holdfast::proxy {

void lint_config(const Config& config, conf::Diagnostics& diagnostics);

}  // namespace holdfast::proxy
