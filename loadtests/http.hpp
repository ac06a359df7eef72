// Just enough HTTP/1.1 for the load generator and the worker: where a head ends, how its body is
// framed, and how to step over a body without keeping it. Both ends trust each other's framing only
// as far as an error of it is counted; hostile input is the business of weir's own tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::load {

/// A head's frame. `size` counts the bytes up to and with the blank line.
struct head {
  std::size_t size = 0;
  std::string_view start;   // the first line, without its end
  std::string_view fields;  // the lines after it
  std::uint64_t length = 0;
  bool has_length = false;
  bool chunked = false;
  bool close = false;
};

enum class parsed { whole, partial, bad };

/// Reads the head at the front of `data` into `h`. The views point into `data`.
parsed parse_head(std::string_view data, head& h);

/// The status of a response's first line; 0 when it is none.
int status_of(std::string_view start);

/// The value of a field in `fields`; empty when it is not there. Names compare without case.
std::string_view field(std::string_view fields, std::string_view name);

/// The value of `name=` in a target's query; empty when it is not there.
std::string_view query(std::string_view target, std::string_view name);

/// A number at the front of `text`; 0 when there is none.
std::uint64_t to_number(std::string_view text);

/// Steps over a chunked body.
class chunk_skipper {
 public:
  /// Takes what it can off the front of `data`. whole: the body ended, `data` is what follows.
  parsed skip(std::string_view& data);
  /// Bytes of chunk data gone by.
  std::uint64_t bytes() const { return bytes_; }

 private:
  enum class at { size, extension, data, trailer };

  parsed take(char c);
  parsed end_line();

  at at_ = at::size;
  std::uint64_t left_ = 0;
  std::uint64_t bytes_ = 0;
  std::size_t line_ = 0;  // characters of the current trailer line
};

}  // namespace weir::load
