#include "family/session.h"

namespace holdfast::family {

std::string peer_name(const Session& session) {
  if (session.in_script) return "?:0";
  if (session.local.is_unix()) return session.local.unix_path + ":0";
  return to_string(session.peer);
}

}  // namespace holdfast::family
