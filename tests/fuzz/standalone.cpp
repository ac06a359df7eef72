// Runs a fuzz target without libFuzzer, so that every build and every sanitizer exercises it: each
// seed file of the folder given, then mutations of them from one printed seed.
//   x_fuzz_test FOLDER [RUNS [SEED]]
// A crash leaves its input in x_fuzz_test.last beside the program.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using bytes = std::vector<std::uint8_t>;
constexpr std::size_t input_bytes_max = 64 * 1024;

std::vector<bytes> read_seeds(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<bytes> seeds;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) seeds.push_back({});
  return seeds;
}

std::size_t position(const bytes& b, weir::base::random& rng) {
  return rng.below(static_cast<std::uint32_t>(b.size()) + 1);
}

void insert_byte(bytes& b, weir::base::random& rng) {
  const auto at = static_cast<std::ptrdiff_t>(position(b, rng));
  b.insert(b.begin() + at, static_cast<std::uint8_t>(rng.below(256)));
}

void change_byte(bytes& b, weir::base::random& rng) {
  if (!b.empty())
    b[rng.below(static_cast<std::uint32_t>(b.size()))] = static_cast<std::uint8_t>(rng.below(256));
}

void erase_run(bytes& b, weir::base::random& rng) {
  const std::size_t from = position(b, rng);
  const std::size_t to = std::min(b.size(), from + 1 + rng.below(16));
  if (from < to)
    b.erase(b.begin() + static_cast<std::ptrdiff_t>(from),
            b.begin() + static_cast<std::ptrdiff_t>(to));
}

// Copies a run of one seed into another: keeps the grammar's own words in play.
void splice(bytes& b, const bytes& other, weir::base::random& rng) {
  const std::size_t from = position(other, rng);
  const std::size_t to = std::min(other.size(), from + 1 + rng.below(64));
  const std::size_t at = position(b, rng);
  b.insert(b.begin() + static_cast<std::ptrdiff_t>(at),
           other.begin() + static_cast<std::ptrdiff_t>(std::min(from, to)),
           other.begin() + static_cast<std::ptrdiff_t>(to));
}

bytes mutate(const std::vector<bytes>& seeds, weir::base::random& rng) {
  const auto pick = [&]() -> const bytes& {
    return seeds[rng.below(static_cast<std::uint32_t>(seeds.size()))];
  };
  bytes b = pick();
  for (std::uint32_t n = 1 + rng.below(6); n > 0; --n) {
    switch (rng.below(4)) {
      case 0: insert_byte(b, rng); break;
      case 1: change_byte(b, rng); break;
      case 2: erase_run(b, rng); break;
      default: splice(b, pick(), rng); break;
    }
  }
  b.resize(std::min(b.size(), input_bytes_max));
  return b;
}

void run(const bytes& b, const std::string& last) {
  std::ofstream(last, std::ios::binary)
      .write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size()));
  LLVMFuzzerTestOneInput(b.data(), b.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string last = std::string(argv[0]) + ".last";
  const auto runs = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5000;
  const auto seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 20240607;
  std::printf("seed %llu, %llu runs, the input of a crash is in %s\n", seed, runs, last.c_str());
  std::fflush(stdout);
  const std::vector<bytes> seeds = read_seeds(argv[1]);
  for (const bytes& b : seeds) run(b, last);
  weir::base::random rng(seed);
  for (unsigned long long i = 0; i < runs; ++i) run(mutate(seeds, rng), last);
  std::filesystem::remove(last);
  return 0;
}
