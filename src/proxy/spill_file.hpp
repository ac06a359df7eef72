// The unnamed file that a body's copy goes on in: written on offload's threads, a block at a time,
// and told of on the loop of its owner. Shared by the two: whoever lets go last closes it, never on
// the loop while another can (closing a long file takes its time).
// Invariants: at most one write is under way; what was reserved of the budget is given back exactly
// once, when the file is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "net/offload.hpp"
#include "proxy/plan.hpp"

namespace weir::proxy {

class spill_file {
 public:
  // Whom an ended write is told to, on the loop.
  class owner {
   public:
    // `error`: an errno, 0 when all of it was written. `block`: what was written, to be used again.
    virtual void written(int error, std::string block) = 0;

   protected:
    ~owner() = default;
  };

  spill_file(net::loop& home, net::offload& threads, const plan& p, owner& told);
  spill_file(const spill_file&) = delete;
  spill_file& operator=(const spill_file&) = delete;
  ~spill_file();

  // Of the budget on disk; false: there is not that much left.
  bool reserve(std::uint64_t bytes) noexcept;

  // Appends; the first one makes the file. Not before the last one was told of.
  static void write(std::shared_ptr<spill_file> f, std::string block);
  // Nothing more is told, and nothing more is done: the file goes as soon as no thread is in it.
  static void leave(std::shared_ptr<spill_file> f);

  int descriptor() const noexcept { return fd_; }          // once a write has been told of
  std::uint64_t size() const noexcept { return size_; }    // of what was given to write()

 private:
  int put(std::uint64_t at, const std::string& block) noexcept;
  static void tell(std::shared_ptr<spill_file> f, int error, std::string block);
  static void ended(std::shared_ptr<spill_file> f, int error, std::string block);

  net::offload& threads_;
  const std::shared_ptr<replay_budget> budget_;
  const std::string folder_;
  std::uint64_t reserved_ = 0, size_ = 0;   // the loop's
  owner* owner_;                            // the loop's; null: it left
  int fd_ = -1;                             // of the thread that writes; then of the loop
  std::mutex lock_;
  net::loop* home_;                         // under the lock; null: the owner left
};

}  // namespace weir::proxy
