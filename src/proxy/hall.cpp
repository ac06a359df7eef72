#include "proxy/hall.hpp"

#include <malloc.h>
#include <openssl/rand.h>
#include <time.h>

#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "http/structured.hpp"
#include "proxy/exchange.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t exchanges_kept = 1024;
constexpr std::size_t buffers_kept = 64;
constexpr std::size_t worth_telling_bytes = 1 << 20;   // the C library to give pages back

constexpr std::array<char, 512> make_hex_pairs() {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = digits[byte >> 4];
    pairs[2 * byte + 1] = digits[byte & 15];
  }
  return pairs;
}
constexpr std::array<char, 512> hex_pairs = make_hex_pairs();

}  // namespace

hall::hall(net::loop& l, telemetry::access_log* access, std::uint64_t tenant_seed,
           const relay_sizes& sizes)
    : loop(l), shard(l.index()), log(access), seed(tenant_seed), waiting(l.index()),
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

void hall::write_random_hex(char* out, std::size_t digits) {
  for (std::size_t i = 0; i < digits; i += 2) {
    if (random_used_ == random_.size()) {
      WEIR_CHECK(RAND_bytes(random_.data(), static_cast<int>(random_.size())) == 1);
      random_used_ = 0;
    }
    std::memcpy(out + i, &hex_pairs[2 * random_[random_used_++]], 2);
  }
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
