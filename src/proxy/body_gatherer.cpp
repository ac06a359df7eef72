#include "proxy/body_gatherer.hpp"

#include <utility>

#include "store/checksum.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t block_bytes = 256 * 1024;   // written at once

}  // namespace

// A file under way. The writing thread and the loop take turns: nobody writes while `home` reads.
struct body_gatherer::target {
  body_gatherer* home;                    // null: nobody waits for it any more; the loop's
  std::optional<store::spool::writer> file;
};

body_gatherer::body_gatherer(net::loop& l, net::offload& writers)
    : loop_(l), writers_(writers), room_(l) {}

body_gatherer::~body_gatherer() { drop(); }

void body_gatherer::begin(store::spool& files, limits most) {
  drop();
  files_ = &files;
  limits_ = most;
  failure_.reset();
  size_ = 0;
  too_large_ = false;
  room_.reset();
}

// A file that was not finished goes where it can block, with the last that holds it.
void body_gatherer::drop() noexcept {
  bytes_.clear();
  if (bytes_.capacity() > 4096) bytes_.shrink_to_fit();
  writing_ = false;
  if (!file_) return;
  file_->home = nullptr;
  writers_.post([gone = std::exchange(file_, nullptr)] {});
}

bool body_gatherer::no_room() const noexcept { return writing_ && bytes_.size() >= block_bytes; }

void body_gatherer::keep(std::string_view bytes) {
  if (!keeping()) return;
  size_ += bytes.size();
  if (size_ > limits_.bytes_max) {
    too_large_ = true;
    return drop();
  }
  bytes_.append(bytes);
  if (!file_ && size_ <= limits_.inline_bytes_max) return;
  if (!file_) file_ = std::make_shared<target>(target{this, std::nullopt});
  if (!writing_ && bytes_.size() >= block_bytes) write_block();
}

void body_gatherer::write_block() {
  writing_ = true;
  writers_.post([to = file_, files = files_, &home = loop_, block = std::exchange(bytes_, {})] {
    std::optional<store::failure> failed;
    if (!to->file) {
      auto made = files->create();
      if (made) to->file.emplace(std::move(*made));
      else failed = made.error();
    }
    if (!failed) {
      if (const auto done = to->file->write(block); !done) failed = done.error();
    }
    home.post([to, failed = std::move(failed)] { written(to, failed); });
  });
}

void body_gatherer::written(const std::shared_ptr<target>& to,
                            std::optional<store::failure> failed) {
  if (!to->home) return;
  body_gatherer& g = *to->home;
  g.writing_ = false;
  if (failed) {
    g.failure_ = std::move(failed);
    g.drop();
  } else if (g.bytes_.size() >= block_bytes) {
    g.write_block();
  }
  g.room_.ring();
}

net::task<store::outcome<store::payload>> body_gatherer::finish() {
  while (writing_) co_await room_;
  if (file_ && !failure_ && !bytes_.empty()) {
    write_block();
    while (writing_) co_await room_;
  }
  if (failure_) co_return *failure_;
  if (file_) {
    auto close = [to = std::exchange(file_, nullptr)] { return to->file->finish(); };
    auto done = co_await writers_.run(loop_, std::move(close));
    co_return done;
  }
  store::payload p;
  p.size = bytes_.size();
  p.crc = store::checksum().bytes(bytes_).value();
  p.bytes = std::exchange(bytes_, {});
  co_return p;
}

}  // namespace weir::proxy
