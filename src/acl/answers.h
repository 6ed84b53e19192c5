// Answers: what ACL's subcommands reply and the sentences about refused rights - one wording for both programs.
//
// `words` are a whole request, `ACL` included, of a right count of words for its catalogue row. Source: acl.c of Redis
// 7.2; the wording is the protocol's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "acl/log.h"
#include "acl/users.h"
#include "command/reply.h"

namespace holdfast::acl {

inline constexpr std::string_view kNoFile =
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration.";
inline constexpr std::string_view kBothSources =
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
    "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
    "declare users directly in your redis.conf, but not both.";
inline constexpr std::string_view kNotSaved =
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
inline constexpr std::string_view kNotRemovable = "ERR The 'default' user cannot be removed";
inline constexpr std::string_view kBadUsername = "ERR Usernames can't contain spaces or null characters";

/// What was asked for and refused: the words without their container's error text.
struct DeniedRequest {
  const command::Spec& spec;
  Words words;
  Verdict verdict;
};
/// Without a code. `verbose` names the key or channel (ACL DRYRUN); an error to the client does not.
std::string denial_text(const User& user, const DeniedRequest& request, bool verbose);

/// Passwords that nobody can guess: a secret of the process and how many were made from it.
struct SecretSource {
  std::string_view secret;
  uint64_t& given;
};

void answer_getuser(command::Reply& reply, const Users& users, Words words);
void answer_list(command::Reply& reply, const Users& users);
void answer_users(command::Reply& reply, const Users& users);
void answer_cat(command::Reply& reply, Program program, Words words);
void answer_genpass(command::Reply& reply, SecretSource source, Words words);
/// `now_ms`: wall clock.
void answer_log(command::Reply& reply, Log& log, Words words, int64_t now_ms);
void answer_dryrun(command::Reply& reply, const Users& users, Program program, Words words);
void answer_help(command::Reply& reply);

}  // namespace holdfast::acl
