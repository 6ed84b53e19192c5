// Task: something to do later, of any callable type. Moved, never copied; does its thing when called.
#pragma once

#include <memory>
#include <utility>

namespace holdfast::sim {

template <typename... Arguments>
class Call {
 public:
  template <typename F>
  Call(F what) : body_(std::make_unique<Body<F>>(std::move(what))) {}  // implicit: lambdas are handed over as they are
  void operator()(Arguments... arguments) { body_->run(arguments...); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run(Arguments... arguments) = 0;
  };
  template <typename F>
  struct Body final : Base {
    explicit Body(F f) : what(std::move(f)) {}
    void run(Arguments... arguments) override { what(arguments...); }
    F what;
  };
  std::unique_ptr<Base> body_;
};

using Task = Call<>;

}  // namespace holdfast::sim
