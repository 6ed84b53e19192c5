// CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO.
#include <fmt/format.h>

#include "base/text.h"
#include "family/bindings.h"
#include "family/tracking.h"

namespace holdfast::family {
namespace {

struct Wanted {
  TrackingMode mode;
  std::vector<std::string_view> prefixes;
};

/// False: answered with an error.
bool read_options(Context& c, Wanted& wanted) {
  TrackingMode& mode = wanted.mode;
  for (size_t i = 3; i < c.argv.size(); ++i) {
    const std::string_view option = c.argv[i];
    const bool more = i + 1 < c.argv.size();
    if (equal_ignoring_case(option, "redirect") && more) {
      if (mode.redirect != 0) {
        return c.reply.error("ERR A client can only redirect to a single other client"), false;
      }
      const auto id = parse_int64(c.argv[++i]);
      if (!id) return c.reply.error(command::kNotAnInteger), false;
      mode.redirect = static_cast<ClientId>(*id);
      if (*id < 0 || c.services.find_session(mode.redirect) == nullptr) {
        return c.reply.error("ERR The client ID you want redirect to does not exist"), false;
      }
    } else if (equal_ignoring_case(option, "bcast")) {
      mode.broadcast = true;
    } else if (equal_ignoring_case(option, "optin")) {
      mode.opt_in = true;
    } else if (equal_ignoring_case(option, "optout")) {
      mode.opt_out = true;
    } else if (equal_ignoring_case(option, "noloop")) {
      mode.no_loop = true;
    } else if (equal_ignoring_case(option, "prefix") && more) {
      wanted.prefixes.push_back(c.argv[++i]);
    } else {
      return c.reply.error(command::kSyntaxError), false;
    }
  }
  return true;
}

bool overlap(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

std::string prefix_error(const Wanted& wanted, const TrackingMode* before) {
  for (size_t i = 0; i < wanted.prefixes.size(); ++i) {
    const std::string_view prefix = wanted.prefixes[i];
    if (before != nullptr) {
      for (const std::string& old : before->prefixes) {
        if (!overlap(prefix, old)) continue;
        return fmt::format(
            "ERR Prefix '{}' overlaps with an existing prefix '{}'. Prefixes for a single client must not overlap.",
            prefix, old);
      }
    }
    for (size_t j = i + 1; j < wanted.prefixes.size(); ++j) {
      if (!overlap(prefix, wanted.prefixes[j])) continue;
      return fmt::format(
          "ERR Prefix '{}' overlaps with another provided prefix '{}'. Prefixes for a single client must not overlap.",
          prefix, wanted.prefixes[j]);
    }
  }
  return {};
}

/// Empty: what is asked fits together, and with what the client has switched on already.
std::string refuse(const Wanted& wanted, const TrackingMode* before) {
  const TrackingMode& mode = wanted.mode;
  if (!mode.broadcast && !wanted.prefixes.empty()) return "ERR PREFIX option requires BCAST mode to be enabled";
  if (before != nullptr && before->broadcast != mode.broadcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  }
  if (mode.broadcast && (mode.opt_in || mode.opt_out)) return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  if (mode.opt_in && mode.opt_out) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if (before != nullptr && ((mode.opt_in && before->opt_out) || (mode.opt_out && before->opt_in))) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  }
  return mode.broadcast ? prefix_error(wanted, before) : std::string();
}

void switch_on(Context& c, Wanted wanted) {
  Tracking& tracking = c.state.tracking;
  Session& session = c.session;
  if (session.tracking) {
    wanted.mode.prefixes = std::move(session.tracking->prefixes);
    wanted.mode.caching = session.tracking->caching;
  } else {
    ++tracking.clients;
  }
  if (!tracking.read_keys) tracking.read_keys.emplace(c.state.data->context().seed);
  if (wanted.mode.broadcast && wanted.prefixes.empty()) wanted.prefixes.emplace_back();
  for (const std::string_view prefix : wanted.prefixes) {
    wanted.mode.prefixes.emplace(prefix);
    tracking.prefixes[std::string(prefix)].clients.insert(session.id);
  }
  session.tracking = std::make_unique<TrackingMode>(std::move(wanted.mode));
}

void tracking_command(Context& c) {
  Wanted wanted;
  if (!read_options(c, wanted)) return;
  if (equal_ignoring_case(c.argv[2], "on")) {
    const std::string error = refuse(wanted, c.session.tracking.get());
    if (!error.empty()) return c.reply.error(error);
    switch_on(c, std::move(wanted));
  } else if (equal_ignoring_case(c.argv[2], "off")) {
    tracking_off(c.state, c.session);
  } else {
    return c.reply.error(command::kSyntaxError);
  }
  c.reply.ok();
}

void caching_command(Context& c) {
  TrackingMode* mode = c.session.tracking.get();
  if (mode == nullptr) {
    return c.reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  }
  const bool yes = equal_ignoring_case(c.argv[2], "yes");
  if (!yes && !equal_ignoring_case(c.argv[2], "no")) return c.reply.error(command::kSyntaxError);
  if (yes && !mode->opt_in) {
    return c.reply.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (!yes && !mode->opt_out) {
    return c.reply.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  mode->caching = true;
  c.reply.ok();
}

int64_t redirection(const Session& session) {
  return session.tracking ? static_cast<int64_t>(session.tracking->redirect) : -1;
}

void getredir_command(Context& c) { c.reply.integer(redirection(c.session)); }

void trackinginfo_command(Context& c) {
  const TrackingMode* mode = c.session.tracking.get();
  std::vector<std::string_view> flags = {mode != nullptr ? "on" : "off"};
  if (mode != nullptr) {
    if (mode->broadcast) flags.push_back("bcast");
    if (mode->opt_in) flags.push_back("optin");
    if (mode->opt_in && mode->caching) flags.push_back("caching-yes");
    if (mode->opt_out) flags.push_back("optout");
    if (mode->opt_out && mode->caching) flags.push_back("caching-no");
    if (mode->no_loop) flags.push_back("noloop");
    if (mode->broken_redirect) flags.push_back("broken_redirect");
  }
  c.reply.map(3);
  c.reply.bulk("flags");
  c.reply.set(flags.size());
  for (const std::string_view flag : flags) c.reply.bulk(flag);
  c.reply.bulk("redirect");
  c.reply.integer(redirection(c.session));
  c.reply.bulk("prefixes");
  c.reply.array(mode != nullptr ? mode->prefixes.size() : 0);
  if (mode == nullptr) return;
  for (const std::string& prefix : mode->prefixes) c.reply.bulk(prefix);
}

constexpr Binding kBindings[] = {
    {"client|caching", caching_command},
    {"client|getredir", getredir_command},
    {"client|tracking", tracking_command},
    {"client|trackinginfo", trackinginfo_command},
};

}  // namespace

std::span<const Binding> client_tracking_bindings() { return kBindings; }

}  // namespace holdfast::family
