// SHA-1 and SHA-256, mostly as lower-case hexadecimal text: script names, password hashes, DEBUG DIGEST.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::codec {

using Sha1 = std::array<uint8_t, 20>;
Sha1 sha1(std::string_view bytes);
/// 40 characters.
std::string sha1_hex(std::string_view bytes);
/// 64 characters.
std::string sha256_hex(std::string_view bytes);

}  // namespace holdfast::codec
