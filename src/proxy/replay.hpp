// A copy of a request's body for a later attempt, as far as it was read: in memory up to the limits
// of one batch and of all, beyond them in an unnamed file within the budget on disk. When that is
// used up too, or the disk fails, the copy is given up and the body streams on without the promise.
// Used by one exchange, on its loop; the budgets are shared between loops.
// Invariants: the copy is all in memory or all in the file (and on its way there); one block is
// being written and one filled at most; the relay waits (full()) while both are taken.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/relay.hpp"
#include "proxy/plan.hpp"
#include "proxy/spill_file.hpp"

namespace weir::proxy {

struct hall;

class replay_copy final : public net::body_keeper, private spill_file::owner {
 public:
  explicit replay_copy(hall& in);
  ~replay_copy() { stop(); }

  // `expected`: the body's bytes, when they are known; else 0.
  void start(const plan& p, std::uint64_t expected);
  void cease() noexcept;              // keeps nothing more; what a relay sends again of it stays
  void stop() noexcept;               // gives everything back

  void keep(std::string_view bytes) override;
  bool keeping() const noexcept override { return keeping_; }
  net::signal* full() noexcept override;

  std::string_view bytes() const noexcept { return bytes_; }   // what is in memory
  bool on_disk() const noexcept { return file_ != nullptr; }
  // What is on disk, once it is settled.
  net::body_source::file_part file() const noexcept;
  bool settled() const noexcept { return !file_ || (!writing_ && tail_.empty()); }
  // Waits until all of it is in the file; it may be given up meanwhile.
  net::task<void> settle();
  // Somebody waits for the disk: the relay for room, or settle().
  bool waits() const noexcept { return settling_ || no_room(); }
  void give_up_disk() noexcept;       // it takes too long
  void wake() { room_.ring(); }       // who waits looks around

 private:
  bool no_room() const noexcept;
  void written(int error, std::string block) override;
  bool take_memory(std::size_t n) noexcept;
  void keep_on_disk(std::string_view bytes);
  void move_to_disk(std::uint64_t more);
  void write_tail();
  void give_memory_back() noexcept;
  void give_up(const counter_ptr& limit) noexcept;
  void hit(const counter_ptr& limit) noexcept;

  hall& in_;
  net::signal room_;
  std::shared_ptr<replay_budget> budget_;
  const plan* plan_ = nullptr;        // of the exchange, which keeps it
  std::uint64_t expected_ = 0;
  std::uint64_t in_memory_ = 0;       // counted in the budget
  std::string bytes_;
  std::shared_ptr<spill_file> file_;
  std::string tail_, spare_;          // on disk: what is still to be written; a block to use again
  bool keeping_ = false, writing_ = false, settling_ = false;
};

}  // namespace weir::proxy
