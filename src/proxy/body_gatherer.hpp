// Takes a body for the store as it comes: in memory up to a limit, beyond it in a spool file. Used
// for a durable batch's request and for its answer; keep() on the loop, finish() on a thread that
// may block. The first failure stands, and nothing more is kept after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/relay.hpp"
#include "store/spool.hpp"

namespace weir::proxy {

class body_gatherer final : public net::body_keeper {
 public:
  struct limits {
    std::uint64_t inline_bytes_max = 128 * 1024;
    std::uint64_t bytes_max = ~std::uint64_t{0};
  };

  // Forgets what there was; `files` must outlive it. Null: nothing beyond inline_bytes_max.
  void begin(store::spool* files, limits most);
  void keep(std::string_view bytes) override;
  // Durable, if it is a file. Used up by this.
  store::outcome<store::payload> finish();
  void drop() noexcept;                              // a file that was begun goes

  bool spooled() const noexcept { return file_.has_value(); }   // finish() will block
  bool too_large() const noexcept { return too_large_; }
  const std::optional<store::failure>& failure() const noexcept { return failure_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  bool spill();
  void write(std::string_view bytes);

  store::spool* files_ = nullptr;
  limits limits_;
  std::string bytes_;
  std::optional<store::spool::writer> file_;
  std::optional<store::failure> failure_;
  std::uint64_t size_ = 0;
  bool too_large_ = false;
};

}  // namespace weir::proxy
