// Commands on positions: sorted sets whose scores are geohashes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/geo_hash.h"
#include "family/lookup.h"
#include "family/sorted_set.h"

namespace holdfast::family {
namespace {

using store::SortedSet;

/// nullopt: the error is written.
std::optional<GeoPosition> read_position(Context& c, std::string_view longitude, std::string_view latitude) {
  const auto x = command::parse_double(longitude);
  const auto y = command::parse_double(latitude);
  if (!x || !y) {
    c.reply.error(command::kNotAFloat);
    return std::nullopt;
  }
  if (std::abs(*x) > kGeoLongitudeMax || std::abs(*y) > kGeoLatitudeMax) {
    c.reply.error(fmt::format("ERR invalid longitude,latitude pair {:f},{:f}", *x, *y));
    return std::nullopt;
  }
  return GeoPosition{*x, *y};
}

/// Metres per unit; nullopt: the error is written.
std::optional<double> read_unit(Context& c, std::string_view word) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
  for (const auto& [name, metres] : kUnits) {
    if (equal_ignoring_case(name, word)) return metres;
  }
  c.reply.error("ERR unsupported unit provided. please use M, KM, FT, MI");
  return std::nullopt;
}

void geoadd_command(Context& c) {
  size_t first = 2;
  bool only_new = false;
  bool only_existing = false;
  for (; first < c.argv.size(); ++first) {
    if (equal_ignoring_case(c.argv[first], "nx")) {
      only_new = true;
    } else if (equal_ignoring_case(c.argv[first], "xx")) {
      only_existing = true;
    } else if (!equal_ignoring_case(c.argv[first], "ch")) {
      break;
    }
  }
  if ((c.argv.size() - first) % 3 != 0 || (only_new && only_existing)) return c.reply.error(command::kSyntaxError);
  std::vector<std::string> words(c.argv.begin(), c.argv.begin() + static_cast<std::ptrdiff_t>(first));
  words[0] = "ZADD";
  for (size_t i = first; i < c.argv.size(); i += 3) {
    const auto position = read_position(c, c.argv[i], c.argv[i + 1]);
    if (!position) return;
    words.push_back(std::to_string(geo_encode(*position)));
    words.emplace_back(c.argv[i + 2]);
  }
  const std::vector<std::string_view> argv(words.begin(), words.end());
  const auto own = std::exchange(c.argv, argv);
  add_members(c);
  c.argv = own;
  if (c.dirty > 0) c.replace_effect(std::move(words));
}

// Single positions.

void reply_position(Context& c, GeoPosition position) {
  c.reply.array(2);
  for (const double value : {position.longitude, position.latitude}) {
    const std::string text = command::format_long_double(value);
    c.reply.version() == 2 ? c.reply.bulk(text) : c.reply.raw("," + text + "\r\n");
  }
}

/// Calls `answer` with each member's position, or nullopt for those that are not there.
template <typename Answer>
void for_each_position(Context& c, Answer answer) {
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  c.reply.array(c.argv.size() - 2);
  for (const std::string_view member : c.argv.subspan(2)) {
    const auto score = set == nullptr ? std::nullopt : set->score(member);
    answer(score ? std::optional<GeoPosition>(geo_decode(*score)) : std::nullopt);
  }
}

void geopos_command(Context& c) {
  for_each_position(c, [&](const std::optional<GeoPosition>& position) {
    position ? reply_position(c, *position) : c.reply.null_array();
  });
}

void geohash_command(Context& c) {
  for_each_position(c, [&](const std::optional<GeoPosition>& position) {
    position ? c.reply.bulk(geo_text(*position)) : c.reply.null();
  });
}

void geodist_command(Context& c) {
  std::optional<double> unit = 1;
  if (c.argv.size() > 5) return c.reply.error(command::kSyntaxError);
  if (c.argv.size() == 5) unit = read_unit(c, c.argv[4]);
  if (!unit) return;
  bool wrong = false;
  const SortedSet* set = sorted_set_for_reading(c, c.key(c.argv[1]), wrong);
  if (wrong) return;
  const auto first = set == nullptr ? std::nullopt : set->score(c.argv[2]);
  const auto second = set == nullptr ? std::nullopt : set->score(c.argv[3]);
  if (!first || !second) return c.reply.null();
  c.reply.bulk(fmt::format("{:.4f}", geo_distance(geo_decode(*first), geo_decode(*second)) / *unit));
}

// Searching.

enum class SearchForm : uint8_t { kAround, kAroundMember, kSearch, kSearchStore };

struct Search {
  SearchForm form = SearchForm::kSearch;
  bool may_store = false;
  const SortedSet* set = nullptr;
  GeoArea area;
  double unit = 1;
  bool has_member = false;
  bool has_position = false;
  bool has_radius = false;
  bool has_box = false;
  bool with_distance = false;
  bool with_hash = false;
  bool with_position = false;
  bool any = false;
  bool ascending = false;
  bool descending = false;
  int64_t count = 0;
  std::optional<std::string_view> store;
  bool store_distance = false;

