// A request that waits for its answer and came with an Idempotency-Key that nobody else has: its
// fingerprint as the body passes, and the answer that is kept for those who send the key again.
// Owned by the coroutine that carries the exchange, on its loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/forward.hpp"
#include "net/relay.hpp"
#include "proxy/fingerprint.hpp"

namespace weir::proxy {

// Sees a body go by, beside whoever else keeps it.
class fingerprint_keeper final : public net::body_keeper {
 public:
  void keep(std::string_view bytes) override {
    print.bytes(bytes);
    if (next) next->keep(bytes);
  }
  net::signal* full() noexcept override { return next ? next->full() : nullptr; }
  // A body that came whole is sent again by every attempt, and seen once.
  void keep_whole(std::string_view bytes) {
    if (!std::exchange(seen_whole_, true)) print.bytes(bytes);
  }
  fingerprint print;
  net::body_keeper* next = nullptr;

 private:
  bool seen_whole_ = false;
};

class answer_copy final : public net::body_keeper {
 public:
  void keep(std::string_view bytes) override {
    too_large = too_large || text.size() + bytes.size() > bytes_max;
    too_large ? text.clear() : void(text.append(bytes));
  }
  std::uint64_t bytes_max = 0;
  std::string text;
  bool too_large = false;
};

struct keyed_run {
  store::digest scope{};
  fingerprint_keeper request;
  answer_copy answer;
  unsigned status = 0;            // of the worker's answer; 0: none was relayed
  std::string fields;
  bool whole = false;             // all of the answer was relayed

  void answer_begun(unsigned s, std::string_view head) {
    status = s;
    fields = http::end_to_end_lines(head);
  }
  net::body_keeper* answer_keeper() noexcept { return &answer; }
};

}  // namespace weir::proxy
