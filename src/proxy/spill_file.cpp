#include "proxy/spill_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "net/file.hpp"

namespace weir::proxy {

spill_file::spill_file(net::loop& home, net::offload& threads, const plan& p, owner& told)
    : threads_(threads), budget_(p.replay), folder_(p.replay_folder), owner_(&told), home_(&home) {}

spill_file::~spill_file() {
  if (fd_ >= 0) ::close(fd_);
  budget_->on_disk.fetch_sub(reserved_, std::memory_order_relaxed);
}

bool spill_file::reserve(std::uint64_t bytes) noexcept {
  const auto before = budget_->on_disk.fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes > budget_->disk_max) {
    budget_->on_disk.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  reserved_ += bytes;
  return true;
}

void spill_file::write(std::shared_ptr<spill_file> f, std::string block) {
  net::offload& threads = f->threads_;
  const std::uint64_t at = std::exchange(f->size_, f->size_ + block.size());
  threads.post([f = std::move(f), block = std::move(block), at]() mutable {
    const int error = f->put(at, block);
    tell(std::move(f), error, std::move(block));
  });
}

int spill_file::put(std::uint64_t at, const std::string& block) noexcept {
  if (fd_ < 0) fd_ = net::open_unnamed(folder_);
  return fd_ < 0 ? errno : net::write_at(fd_, at, block);
}

// The loop may be gone once the owner left: it is called under the lock that leave() takes.
void spill_file::tell(std::shared_ptr<spill_file> f, int error, std::string block) {
  const std::lock_guard held(f->lock_);
  if (!f->home_) return;
  f->home_->post([f, error, block = std::move(block)]() mutable {
    ended(std::move(f), error, std::move(block));
  });
}

void spill_file::ended(std::shared_ptr<spill_file> f, int error, std::string block) {
  if (f->owner_) f->owner_->written(error, std::move(block));
  if (!f->owner_) leave(std::move(f));
}

void spill_file::leave(std::shared_ptr<spill_file> f) {
  {
    const std::lock_guard held(f->lock_);
    f->home_ = nullptr;
  }
  f->owner_ = nullptr;
  net::offload& threads = f->threads_;
  threads.post([f = std::move(f)] {});
}

}  // namespace weir::proxy
