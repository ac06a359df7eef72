// Calls on files that bodies lie in, each whole: short reads and writes are gone on with. They may
// block as long as the disk does: a loop reads little at a time, and writes through offload only.
// From any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::net {

// A new file in `folder` without a name (O_TMPFILE, or made and unlinked where the file system does
// not know that): its bytes go when the last descriptor does. -1: none, and errno says why.
int open_unnamed(const std::string& folder) noexcept;

// How many bytes it read at `offset`: fewer than asked for at the file's end. -1: errno says why.
std::int64_t read_at(int fd, std::uint64_t offset, std::span<char> into) noexcept;

// 0, or what went wrong (an errno).
int write_at(int fd, std::uint64_t offset, std::string_view bytes) noexcept;

// A seam for tests: asked before each call, it can make one fail with an errno or move few bytes.
// Null: off, which is always so outside of tests; set before threads run.
enum class file_call : std::uint8_t { open, read, write };
struct file_call_plan {
  int error = 0;                    // not 0: the call fails with this
  std::size_t bytes_max = ~std::size_t{0};
};
using file_call_hook = file_call_plan (*)(file_call) noexcept;
extern file_call_hook before_file_call;
// What the hook says.
file_call_plan plan_of(file_call c) noexcept;

}  // namespace weir::net
