// When a callback that was not delivered is tried again, and which receivers are left alone for
// now: one that does not answer, or says Retry-After, is not called again for each of the callbacks
// that wait for it. Pure; times are Unix milliseconds, jitter comes from the seed.
// Invariant: what is kept is one small record for each origin whose last delivery failed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "scale/outbox.hpp"
#include "store/records.hpp"

namespace weir::app {

class callback_pace {
 public:
  callback_pace(scale::outbox_settings settings, base::duration give_up, std::uint64_t seed)
      : settings_(settings), give_up_(give_up), random_(seed) {}

  // While its receiver is left alone: when this callback, of a batch that ended then, should be
  // looked at again. An older one waits longer: a million of them must not be moved each minute.
  std::optional<store::unix_ms> postponed(const std::string& origin, store::unix_ms batch_ended,
                                          store::unix_ms now);
  void delivered(const std::string& origin) { silent_.erase(origin); }
  // Its `tries`th try failed. When to try again; nothing: it is given up.
  std::optional<store::unix_ms> failed(const std::string& origin, unsigned tries,
                                       store::unix_ms batch_ended,
                                       const scale::attempt_result& how, store::unix_ms now);

 private:
  struct silence {
    unsigned failures = 0;
    store::unix_ms until = 0;
  };
  store::unix_ms backoff(unsigned failures);

  const scale::outbox_settings settings_;
  const base::duration give_up_;
  base::random random_;
  std::map<std::string, silence> silent_;
};

}  // namespace weir::app
