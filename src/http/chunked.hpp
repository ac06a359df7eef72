// The chunked transfer coding (RFC 9112 §7.1), incrementally and strictly. The decoder is fed what
// was read and says which runs of it are body; the encoder only writes chunk heads. Trailers are
// read, bounded and dropped (§7.1.2 allows that of a recipient that does not know them).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

struct chunk_limits {
  std::size_t line_bytes_max = 256;  // a size line with its extensions
  std::size_t trailer_bytes_max = 4096;
};

enum class chunk_limit : std::uint8_t { none, line, trailer };

class chunk_decoder {
 public:
  explicit chunk_decoder(chunk_limits limits = {}) noexcept : limits_(limits) {}

  struct step {
    enum class kind : std::uint8_t { need_more, data, done, bad };
    kind what = kind::need_more;
    std::size_t consumed = 0;  // bytes of input used up, the data's included
    std::string_view data;     // when data: a run of body within input
    std::string_view reason;   // when bad
  };
  // One step over `input`; call again with the rest after data. need_more has consumed all input.
  step next(std::string_view input);
  // Bytes of data that the current chunk still owes; 0 between chunks.
  std::uint64_t chunk_left() const noexcept { return left_; }
  bool done() const noexcept { return state_ == state::done; }
  // Which limit made it bad.
  chunk_limit limit_hit() const noexcept { return hit_; }

 private:
  enum class state : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer,
    trailer_lf,
    end_lf,
    done,
    bad
  };
  std::string_view take(char c);
  std::string_view take_size(char c);
  std::string_view take_extension(char c);
  std::string_view take_size_end(char c);
  std::string_view take_trailer(char c);
  std::string_view take_trailer_name(char c);
  std::string_view expect(char c, char wanted, state then, std::string_view reason);
  step fail(std::size_t at, std::string_view reason) noexcept;

  chunk_limits limits_;
  state state_ = state::size;
  std::uint64_t left_ = 0;
  std::size_t line_bytes_ = 0, trailer_bytes_ = 0, trailer_name_bytes_ = 0;
  bool in_name_ = false;  // of a trailer
  chunk_limit hit_ = chunk_limit::none;
  unsigned digits_ = 0;
};

// "1a2b\r\n" for a chunk of n > 0 bytes; 18 bytes at most.
struct chunk_head {
  std::array<char, 20> text;
  std::size_t size;
  std::string_view view() const noexcept { return {text.data(), size}; }
};
chunk_head make_chunk_head(std::uint64_t n) noexcept;
inline constexpr std::string_view chunk_tail = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace weir::http
