// The chance of a simulation: one generator a purpose (arrivals, sizes, speeds, estimates ...), so
// that worlds which differ in one thing are alike in all others. xoshiro256** (Blackman and Vigna,
// "Scrambled linear pseudorandom number generators", ACM TOMS 2021), seeded by splitmix64 (Steele,
// Lea, Flood 2014). The standard library's distributions differ between libraries: these are ours.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace weir::sim {

class random {
 public:
  // `stream` names a purpose: those of one seed are independent of each other.
  explicit random(std::uint64_t seed, std::uint64_t stream = 0) noexcept {
    std::uint64_t from = mixed(seed) ^ mixed(stream + 0x632be59bd9b4e019);
    for (std::uint64_t& s : state_) s = mixed(from += 0x9e3779b97f4a7c15);
  }

  std::uint64_t next() noexcept {
    const std::uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return out;
  }

  // From [0, 1).
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }

  double exponential(double mean) noexcept { return -std::log(1 - uniform()) * mean; }

  // By inversion: density ~ x^-(alpha + 1) between `low` and `high`.
  double bounded_pareto(double alpha, double low, double high) noexcept {
    const double tail = std::pow(low / high, alpha);
    return low * std::pow(1 - uniform() * (1 - tail), -1 / alpha);
  }

  // Mean 0, deviation 1 (Box and Muller 1958). Draws two numbers each time, keeps nothing.
  double normal() noexcept {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  // From 0 .. n - 1, n > 0 (Lemire 2019, without the rejection: a bias of n / 2^64).
  std::uint64_t below(std::uint64_t n) noexcept {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<wide>(next()) * n) >> 64);
  }

 private:
  static std::uint64_t mixed(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_[4];
};

}  // namespace weir::sim
