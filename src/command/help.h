// Help: what every command with subcommands answers to HELP and to words it does not take.
//
// Source: networking.c of Redis 7.2 (addReplyHelp, addReplySubcommandSyntaxError); the wording is the protocol's.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "command/reply.h"

namespace holdfast::command {

/// `lines` are those between the head line and HELP's own two. `container` in any case.
void put_help(Reply& reply, std::string_view container, std::span<const std::string_view> lines);
/// A subcommand nobody knows: an error with its code.
std::string unknown_subcommand(std::string_view container, std::string_view subcommand);
/// A known one with words it does not take.
std::string misused_subcommand(std::string_view container, std::string_view subcommand);

}  // namespace holdfast::command
