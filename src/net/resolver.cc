#include "net/resolver.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "net/mailbox.h"
#include "net/socket.h"

namespace holdfast::net {
namespace {
constexpr size_t kThreads = 4;
constexpr size_t kQueueMax = 1024;
}  // namespace

struct Resolver::State {
  struct Question {
    JobId job{};
    std::string host;
  };
  std::mutex mutex;
  std::condition_variable more;
  std::deque<Question> questions;
  size_t threads = 0;
  size_t idle = 0;
  bool over = false;
  Mailbox<Answer> answers;
};

Resolver::Resolver() : state_(std::make_shared<State>()) {}

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->over = true;
  state_->more.notify_all();
}

int Resolver::descriptor() const { return state_->answers.descriptor(); }

std::vector<Resolver::Answer> Resolver::take() { return state_->answers.take(); }

void Resolver::look_up(JobId job, std::string host) {
  std::unique_lock lock(state_->mutex);
  if (state_->questions.size() >= kQueueMax) {
    lock.unlock();
    state_->answers.put({job, {}});
    return;
  }
  state_->questions.push_back({job, std::move(host)});
  if (state_->idle < state_->questions.size() && state_->threads < kThreads) {
    ++state_->threads;
    std::thread(work, state_).detach();
  }
  state_->more.notify_one();
}

void Resolver::work(std::shared_ptr<State> state) {
  std::unique_lock lock(state->mutex);
  while (true) {
    ++state->idle;
    state->more.wait(lock, [&] { return state->over || !state->questions.empty(); });
    --state->idle;
    if (state->over) return;
    State::Question question = std::move(state->questions.front());
    state->questions.pop_front();
    lock.unlock();
    state->answers.put({question.job, look_up_blocking(question.host)});
    lock.lock();
  }
}

}  // namespace holdfast::net