  bool is_search() const { return form == SearchForm::kSearch || form == SearchForm::kSearchStore; }
};

struct Found {
  std::string member;
  double score = 0;
  GeoPosition position;
  double distance = 0;
};

// These read a part of a request; false: the error is written.

bool read_member_position(Context& c, std::string_view member, Search& search) {
  search.has_member = true;
  if (search.set == nullptr) return true;  // options are checked all the same
  const auto score = search.set->score(member);
  if (!score) {
    c.reply.error("ERR could not decode requested zset member");
    return false;
  }
  search.area.center = geo_decode(*score);
  return true;
}

bool read_radius(Context& c, std::string_view radius, std::string_view unit, Search& search) {
  const auto value = command::parse_double(radius);
  if (!value || *value < 0) {
    c.reply.error(value ? "ERR radius cannot be negative" : "ERR need numeric radius");
    return false;
  }
  const auto metres = read_unit(c, unit);
  if (!metres) return false;
  search.unit = *metres;
  search.area.radius = *value * *metres;
  search.has_radius = true;
  return true;
}

bool read_box(Context& c, std::string_view width, std::string_view height, std::string_view unit, Search& search) {
  const auto w = command::parse_double(width);
  const auto h = command::parse_double(height);
  if (!w || !h || *w < 0 || *h < 0) {
    c.reply.error(!w ? "ERR need numeric width"
                     : (!h ? "ERR need numeric height" : "ERR height or width cannot be negative"));
    return false;
  }
  const auto metres = read_unit(c, unit);
  if (!metres) return false;
  search.unit = *metres;
  search.area.radius = -1;
  search.area.width = *w * *metres;
  search.area.height = *h * *metres;
  search.has_box = true;
  return true;
}

bool read_flag(command::Args& args, Search& search) {
  struct Flag {
    std::string_view word;
    bool Search::* field;
  };
  static constexpr Flag kFlags[] = {{"withdist", &Search::with_distance},
                                    {"withhash", &Search::with_hash},
                                    {"withcoord", &Search::with_position},
                                    {"any", &Search::any}};
  for (const Flag& flag : kFlags) {
    if (args.take(flag.word)) return search.*flag.field = true;
  }
  return false;
}

bool read_order(command::Args& args, Search& search) {
  const bool ascending = args.take("asc");
  if (!ascending && !args.take("desc")) return false;
  search.ascending = ascending;
  search.descending = !ascending;
  return true;
}

bool read_count(Context& c, command::Args& args, Search& search) {
  search.count = args.integer();
  if (!args.failed() && search.count <= 0) args.fail("ERR COUNT must be > 0");
  if (args.failed()) c.reply.error(args.error());
  return !args.failed();
}

bool read_search_options(Context& c, size_t first, Search& search) {
  command::Args args = c.args(first);
  const bool by_options = search.is_search();
  while (args.more()) {
    if (read_order(args, search) || read_flag(args, search)) continue;
    bool good = true;
    if (args.left() >= 2 && args.take("count")) {
      good = read_count(c, args, search);
    } else if (args.left() >= 2 && search.may_store && !by_options && args.take("store")) {
      search.store = args.next();
      search.store_distance = false;
    } else if (args.left() >= 2 && search.may_store && !by_options && args.take("storedist")) {
      search.store = args.next();
      search.store_distance = true;
    } else if (search.form == SearchForm::kSearchStore && args.take("storedist")) {
      search.store_distance = true;
    } else if (args.left() >= 2 && by_options && !search.has_position && args.take("frommember")) {
      good = read_member_position(c, args.next(), search);
    } else if (args.left() >= 3 && by_options && !search.has_member && args.take("fromlonlat")) {
      const std::string_view longitude = args.next();
      const auto position = read_position(c, longitude, args.next());
      good = position.has_value();
      if (good) search.area.center = *position;
      search.has_position = true;
    } else if (args.left() >= 3 && by_options && !search.has_box && args.take("byradius")) {
      const std::string_view radius = args.next();
      good = read_radius(c, radius, args.next(), search);
    } else if (args.left() >= 4 && by_options && !search.has_radius && args.take("bybox")) {
      const std::string_view width = args.next();
      const std::string_view height = args.next();
      good = read_box(c, width, height, args.next(), search);
    } else {
      c.reply.error(command::kSyntaxError);
      good = false;
    }
    if (!good) return false;
  }
  return true;
}

/// What contradicts itself in a request whose words were all understood.
std::string contradiction(const Context& c, const Search& search) {
  if (search.store && (search.with_distance || search.with_hash || search.with_position)) {
    return fmt::format("ERR {} is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                       search.form == SearchForm::kSearchStore ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
  }
  if (search.is_search() && !search.has_member && !search.has_position) {
    return fmt::format("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}", c.argv[0]);
  }
  if (search.is_search() && !search.has_radius && !search.has_box) {
    return fmt::format("ERR exactly one of BYRADIUS and BYBOX can be specified for {}", c.argv[0]);
  }
  return search.any && search.count == 0 ? "ERR the ANY argument requires COUNT argument" : "";
}

std::vector<Found> find_members(const Search& search) {
  std::vector<Found> found;
  const size_t limit = search.any ? static_cast<size_t>(search.count) : SIZE_MAX;
  for (const GeoRange& range : geo_cover(search.area)) {
    if (found.size() >= limit) break;
    const size_t first = search.set->count_below(static_cast<double>(range.min), false);
    const size_t end = search.set->count_below(static_cast<double>(range.max), false);
    if (first >= end) continue;
    search.set->for_each(first, end - 1, [&](std::string_view member, double score) {
      double distance = 0;
      const GeoPosition position = geo_decode(score);
      if (search.area.contains(position, distance)) {
        found.push_back({std::string(member), score, position, distance / search.unit});
      }
      return found.size() < limit;
    });
  }
  // COUNT means the nearest, unless ANY will do.
  const bool ascending = search.ascending || (search.count > 0 && !search.descending && !search.any);
  if (ascending) {
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.distance < b.distance; });
  } else if (search.descending) {
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.distance > b.distance; });
  }
  if (search.count > 0 && found.size() > static_cast<uint64_t>(search.count)) {
    found.resize(static_cast<size_t>(search.count));
  }
  return found;
}

