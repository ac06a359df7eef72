#include "proxy/body_gatherer.hpp"

#include <utility>

#include "store/checksum.hpp"

namespace weir::proxy {

void body_gatherer::begin(store::spool* files, limits most) {
  drop();
  files_ = files;
  limits_ = most;
  failure_.reset();
  size_ = 0;
  too_large_ = false;
}

void body_gatherer::drop() noexcept {
  file_.reset();
  bytes_.clear();
  if (bytes_.capacity() > 4096) bytes_.shrink_to_fit();
}

void body_gatherer::keep(std::string_view bytes) {
  if (failure_ || too_large_) return;
  size_ += bytes.size();
  const std::uint64_t most = files_ ? limits_.bytes_max : limits_.inline_bytes_max;
  if (size_ > most) {
    too_large_ = true;
    return drop();
  }
  if (!file_ && size_ <= limits_.inline_bytes_max) {
    bytes_.append(bytes);
    return;
  }
  if (file_ || spill()) write(bytes);
}

bool body_gatherer::spill() {
  auto made = files_->create();
  if (!made) {
    failure_ = made.error();
    drop();
    return false;
  }
  file_.emplace(std::move(*made));
  write(std::exchange(bytes_, {}));
  return file_.has_value();
}

void body_gatherer::write(std::string_view bytes) {
  if (const auto written = file_->write(bytes); !written) {
    failure_ = written.error();
    drop();
  }
}

store::outcome<store::payload> body_gatherer::finish() {
  if (failure_) return *failure_;
  if (file_) {
    auto done = file_->finish();
    file_.reset();
    return done;
  }
  store::payload p;
  p.size = bytes_.size();
  p.crc = store::checksum().bytes(bytes_).value();
  p.bytes = std::exchange(bytes_, {});
  return p;
}

}  // namespace weir::proxy
