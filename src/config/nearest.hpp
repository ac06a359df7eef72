// "did you mean": the known word nearest to a mistyped one. Used by the reader for keys and
// names that nobody knows. Pure, any thread.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace weir::config {

// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other
// (optimal string alignment; Boytsov, ACM JEA 16, 2011, §2.2).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The word at the least distance, the first of equals. Empty when even that one is further than a
// third of its length (and at least 2), which is no slip of the finger any more, unless the
// mistyped word is how one of them begins ("token" for "token_file").
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace weir::config
