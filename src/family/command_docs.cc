// COMMAND DOCS.
#include "command/docs.h"

#include "base/text.h"
#include "family/bindings.h"
#include "family/command.h"

namespace holdfast::family {
namespace {

using command::Docs;
using command::DocsArgument;
using command::Spec;
using command::SpecIndex;

std::string_view group_name(command::Group group) {
  static constexpr std::string_view kNames[] = {
      "generic", "string",    "list",        "set",     "sorted-set", "hash", "pubsub", "transactions", "connection",
      "server",  "scripting", "hyperloglog", "cluster", "sentinel",   "geo",  "stream", "bitmap",
  };
  return kNames[static_cast<size_t>(group)];
}

void field(Context& c, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  c.reply.bulk(name);
  c.reply.bulk(value);
}

void reply_flags(Context& c, std::string_view name, const std::vector<std::string_view>& flags) {
  if (flags.empty()) return;
  c.reply.bulk(name);
  c.reply.set(flags.size());
  for (const std::string_view flag : flags) c.reply.simple(flag);
}

void reply_arguments(Context& c, const std::vector<DocsArgument>& arguments);

void reply_argument(Context& c, const DocsArgument& argument) {
  std::vector<std::string_view> flags;
  if (argument.optional) flags.push_back("optional");
  if (argument.multiple) flags.push_back("multiple");
  if (argument.multiple_token) flags.push_back("multiple_token");
  // Either what it holds or what it is shown as: one more than name and type.
  c.reply.map(3 + (argument.key_spec.empty() ? 0 : 1) + (argument.has_token ? 1 : 0) +
              (argument.since.empty() ? 0 : 1) + (argument.deprecated_since.empty() ? 0 : 1) + (flags.empty() ? 0 : 1));
  field(c, "name", argument.name);
  field(c, "type", argument.type);
  if (!argument.holds_others()) field(c, "display_text", argument.shown);
  if (!argument.key_spec.empty()) {
    c.reply.bulk("key_spec_index");
    c.reply.integer(parse_int64(argument.key_spec).value_or(0));
  }
  if (argument.has_token) {
    c.reply.bulk("token");
    c.reply.bulk(argument.token);
  }
  field(c, "since", argument.since);
  field(c, "deprecated_since", argument.deprecated_since);
  reply_flags(c, "flags", flags);
  if (argument.holds_others()) {
    c.reply.bulk("arguments");
    reply_arguments(c, argument.arguments);
  }
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the notation, whose reader has a bound
void reply_arguments(Context& c, const std::vector<DocsArgument>& arguments) {
  c.reply.array(arguments.size());
  for (const DocsArgument& argument : arguments) reply_argument(c, argument);
}

void reply_docs(Context& c, SpecIndex index) {
  static constexpr Docs kNone{};
  const Spec& spec = command::spec_at(index);
  const Docs* found = command::docs_of(index);
  const Docs& docs = found == nullptr ? kNone : *found;
  const std::vector<SpecIndex> children = spec.parent.empty() ? served(c, index) : std::vector<SpecIndex>();
  std::vector<DocsArgument> arguments;
  command::read_arguments(docs.arguments, arguments);
  std::vector<std::string_view> flags;
  if (!spec.deprecated_since.empty()) flags.push_back("deprecated");
  if (spec.is(command::kSysCmd)) flags.push_back("syscmd");
  c.reply.bulk(command::full_name(spec));
  c.reply.map(2 + (docs.summary.empty() ? 0 : 1) + (docs.complexity.empty() ? 0 : 1) + (flags.empty() ? 0 : 1) +
              (spec.deprecated_since.empty() ? 0 : 1) + (docs.replaced_by.empty() ? 0 : 1) +
              (arguments.empty() ? 0 : 1) + (children.empty() ? 0 : 1));
  field(c, "summary", docs.summary);
  field(c, "since", spec.since);
  field(c, "group", group_name(spec.group));
  field(c, "complexity", docs.complexity);
  reply_flags(c, "doc_flags", flags);
  field(c, "deprecated_since", spec.deprecated_since);
  field(c, "replaced_by", docs.replaced_by);
  if (!arguments.empty()) {
    c.reply.bulk("arguments");
    reply_arguments(c, arguments);
  }
  if (children.empty()) return;
  c.reply.bulk("subcommands");
  c.reply.map(children.size());
  for (const SpecIndex child : children) reply_docs(c, child);
}

void docs_command(Context& c) {
  std::vector<SpecIndex> wanted;
  if (c.argv.size() == 2) wanted = served(c, command::kNoSpec);
  for (const std::string_view name : c.argv.subspan(2)) {
    const SpecIndex index = find_full(name);
    if (index != command::kNoSpec && c.services.has_handler(index)) wanted.push_back(index);
  }
  c.reply.map(wanted.size());
  for (const SpecIndex index : wanted) reply_docs(c, index);
}

constexpr Binding kBindings[] = {{"command|docs", docs_command}};

}  // namespace

std::span<const Binding> command_docs_bindings() { return kBindings; }

}  // namespace holdfast::family
