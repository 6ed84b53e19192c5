// TLS options of `bind` and `server` lines, and the files they name. Texts of errors are HAProxy's (2.6.12 compared).
#pragma once

#include <optional>
#include <string>

#include "proxy/keyword/keyword.h"
#include "proxy/tls/tls_config.h"

namespace holdfast::proxy {

/// What became of one option. `before`: a complaint of its own, given before the error of the line.
struct TlsOptionResult {
  bool known = false;
  std::string error;  // empty = fine
  std::string before;
  bool period = true;  // ends the error of a server line
};
/// Reads the option at `*at` and moves it behind its words; not known: nothing was read.
TlsOptionResult read_bind_tls(KeywordContext& c, BindTls& tls, size_t* at);
TlsOptionResult read_server_tls(KeywordContext& c, ServerTls& tls, size_t* at);
/// Reads a certificate with its key, which may stand in a file of its own beside it. Empty = fine.
std::string load_certificate(TlsGlobal& global, FileLookup* files, const std::string& file);

}  // namespace holdfast::proxy
