#include "server/suspended.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <csignal>

#include "base/assert.h"
#include "base/text.h"
#include "family/scripting.h"
#include "server/engine.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace holdfast::server {

namespace {
constexpr size_t kStackBytes = size_t{8} << 20;  // reserved; pages are used as a script nests
constexpr uint64_t kInstructionsPerSlice = 40'000;
namespace context = boost::context;
}  // namespace

/// The worker's stack and the two ends of the switch between it and the caller.
struct Suspended::Stack {
  context::fiber worker;
  context::fiber caller;
#if defined(__SANITIZE_ADDRESS__)
  const void* worker_bottom = nullptr;
  size_t worker_size = 0;
  const void* caller_bottom = nullptr;
  size_t caller_size = 0;
  void* caller_fake = nullptr;
  void* worker_fake = nullptr;
#endif
};

Suspended::Suspended(Engine& engine) : engine_(engine), stack_(std::make_unique<Stack>()) {}

Suspended::~Suspended() = default;

void Suspended::abandon() {
  while (active_) {
    engine_.state_.running_script->killed = true;
    done_ = false;
    switch_to_worker();
    if (done_) active_ = false;
  }
}

bool Suspended::may_stop(const family::Session& session, std::span<const std::string_view> argv) {
  // Asked of every request: two letters tell most others apart before the catalogue is looked at.
  const std::string_view name = argv[0];
  if (name.size() < 4) return false;
  const char first = to_lower(name[0]);
  const char second = to_lower(name[1]);
  if (first == 'e' && second == 'x') return session.transaction.open && equal_ignoring_case(name, "exec");
  if (!(first == 'e' && second == 'v') && !(first == 'f' && second == 'c')) return false;
  const command::SpecIndex index = command::find_command(name);
  return index != command::kNoSpec && family::runs_script(command::spec_at(index));
}

void Suspended::switch_to_worker() {
  if (!stack_->worker) {
    context::protected_fixedsize_stack allocator(kStackBytes);
#if defined(__SANITIZE_ADDRESS__)
    const context::stack_context memory = allocator.allocate();
    stack_->worker_size = memory.size;
    stack_->worker_bottom = static_cast<const char*>(memory.sp) - memory.size;
    const context::preallocated place(memory.sp, memory.size, memory);
#endif
    auto loop = [this](context::fiber&& caller) {
      stack_->caller = std::move(caller);
#if defined(__SANITIZE_ADDRESS__)
      __sanitizer_finish_switch_fiber(stack_->worker_fake, &stack_->caller_bottom, &stack_->caller_size);
#endif
      for (;;) {
        work();
        switch_to_caller();
      }
      return std::move(stack_->caller);
    };
#if defined(__SANITIZE_ADDRESS__)
    stack_->worker = context::fiber(std::allocator_arg, place, allocator, std::move(loop));
#else
    stack_->worker = context::fiber(std::allocator_arg, allocator, std::move(loop));
#endif
  }
  inside_ = true;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&stack_->caller_fake, stack_->worker_bottom, stack_->worker_size);
#endif
  stack_->worker = std::move(stack_->worker).resume();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(stack_->caller_fake, nullptr, nullptr);
#endif
  inside_ = false;
}

void Suspended::switch_to_caller() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&stack_->worker_fake, stack_->caller_bottom, stack_->caller_size);
#endif
  stack_->caller = std::move(stack_->caller).resume();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(stack_->worker_fake, &stack_->caller_bottom, &stack_->caller_size);
#endif
}

/// On the worker's stack: one request.
void Suspended::work() {
  const std::vector<std::string_view> argv(words_.begin(), words_.end());
  held_ = !engine_.dispatcher_.dispatch(engine_.dispatch_host(), *session_, argv, now_);
  done_ = true;
}

Suspended::Ran Suspended::run(family::Session& session, std::span<const std::string_view> argv, Now now) {
  if (active_) {  // held back or refused before any script could start
    const bool done = engine_.dispatcher_.dispatch(engine_.dispatch_host(), session, argv, now);
    return done ? Ran::kDone : Ran::kHeld;
  }
  HF_ASSERT(!inside_);
  session_ = &session;
  client_ = session.id;
  words_.assign(argv.begin(), argv.end());
  now_ = now;
  started_ = now.mono;
  spent_ = 0;
  done_ = held_ = false;
  switch_to_worker();
  if (done_) return held_ ? Ran::kHeld : Ran::kDone;
  active_ = true;
  session.suspended = true;
  return Ran::kStopped;
}

