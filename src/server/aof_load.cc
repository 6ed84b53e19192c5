#include "server/aof_load.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/saving.h"

namespace holdfast::server {
namespace {

using codec::aof::Reader;

constexpr std::string_view kRdbMagic = "REDIS";

double seconds_between(Mono from, Mono to) { return static_cast<double>((to - from).count()) / 1e6; }

}  // namespace

AofLoad::AofLoad(Engine& engine, AppendOnly& owner, bool again) : engine_(engine), owner_(owner), again_(again) {}
AofLoad::~AofLoad() = default;

std::string AofLoad::path(std::string_view name) const { return owner_.path(name); }

void AofLoad::ask(Step step, auto action) {
  step_ = step;
  job_ = action.job = engine_.next_job();
  engine_.act(std::move(action));
}

/// The process ends.
void AofLoad::fail(std::string text) {
  if (!text.empty()) engine_.log(LogLevel::kWarning, std::move(text));
  stop();
}

void AofLoad::stop() {
  stopped_ = true;
  engine_.exiting_ = true;
  engine_.act(action::Exit{1});
}

void AofLoad::start(Now now) {
  started_ = now.mono;
  engine_.state_.loading = true;
  ask(Step::kManifest, action::ReadFile{{}, owner_.manifest_path()});
}

bool AofLoad::file_data(JobId job, std::string_view bytes, Now now) {
  if (step_ == Step::kNone || job != job_) return false;
  if (stopped_) return true;
  if (step_ == Step::kFile) {
    take_bytes(bytes, now);
  } else {
    text_.append(bytes);
  }
  return true;
}

bool AofLoad::job_done(JobId job, int status, Now now) {
  if (step_ == Step::kNone || job != job_) return false;
  if (stopped_) return true;
  switch (step_) {
    case Step::kNone:
    case Step::kDone:
      return false;
    case Step::kManifest:
      manifest_read(status, now);
      return true;
    case Step::kOldFile:
    case Step::kOldFileMoved:
      old_file_found(status, now);
      return true;
    case Step::kUpgradeDirectory:
    case Step::kUpgradeManifest:
    case Step::kUpgradeRename:
      if (status == 0) {
        upgrade(now);
      } else if (step_ == Step::kUpgradeDirectory) {
        fail(fmt::format("Can't open or create append-only dir {}: {}", engine_.state_.settings.appenddirname,
                         error_text(status)));
      } else if (step_ == Step::kUpgradeManifest) {
        fail(fmt::format("Error trying to write the temporary AOF manifest file {}: {}", owner_.manifest_path(),
                         error_text(status)));
      } else {
        fail(fmt::format("Error trying to move the old AOF file {} into dir {}: {}",
                         engine_.state_.settings.appendfilename, engine_.state_.settings.appenddirname,
                         error_text(status)));
      }
      return true;
    case Step::kSizes:
      if (status != 0) {
        fail(fmt::format("Unable to obtain the AOF file {} length. stat: {}", name(), error_text(status)));
        return true;
      }
      sizes_.push_back(parse_uint64(text_).value_or(0));
      total_ += sizes_.back();
      ++index_;
      measure(now);
      return true;
    case Step::kFile:
      file_read(status, now);
      return true;
    case Step::kTruncate:
      if (status != 0) {
        engine_.log(LogLevel::kWarning,
                    fmt::format("Error truncating the AOF file {}: {}", name(), error_text(status)));
        cut_short(now);
      } else {
        engine_.log(LogLevel::kWarning,
                    fmt::format("AOF {} loaded anyway because aof-load-truncated is enabled", name()));
        if (!is_last()) {
          fail("Fatal error: the truncated file is not the last file");
        } else {
          sizes_[index_] = valid_up_to_;
          file_loaded(now);
        }
      }
      return true;
  }
  HF_UNREACHABLE();
}

// The list of files.

void AofLoad::manifest_read(int status, Now now) {
  const std::string text = std::exchange(text_, {});
  if (status != 0 && status != ENOENT && status != ENOTDIR) {
    return fail(fmt::format("Fatal error: can't open the AOF manifest file {} for reading: {}", owner_.manifest_path(),
                            error_text(status)));
  }
  if (status == 0) {
    auto manifest = codec::aof::parse_manifest(text);
    if (!manifest) {
      const codec::aof::ManifestError& error = manifest.error();
      engine_.log(LogLevel::kWarning, "\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
      if (error.line > 0) {
        engine_.log(LogLevel::kWarning, fmt::format("Reading the manifest file, at line {}\n", error.line));
        engine_.log(LogLevel::kWarning, fmt::format(">>> '{}'\n", error.text));
      }
      return fail(error.error + "\n");
    }
    manifest_ = std::move(*manifest);
  }
  if (!again_ && !owner_.reads_data_) {
    step_ = Step::kDone;
    return owner_.loaded(std::move(manifest_), {}, now);
  }
  const std::string& old_name = engine_.state_.settings.appendfilename;
  const bool listed = manifest_.base && manifest_.increments.empty() && manifest_.base->name == old_name;
  if (listed) return ask(Step::kOldFileMoved, action::StatFile{{}, path(old_name)});
  if (manifest_.empty()) return ask(Step::kOldFile, action::StatFile{{}, old_name});
  files_.clear();
  read_next(now);
}

/// A single file from before 7.0 becomes the base, if no upgrade has moved it yet.
void AofLoad::old_file_found(int status, Now now) {
  text_.clear();
  const std::string& old_name = engine_.state_.settings.appendfilename;
  if (step_ == Step::kOldFileMoved) {
    if (status != 0) return ask(Step::kOldFile, action::StatFile{{}, old_name});
    return read_next(now);
  }
  if (status != 0) return read_next(now);
  ask(Step::kUpgradeDirectory, action::MakeDirectory{{}, engine_.state_.settings.appenddirname});
}

/// Directory, manifest, then the move: whatever is interrupted is found again at the next start.
void AofLoad::upgrade(Now now) {
  const family::Settings& settings = engine_.state_.settings;
  if (step_ == Step::kUpgradeDirectory) {
    manifest_.base = codec::aof::File{settings.appendfilename, 1};
    manifest_.base_sequence = 1;
    return ask(Step::kUpgradeManifest,
               action::WriteFile{{}, owner_.manifest_path(), codec::aof::print_manifest(manifest_), 0644});
  }
  if (step_ == Step::kUpgradeManifest) {
    return ask(Step::kUpgradeRename, action::RenameFile{{}, settings.appendfilename, path(settings.appendfilename)});
  }
  engine_.log(LogLevel::kNotice, fmt::format("Successfully migrated an old-style AOF file ({}) into the AOF directory "
                                             "({}).",
                                             settings.appendfilename, settings.appenddirname));
  read_next(now);
}

/// Nothing is read before every listed file is known to be there.
void AofLoad::measure(Now now) {
  text_.clear();
  if (index_ < files_.size()) return ask(Step::kSizes, action::StatFile{{}, path(name())});
  index_ = 0;
  if (total_ == 0) index_ = files_.size();
  loaded_ = 0;
  engine_.saving_->begin_progress(total_, now);
  file_started_ = now.mono;
  read_next(now);
}

void AofLoad::read_next(Now now) {
  if (files_.empty() && !manifest_.empty()) {
    if (manifest_.base) files_.push_back(*manifest_.base);
    files_.insert(files_.end(), manifest_.increments.begin(), manifest_.increments.end());
    return measure(now);
  }
  if (index_ >= files_.size()) return finish(now);
  head_.clear();
  kind_known_ = false;
  base_.reset();
  reader_.reset();
  valid_up_to_ = before_multi_ = 0;
  session_ = std::make_unique<family::Session>();
  session_->role = family::Role::kPrimary;
  session_->authenticated = true;
  file_started_ = now.mono;
  if (sizes_[index_] == 0) return file_loaded(now);
  ask(Step::kFile, action::ReadFile{{}, path(name())});
}

// One file.

void AofLoad::take_bytes(std::string_view bytes, Now now) {
  loaded_ += bytes.size();
  engine_.saving_->note_progress(loaded_, now);
  if (base_) return take_base(bytes, now);
  if (kind_known_) return run(bytes, now);
  head_.append(bytes);
  if (head_.size() < kRdbMagic.size()) return;
  kind_known_ = true;
  const std::string head = std::exchange(head_, {});
  if (!head.starts_with(kRdbMagic)) {
    reader_.emplace();
    return run(head, now);
  }
  const bool old_style = name() == engine_.state_.settings.appendfilename;
  engine_.log(LogLevel::kNotice,
              old_style ? "Reading RDB preamble from AOF file..." : "Reading RDB base file on AOF loading...");
  base_ = engine_.saving_->make_loader(false, now);
  take_base(head, now);
}

void AofLoad::take_base(std::string_view bytes, Now now) {
  const auto status = base_->feed(bytes);
  if (status == persist::RdbLoader::Status::kNeedMore) return;
  for (std::string& line : base_->take_log()) engine_.log(LogLevel::kNotice, std::move(line));
  const bool old_style = name() == engine_.state_.settings.appendfilename;
  if (status == persist::RdbLoader::Status::kError) {
    engine_.log(LogLevel::kWarning, base_->error());
    return fail(old_style
                    ? fmt::format("Error reading the RDB preamble of the AOF file {}, AOF loading aborted", name())
                    : fmt::format("Error reading the RDB base file {}, AOF loading aborted", name()));
  }
  engine_.saving_->adopt(*base_);
  if (old_style) engine_.log(LogLevel::kNotice, "Reading the remaining AOF tail...");
  const std::string rest(base_->rest());
  valid_up_to_ = base_->consumed();
  reader_.emplace(valid_up_to_);
  base_.reset();
  run(rest, now);
}

void AofLoad::run(std::string_view bytes, Now now) {
  reader_->feed(bytes);
  while (!stopped_) {
    switch (reader_->next()) {
      case Reader::Status::kNeedMore:
        return;
      case Reader::Status::kAnnotation:
        break;
      case Reader::Status::kCommand:
        if (!run_one(now)) return;
        break;
      case Reader::Status::kFormatError:
        return end_of_commands(now);
    }
  }
}

bool AofLoad::run_one(Now now) {
  const auto& words = reader_->words();
  if (equal_ignoring_case(words[0], "multi")) before_multi_ = valid_up_to_;
  DispatchHost host = engine_.dispatch_host();
  host.propagating = false;
  if (!engine_.dispatcher_.replay(host, *session_, words, now)) {
    fail(fmt::format("Unknown command '{}' reading the append only file {}", words[0], name()));
    return false;
  }
  valid_up_to_ = reader_->consumed();
  return true;
}

void AofLoad::file_read(int status, Now now) {
  if (status == ENOENT) {
    return fail(fmt::format("The append log file {} doesn't exist: {}", name(), error_text(status)));
  }
  if (status != 0) {
    return fail(
        fmt::format("Fatal error: can't open the append log file {} for reading: {}", name(), error_text(status)));
  }
  if (base_) {
    base_->finish();
    engine_.log(LogLevel::kWarning, base_->error());
    return fail(fmt::format("Error reading the RDB base file {}, AOF loading aborted", name()));
  }
  if (!kind_known_) {
    reader_.emplace();
    run(std::exchange(head_, {}), now);
    if (stopped_) return;
  }
  end_of_commands(now);
}

void AofLoad::end_of_commands(Now now) {
  switch (reader_->finish()) {
    case Reader::End::kBroken:
      return fail(
          fmt::format("Bad file format reading the append only file {}: make a backup of your AOF file, then "
                      "use ./redis-check-aof --fix <filename.manifest>",
                      name()));
    case Reader::End::kShort:
      break;
    case Reader::End::kWhole:
      if (!session_->transaction.open) return file_loaded(now);
      engine_.log(LogLevel::kWarning, fmt::format("Revert incomplete MULTI/EXEC transaction in AOF file {}", name()));
      valid_up_to_ = before_multi_;
      break;
  }
  if (session_->transaction.open) valid_up_to_ = before_multi_;
  if (!engine_.state_.settings.aof_load_truncated) return cut_short(now);
  engine_.log(LogLevel::kWarning, fmt::format("!!! Warning: short read while loading the AOF file {}!!!", name()));
  engine_.log(LogLevel::kWarning, fmt::format("!!! Truncating the AOF {} at offset {} !!!", name(), valid_up_to_));
  ask(Step::kTruncate, action::TruncateFile{{}, path(name()), valid_up_to_});
}

void AofLoad::cut_short(Now) {
  fail(
      fmt::format("Unexpected end of file reading the append only file {}. You can: 1) Make a backup of your AOF "
                  "file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the "
                  "'aof-load-truncated' configuration option to yes and restart the server.",
                  name()));
}

void AofLoad::file_loaded(Now now) {
  if (sizes_[index_] > 0) {
    const bool is_base = index_ == 0 && manifest_.base.has_value();
    engine_.log(LogLevel::kNotice, fmt::format("DB loaded from {} file {}: {:.3f} seconds", is_base ? "base" : "incr",
                                               name(), seconds_between(file_started_, now.mono)));
  }
  ++index_;
  read_next(now);
}

void AofLoad::finish(Now now) {
  step_ = Step::kDone;
  if (!manifest_.empty()) {
    engine_.log(LogLevel::kNotice,
                fmt::format("DB loaded from append only file: {:.3f} seconds", seconds_between(started_, now.mono)));
  }
  owner_.loaded(std::move(manifest_), sizes_, now);
}

}  // namespace holdfast::server
