// SHA-1 and SHA-256 as lower-case hexadecimal text: script names, password hashes, DEBUG DIGEST.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::codec {

/// 40 characters.
std::string sha1_hex(std::string_view bytes);
/// 64 characters.
std::string sha256_hex(std::string_view bytes);

}  // namespace holdfast::codec
