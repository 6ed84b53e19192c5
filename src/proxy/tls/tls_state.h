// TlsState: the certificates in force, and what the runtime API is about to change.
//
// `set ssl cert` puts a text beside the one in use, `commit ssl cert` makes the contexts of every line that names the
// file anew and then lets new connections have them; connections that are open keep theirs. A context that cannot be
// made leaves everything as it was.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/config.h"

namespace holdfast::proxy {

class TlsState {
 public:
  /// `config` is the runtime's own; its lines are named by their place in memory.
  void begin(const Config& config, TlsProvider* provider);

  TlsContextId context_of(const BindConfig& bind) const;
  TlsContextId context_of(const ServerConfig& server) const;

  const std::map<std::string, std::string>& certificates() const { return certificates_; }
  const std::string& pending_file() const { return pending_file_; }
  const std::string& pending_text() const { return pending_text_; }
  bool used(const std::string& file) const;

  // The runtime API's verbs; the answer is HAProxy's text.
  std::string create(const std::string& file);
  std::string set(const std::string& file, std::string_view text);
  std::string commit(const std::string& file);
  std::string abort(const std::string& file);
  std::string remove(const std::string& file);

 private:
  template <typename F>
  void for_users(const std::string& file, F each) const;
  std::optional<std::string> rebuild(const std::map<std::string, std::string>& certificates, const std::string& file);

  const Config* config_ = nullptr;
  TlsProvider* provider_ = nullptr;
  std::map<std::string, std::string> certificates_;
  std::map<const void*, TlsContextId> contexts_;  // made since the start, by line
  std::string pending_file_, pending_text_;
};

}  // namespace holdfast::proxy
