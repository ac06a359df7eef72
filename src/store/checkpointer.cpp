#include "store/checkpointer.hpp"

#include <sqlite3.h>

#include <utility>

namespace weir::store {

outcome<std::unique_ptr<checkpointer>> checkpointer::start(const std::string& path,
                                                           const char* vfs) {
  auto db = database::open(path, vfs);
  if (!db) return db.error();
  // A connection that has read nothing knows of no log.
  if (auto read = db->number("SELECT count(*) FROM sqlite_master"); !read) return read.error();
  std::unique_ptr<checkpointer> made(new checkpointer(std::move(*db)));
  made->thread_ = std::thread([c = made.get()] { c->run(); });
  return made;
}

checkpointer::~checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  sqlite3_interrupt(db_.handle());
  thread_.join();
}

void checkpointer::ask() {
  busy_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
  }
  wake_.notify_one();
}

// What a pass could not do, the store's thread or the next pass does.
void checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return asked_ || closing_; });
    if (closing_) return;
    asked_ = false;
    lock.unlock();
    sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    busy_.store(false, std::memory_order_release);
    lock.lock();
  }
}

}  // namespace weir::store