void reply_found(Context& c, const Search& search, const std::vector<Found>& found) {
  const size_t extras = static_cast<size_t>(search.with_distance) + search.with_hash + search.with_position;
  c.reply.array(found.size());
  for (const Found& one : found) {
    if (extras > 0) c.reply.array(extras + 1);
    c.reply.bulk(one.member);
    if (search.with_distance) c.reply.bulk(fmt::format("{:.4f}", one.distance));
    if (search.with_hash) c.reply.integer(static_cast<int64_t>(one.score));
    if (search.with_position) reply_position(c, one.position);
  }
}

void store_found(Context& c, const Search& search, const std::vector<Found>& found) {
  std::vector<ScoredMember> members;
  for (const Found& one : found) members.push_back({one.member, search.store_distance ? one.distance : one.score});
  store_sorted_set(c, *search.store, members, search.is_search() ? "geosearchstore" : "georadiusstore");
}

void search_generic(Context& c, SearchForm form, bool may_store) {
  Search search;
  search.form = form;
  search.may_store = may_store;
  const size_t at = form == SearchForm::kSearchStore ? 2 : 1;
  if (form == SearchForm::kSearchStore) search.store = c.argv[1];
  bool wrong = false;
  search.set = sorted_set_for_reading(c, c.key(c.argv[at]), wrong);
  if (wrong) return;
  size_t options = at + 1;
  if (form == SearchForm::kAround) {
    const auto position = read_position(c, c.argv[2], c.argv[3]);
    if (!position || !read_radius(c, c.argv[4], c.argv[5], search)) return;
    search.area.center = *position;
    options = 6;
  } else if (form == SearchForm::kAroundMember) {
    // COMPAT: without the key, member, radius and unit are not looked at.
    if (search.set != nullptr &&
        (!read_member_position(c, c.argv[2], search) || !read_radius(c, c.argv[3], c.argv[4], search))) {
      return;
    }
    options = 5;
  }
  if (!read_search_options(c, options, search)) return;
  const std::string error = contradiction(c, search);
  if (!error.empty()) return c.reply.error(error);
  const std::vector<Found> found = search.set == nullptr ? std::vector<Found>() : find_members(search);
  search.store ? store_found(c, search, found) : reply_found(c, search, found);
}

void georadius_command(Context& c) { search_generic(c, SearchForm::kAround, true); }
void georadius_ro_command(Context& c) { search_generic(c, SearchForm::kAround, false); }
void georadiusbymember_command(Context& c) { search_generic(c, SearchForm::kAroundMember, true); }
void georadiusbymember_ro_command(Context& c) { search_generic(c, SearchForm::kAroundMember, false); }
void geosearch_command(Context& c) { search_generic(c, SearchForm::kSearch, false); }
void geosearchstore_command(Context& c) { search_generic(c, SearchForm::kSearchStore, true); }

constexpr Binding kBindings[] = {
    {"geoadd", geoadd_command},
    {"geodist", geodist_command},
    {"geohash", geohash_command},
    {"geopos", geopos_command},
    {"georadius", georadius_command},
    {"georadius_ro", georadius_ro_command},
    {"georadiusbymember", georadiusbymember_command},
    {"georadiusbymember_ro", georadiusbymember_ro_command},
    {"geosearch", geosearch_command},
    {"geosearchstore", geosearchstore_command},
};

}  // namespace

std::span<const Binding> geo_bindings() { return kBindings; }

}  // namespace holdfast::family
