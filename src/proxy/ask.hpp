// From a loop's coroutine to the store and back: the engine answers on a thread of its own, the
// coroutine goes on here. The coroutine must stay until it is answered, which the engine promises.
#pragma once

#include <optional>
#include <utility>

#include "net/loop.hpp"
#include "net/task.hpp"
#include "store/engine.hpp"

namespace weir::proxy {

// `start` gets the callback to hand to the engine.
template <class T, class Start>
net::task<store::outcome<T>> ask(net::loop& home, Start start) {
  std::optional<store::outcome<T>> answer;
  net::signal answered(home);
  // Both are in this frame, which stays until the post below has rung.
  start(store::done<T>([&](store::outcome<T> got) {
    answer.emplace(std::move(got));
    home.post([&answered] { answered.ring(); });
  }));
  co_await answered;
  co_return std::move(*answer);
}

}  // namespace weir::proxy
