// What COMMAND DOCS says of the bitmap commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "bitcount",
     .summary = "Number of bits that are set in a string, or in a range of it.",
     .complexity = "O(N)",
     .arguments = "key:key@0 ?range:block{start:integer end:integer ?unit:oneof^7.0.0{byte:pure-token/BYTE "
                  "bit:pure-token/BIT}}"},
    {.name = "bitfield",
     .summary = "Reads and writes integers of any width inside a string.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?*operation:oneof{get-block:block/GET{encoding:string offset:integer} "
                  "write:block{?overflow-block:oneof/OVERFLOW{wrap:pure-token/WRAP sat:pure-token/SAT "
                  "fail:pure-token/FAIL} write-operation:oneof{set-block:block/SET{encoding:string "
                  "offset:integer value:integer} incrby-block:block/INCRBY{encoding:string offset:integer "
                  "increment:integer}}}}"},
    {.name = "bitfield_ro",
     .summary = "Reads integers of any width inside a string.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?*+get-block:block/GET{encoding:string offset:integer}"},
    {.name = "bitop",
     .summary = "Combines strings bit by bit and stores the result.",
     .complexity = "O(N)",
     .arguments = "operation:oneof{and:pure-token/AND or:pure-token/OR xor:pure-token/XOR not:pure-token/NOT} "
                  "destkey:key@0 *key:key@1"},
    {.name = "bitpos",
     .summary = "Position of the first bit that is set, or that is clear.",
     .complexity = "O(N)",
     .arguments = "key:key@0 bit:integer ?range:block{start:integer ?end-unit-block:block{end:integer "
                  "?unit:oneof^7.0.0{byte:pure-token/BYTE bit:pure-token/BIT}}}"},
    {.name = "getbit",
     .summary = "One bit of a string.",
     .complexity = "O(1)",
     .arguments = "key:key@0 offset:integer"},
    {.name = "setbit",
     .summary = "Sets or clears one bit of a string and answers what it was.",
     .complexity = "O(1)",
     .arguments = "key:key@0 offset:integer value:integer"},
};

}  // namespace

std::span<const Docs> bitmap_docs() { return kRows; }

}  // namespace holdfast::command
