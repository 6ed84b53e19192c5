// Checks that ask a Redis server for its role: recognized in any tcp-check program, so that the article's file gains
// without a change.
//
// Two things follow for such a program, unless `no redis-fast-check` is set (ADR 0012):
//  - an `expect` that does not match concludes as soon as the server's reply is complete, instead of waiting for bytes
//    that will never come until the check times out;
//  - its servers are checked again at once when there is reason to doubt one (suspicion.h), and from then on every
//    kRecheck until the health of each is settled and one is up. A server that says it has another role is down at
//    once: there is nothing to confirm.
#pragma once

#include <string_view>

#include "base/time.h"
#include "proxy/check/program.h"
#include "proxy/redis/redis_config.h"

namespace holdfast::proxy {

inline constexpr Duration kRecheck = 20ms;

/// True if the program sends INFO or ROLE (inline or as an array) and expects something of the answer.
bool asks_redis_role(const CheckProgram& program);
/// ROLE, and the answer of a primary: for backends with redis-primary whose own rules ask for no role.
CheckProgram redis_primary_program();
/// Logs in behind every connect, without counting as steps. The secret appears in no message.
void authenticate(CheckProgram& program, const RedisAuth& auth);
/// INFO or ROLE, whole, inline or as an array.
bool is_role_question(std::string_view sent);
/// A command of the Redis protocol, whole, inline or as an array: what a RESP reply may be expected to.
bool is_redis_command(std::string_view sent);
/// `received` is exactly one complete RESP reply.
bool is_complete_reply(std::string_view received);

}  // namespace holdfast::proxy
