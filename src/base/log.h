// Log levels and records: what a machine says; how a line looks is the host's business (app/log_format).
#pragma once

#include <cstdint>

namespace holdfast {

/// Redis' four levels, and HAProxy's syslog levels for the proxy. Ordered by importance within each family.
enum class LogLevel : uint8_t {
  // Redis: printed as `.` `-` `*` `#`
  kDebug,
  kVerbose,
  kNotice,
  kWarning,
  kRaw,  // Redis' raw lines (crash report): no prefix
  // HAProxy (RFC 5424 severities)
  kProxyEmergency,
  kProxyAlert,
  kProxyCritical,
  kProxyError,
  kProxyWarning,
  kProxyNotice,
  kProxyInfo,
  kProxyDebug,
};

}  // namespace holdfast
