#include "config/nearest.hpp"

#include <algorithm>
#include <utility>

namespace weir::config {
namespace {

constexpr std::size_t word_max = 64;  // longer words are nobody's slip; bounds the work

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t least = word_max;
  if (word.size() > word_max) return best;
  for (const auto candidate : known) {
    const auto distance = edit_distance(word, candidate);
    const auto allowed = std::max<std::size_t>(2, candidate.size() / 3);
    if (distance <= allowed && distance < candidate.size() && distance < least) {
      best = candidate;
      least = distance;
    }
  }
  if (!best.empty() || word.size() < 3) return best;
  const auto begins = [&](std::string_view candidate) { return candidate.starts_with(word); };
  const auto longer = std::find_if(known.begin(), known.end(), begins);
  return longer == known.end() ? best : *longer;
}

}  // namespace weir::config
