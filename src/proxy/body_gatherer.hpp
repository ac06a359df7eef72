// Takes a body for the store as it comes: in memory up to a limit, beyond it in a spool file, which
// other threads write. Used for a durable batch's request and for its answer, on one loop. The
// first failure stands, and nothing more is kept after it.
// Invariant: one block is being written and one filled at most; the relay waits (full()) while both
// are taken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/offload.hpp"
#include "net/relay.hpp"
#include "store/spool.hpp"

namespace weir::proxy {

class body_gatherer final : public net::body_keeper {
 public:
  struct limits {
    std::uint64_t inline_bytes_max = 128 * 1024;
    std::uint64_t bytes_max = ~std::uint64_t{0};
  };

  body_gatherer(net::loop& l, net::offload& writers);
  ~body_gatherer();
  body_gatherer(const body_gatherer&) = delete;
  body_gatherer& operator=(const body_gatherer&) = delete;

  // Forgets what there was; `files` must outlive it.
  void begin(store::spool& files, limits most);
  void keep(std::string_view bytes) override;
  net::signal* full() noexcept override { return no_room() ? &room_ : nullptr; }
  bool keeping() const noexcept override { return !failure_ && !too_large_; }

  // All of it, durable if it is in a file. Used up by this.
  net::task<store::outcome<store::payload>> finish();
  bool too_large() const noexcept { return too_large_; }

 private:
  struct target;

  bool no_room() const noexcept;
  void drop() noexcept;
  void write_block();
  static void written(const std::shared_ptr<target>& to, std::optional<store::failure> failed);

  net::loop& loop_;
  net::offload& writers_;
  net::signal room_;
  store::spool* files_ = nullptr;
  limits limits_;
  std::string bytes_;                     // the body, or the block that is being filled
  std::shared_ptr<target> file_;          // null: all is in memory
  std::optional<store::failure> failure_;
  std::uint64_t size_ = 0;
  bool writing_ = false, too_large_ = false;
};

}  // namespace weir::proxy
