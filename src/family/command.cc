// COMMAND: what the server knows about its commands.
#include <fmt/format.h>

#include "base/text.h"
#include "command/key_finder.h"
#include "command/wire_names.h"
#include "family/bindings.h"
#include "family/command.h"
#include "family/help.h"

namespace holdfast::family {
namespace {

using command::Spec;
using command::SpecIndex;

void reply_names(Context& c, const std::vector<std::string_view>& names, bool simple) {
  c.reply.set(names.size());
  for (const std::string_view name : names) simple ? c.reply.simple(name) : c.reply.bulk(name);
}

void reply_key_spec(Context& c, const command::KeySpec& spec) {
  c.reply.map(3);
  c.reply.bulk("flags");
  reply_names(c, command::key_flag_names(spec.flags), true);
  c.reply.bulk("begin_search");
  c.reply.map(2);
  c.reply.bulk("type");
  switch (spec.begin) {
    case command::KeySpec::Begin::kUnknown:
      c.reply.bulk("unknown");
      break;
    case command::KeySpec::Begin::kIndex:
      c.reply.bulk("index");
      break;
    case command::KeySpec::Begin::kKeyword:
      c.reply.bulk("keyword");
      break;
  }
  c.reply.bulk("spec");
  switch (spec.begin) {
    case command::KeySpec::Begin::kUnknown:
      c.reply.map(0);
      break;
    case command::KeySpec::Begin::kIndex:
      c.reply.map(1);
      c.reply.bulk("index");
      c.reply.integer(spec.position);
      break;
    case command::KeySpec::Begin::kKeyword:
      c.reply.map(2);
      c.reply.bulk("keyword");
      c.reply.bulk(spec.keyword);
      c.reply.bulk("startfrom");
      c.reply.integer(spec.position);
      break;
  }
  c.reply.bulk("find_keys");
  c.reply.map(2);
  c.reply.bulk("type");
  const auto triple = [&](std::string_view type, std::initializer_list<std::pair<std::string_view, int>> fields) {
    c.reply.bulk(type);
    c.reply.bulk("spec");
    c.reply.map(fields.size());
    for (const auto& [name, value] : fields) {
      c.reply.bulk(name);
      c.reply.integer(value);
    }
  };
  switch (spec.find) {
    case command::KeySpec::Find::kUnknown:
      triple("unknown", {});
      break;
    case command::KeySpec::Find::kRange:
      triple("range", {{"lastkey", spec.last}, {"keystep", spec.step}, {"limit", spec.limit}});
      break;
    case command::KeySpec::Find::kKeyNum:
      triple("keynum", {{"keynumidx", spec.last}, {"firstkey", spec.limit}, {"keystep", spec.step}});
      break;
  }
}

void reply_spec(Context& c, SpecIndex index) {
  const Spec& spec = command::spec_at(index);
  const command::LegacyKeyRange range = command::legacy_key_range(spec);
  c.reply.array(10);
  c.reply.bulk(command::full_name(spec));
  c.reply.integer(spec.arity);
  reply_names(c, command::flag_names(spec.flags), true);
  c.reply.integer(range.first);
  c.reply.integer(range.last);
  c.reply.integer(range.step);
  std::vector<std::string> categories;
  for (const std::string_view name : command::category_names(command::categories_of(spec))) {
    categories.push_back("@" + std::string(name));
  }
  c.reply.set(categories.size());
  for (const std::string& name : categories) c.reply.simple(name);
  std::vector<std::string_view> tips;
  if (!spec.tips.empty()) tips = split(spec.tips, ' ');
  c.reply.array(tips.size());
  for (const std::string_view tip : tips) c.reply.bulk(tip);
  c.reply.array(spec.keys.size());
  for (const command::KeySpec& key : spec.keys) reply_key_spec(c, key);
  const std::vector<SpecIndex> children = spec.parent.empty() ? served(c, index) : std::vector<SpecIndex>();
  c.reply.array(children.size());
  for (const SpecIndex child : children) reply_spec(c, child);
}

void command_command(Context& c) {
  const auto specs = served(c, command::kNoSpec);
  c.reply.array(specs.size());
  for (const SpecIndex index : specs) reply_spec(c, index);
}

void command_count_command(Context& c) { c.reply.integer(static_cast<int64_t>(served(c, command::kNoSpec).size())); }

void command_info_command(Context& c) {
  if (c.argv.size() == 2) return command_command(c);
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view name : c.argv.subspan(2)) {
    const SpecIndex index = find_full(name);
    if (index == command::kNoSpec || !c.services.has_handler(index)) {
      c.reply.null_array();
    } else {
      reply_spec(c, index);
    }
  }
}

void command_list_command(Context& c) {
  std::vector<std::string> names;
  std::string_view pattern;
  if (c.argv.size() == 5 && equal_ignoring_case(c.argv[2], "filterby") && equal_ignoring_case(c.argv[3], "pattern")) {
    pattern = c.argv[4];
  } else if (c.argv.size() != 2) {
    return c.reply.error(command::kSyntaxError);
  }
  for (const SpecIndex index : served(c, command::kNoSpec)) {
    std::vector<SpecIndex> family = {index};
    if (!pattern.empty()) {
      for (const SpecIndex child : served(c, index)) family.push_back(child);
    }
    for (const SpecIndex one : family) {
      std::string name = command::full_name(command::spec_at(one));
      if (pattern.empty() || glob_match(pattern, name, true)) names.push_back(std::move(name));
    }
  }
  c.reply.array(names.size());
  for (const std::string& name : names) c.reply.bulk(name);
}

// The keys of a request.

/// The keys of the request behind the first two words; nullopt: the error is written.
std::optional<std::vector<command::KeyAt>> keys_of_request(Context& c) {
  const std::span<const std::string_view> words = c.argv.subspan(2);
  SpecIndex index = command::find_command(words[0]);
  if (index != command::kNoSpec && command::has_subcommands(index) && words.size() > 1) {
    index = command::find_subcommand(index, words[1]);
  }
  std::string_view error;
  std::optional<std::vector<command::KeyAt>> keys;
  if (index == command::kNoSpec || !c.services.has_handler(index)) {
    error = "ERR Invalid command specified";
  } else if (command::spec_at(index).keys.empty()) {
    error = "ERR The command has no key arguments";
  } else if (!command::spec_at(index).accepts(words.size())) {
    error = "ERR Invalid number of arguments specified for command";
  } else {
    keys = command::find_keys(command::spec_at(index), words);
    const bool optional = command::spec_at(index).is(command::kNoMandatoryKeys);
    if (!keys || (keys->empty() && !optional)) error = "ERR Invalid arguments specified for command";
  }
  if (error.empty()) return keys;
  c.reply.error(error);
  return std::nullopt;
}

void command_getkeys_command(Context& c) {
  const auto keys = keys_of_request(c);
  if (!keys) return;
  c.reply.array(keys->size());
  for (const command::KeyAt& key : *keys) c.reply.bulk(c.argv[key.position + 2]);
}

void command_getkeysandflags_command(Context& c) {
  const auto keys = keys_of_request(c);
  if (!keys) return;
  c.reply.array(keys->size());
  for (const command::KeyAt& key : *keys) {
    c.reply.array(2);
    c.reply.bulk(c.argv[key.position + 2]);
    reply_names(c, command::key_flag_names(key.flags), true);
  }
}

void command_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    Return details about all Redis commands.",
      "COUNT",
      "    Return the total number of commands in this Redis server.",
      "LIST",
      "    Return a list of all commands in this Redis server.",
      "INFO [<command-name> ...]",
      "    Return details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "DOCS [<command-name> ...]",
      "    Return documentation details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "GETKEYS <full-command>",
      "    Return the keys from a full Redis command.",
      "GETKEYSANDFLAGS <full-command>",
      "    Return the keys and the access flags from a full Redis command.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"command", command_command},
    {"command|help", command_help_command},
    {"command|count", command_count_command},
    {"command|getkeys", command_getkeys_command},
    {"command|getkeysandflags", command_getkeysandflags_command},
    {"command|info", command_info_command},
    {"command|list", command_list_command},
};

}  // namespace

std::vector<command::SpecIndex> served(Context& c, command::SpecIndex parent) {
  std::vector<SpecIndex> out;
  const auto specs = command::all_specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto index = static_cast<SpecIndex>(i);
    const bool child = parent == command::kNoSpec
                           ? specs[i]->parent.empty()
                           : !specs[i]->parent.empty() && specs[i]->parent == command::spec_at(parent).name;
    if (child && c.services.has_handler(index)) out.push_back(index);
  }
  return out;
}

command::SpecIndex find_full(std::string_view name) {
  const size_t bar = name.find('|');
  const SpecIndex top = command::find_command(name.substr(0, bar));
  if (bar == std::string_view::npos || top == command::kNoSpec) return top;
  return command::find_subcommand(top, name.substr(bar + 1));
}

std::span<const Binding> command_bindings() { return kBindings; }

}  // namespace holdfast::family
