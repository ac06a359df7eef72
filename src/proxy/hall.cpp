#include "proxy/hall.hpp"

#include <malloc.h>
#include <openssl/rand.h>
#include <time.h>

#include <cstring>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "http/structured.hpp"
#include "proxy/exchange.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t exchanges_kept = 1024;
constexpr std::size_t buffers_kept = 64;
constexpr std::size_t worth_telling_bytes = 1 << 20;   // the C library to give pages back

using base::each_byte;

// Eight hex digits of four bytes: each nibble gets a byte of its own, all at once.
std::uint64_t hex_digits(std::uint32_t bytes) noexcept {
  std::uint64_t n = bytes;
  n = (n | n << 16) & 0x0000ffff0000ffff;
  n = (n | n << 8) & 0x00ff00ff00ff00ff;
  n = (n | n << 4) & each_byte(0x0f);
  // 1 where the nibble is over 9.
  const std::uint64_t letters = ((n + each_byte(6)) >> 4) & each_byte(1);
  return n + each_byte('0') + letters * ('a' - '0' - 10);
}

}  // namespace

hall::hall(net::loop& l, telemetry::access_log* access, std::uint64_t tenant_seed,
           const relay_sizes& sizes)
    : loop(l), shard(l.index()), log(access), offload(sizes.offload), seed(tenant_seed),
      waiting(l.index()),
      relays{net::buffer_pool(sizes.buffer_bytes, buffers_kept), net::pipe_pool(sizes.pipes_max)},
      exchanges_(exchanges_kept) {}

hall::~hall() = default;

std::unique_ptr<exchange> hall::take_exchange() {
  if (exchanges_.empty()) return std::make_unique<exchange>(*this);
  return exchanges_.take();
}

void hall::give_back(std::unique_ptr<exchange> x) {
  x->input.release();
  x->copy.stop();
  x->plan.reset();
  exchanges_.give(std::move(x));
}

void hall::trim() {
  relays.pipes.trim();
  const std::size_t freed = heads.trim() + relays.buffers.trim() + net::trim_frames() +
                            exchanges_.trim() * sizeof(exchange);
  if (freed >= worth_telling_bytes) ::malloc_trim(0);
}

hall::batch_id hall::random_id() {
  if (random_used_ == random_.size()) {
    auto* const bytes = reinterpret_cast<unsigned char*>(random_.data());
    WEIR_CHECK(RAND_bytes(bytes, static_cast<int>(sizeof random_)) == 1);
    random_used_ = 0;
  }
  batch_id id;
  for (std::size_t i = 0; i < id.size(); i += 8) {
    const std::uint64_t digits = hex_digits(random_[random_used_++]);
    std::memcpy(&id[i], &digits, 8);
  }
  return id;
}

std::int64_t hall::wall_ms() const noexcept {
  timespec t;
  clock_gettime(CLOCK_REALTIME_COARSE, &t);
  return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

std::string_view hall::http_date() noexcept {
  const std::int64_t second = wall_ms() / 1000;
  if (std::exchange(dated_second_, second) != second) date_ = http::make_http_date(second).view();
  return date_;
}

}  // namespace weir::proxy