void Suspended::spend(uint32_t instructions) {
  if (!inside_) return;  // the stream of a primary, a file being loaded: nothing to go back to
  spent_ += instructions;
  if (spent_ < kInstructionsPerSlice) return;
  spent_ = 0;
  switch_to_caller();
}

void Suspended::go_on(Now now) {
  HF_ASSERT(active_ && !inside_);
  done_ = false;
  switch_to_worker();
  if (done_) return finish(now);
  const int64_t threshold = engine_.state_.settings.busy_reply_threshold_ms;
  if (!busy_ && threshold > 0 && now.mono - started_ >= from_ms(threshold)) turn_busy(now);
}

void Suspended::turn_busy(Now now) {
  busy_ = true;
  const family::RunningScript& running = *engine_.state_.running_script;
  engine_.log(
      LogLevel::kWarning,
      fmt::format("Slow script detected: still in execution after {} milliseconds. You can try killing the "
                  "script using the {} command. Script name is: {}.",
                  to_ms(now.mono - started_), running.is_function ? "FUNCTION KILL" : "SCRIPT KILL", running.name));
  engine_.release_paused(now);
}

void Suspended::finish(Now now) {
  active_ = busy_ = false;
  family::Session& session = *session_;
  session_ = nullptr;
  session.suspended = false;
  words_.clear();
  if (!session.closing) engine_.output_of(session);  // what was written since the turn it started in
  engine_.flush_effects(now);
  engine_.serve_blocked(now);
  if (held_ && !session.closing) engine_.hold(session);
  if (!session.closing && !session.blocked) {
    session.input.feed({});
    engine_.process_input(session, now);
  }
  engine_.release_paused(now);
  for (const DeferredInput& input : std::exchange(deferred_, {})) replay(input, now);
}

void Suspended::defer(DeferredInput input) {
  const bool insists = input.kind == DeferredInput::Kind::kSignal && input.number == SIGINT &&
                       std::any_of(deferred_.begin(), deferred_.end(), [](const DeferredInput& earlier) {
                         return earlier.kind == DeferredInput::Kind::kSignal && earlier.number == SIGINT;
                       });
  if (insists) {
    engine_.log(LogLevel::kWarning, "You insist... exiting now.");
    engine_.act(action::Exit{1});
    return;
  }
  deferred_.push_back(std::move(input));
}

void Suspended::let_jobs_through(Now now) {
  for (DeferredInput& input : std::exchange(deferred_, {})) {
    input.kind == DeferredInput::Kind::kJobDone ? replay(input, now) : deferred_.push_back(std::move(input));
  }
}

void Suspended::replay(const DeferredInput& input, Now now) {
  switch (input.kind) {
    case DeferredInput::Kind::kListening:
      return engine_.listening(input.listener, input.local, input.number, now);
    case DeferredInput::Kind::kConnected:
      return engine_.connected(input.conn, input.local, input.peer, now);
    case DeferredInput::Kind::kSecured:
      return engine_.secured(input.conn, {}, now);
    case DeferredInput::Kind::kReceived:
      if (family::Session* session = engine_.clients_.find(input.conn); session != nullptr && session->reading_paused) {
        session->reading_paused = false;
        engine_.act(action::PauseReading{input.conn, false});
      }
      return engine_.receive(input.conn, input.bytes, now);
    case DeferredInput::Kind::kDrained:
      return engine_.drained(input.conn, now);
    case DeferredInput::Kind::kFileData:
      return engine_.file_data(input.job, input.bytes, now);
    case DeferredInput::Kind::kJobDone:
      return engine_.job_done(input.job, input.number, now);
    case DeferredInput::Kind::kResolved:
      return engine_.resolved(input.job, input.addresses, now);
    case DeferredInput::Kind::kSignal:
      return engine_.signal(input.number, now);
  }
}

}  // namespace holdfast::server
