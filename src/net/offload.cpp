#include "net/offload.hpp"

namespace weir::net {

offload::offload(unsigned threads) {
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

offload::~offload() {
  {
    const std::lock_guard held(lock_);
    closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void offload::post(std::function<void()> work) {
  {
    const std::lock_guard held(lock_);
    waiting_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void offload::serve() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock held(lock_);
      wake_.wait(held, [this] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace weir::net
