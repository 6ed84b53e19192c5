// What the proxy says it is: the version scripts and test suites look for, and the release date beside it.
// We claim the behaviour of HAProxy 3.4; the suffix tells whose program it is.
#pragma once

#include <string_view>

namespace holdfast::proxy {

inline constexpr std::string_view kVersion = "3.4.0-holdfast";
inline constexpr std::string_view kVersionBranch = "3.4";
inline constexpr std::string_view kReleaseDate = "2026/11/22";

/// The names `-vv` lists and `.if feature(X)` knows; `+` = present.
inline constexpr std::string_view kFeatures[] = {
    "+ACCEPT4", "+EPOLL",  "+GETADDRINFO", "-LUA",         "+OPENSSL", "-PCRE",
    "-PCRE2",   "+PROMEX", "-QUIC",        "+REDIS_AWARE", "+THREAD",  "-ZLIB",
};

}  // namespace holdfast::proxy
