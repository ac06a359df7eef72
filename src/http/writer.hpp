// Appends to a string without its per-call cost: room is taken once for what is expected, and again
// only when that was too little; the destructor cuts the string to what was written. Used by the
// writers of heads and problems, within one function; the string must not be touched meanwhile.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::http {

class writer {
 public:
  writer(std::string& out, std::size_t expected) : out_(out) { take_room(out.size(), expected); }
  ~writer() { out_.resize(size()); }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  writer& text(std::string_view s) {
    make_room(s.size());
    if (!s.empty()) std::memcpy(at_, s.data(), s.size());
    at_ += s.size();
    return *this;
  }
  // A literal: its size is known, so that copying it is a few moves.
  template <std::size_t size>
  writer& text(const char (&literal)[size]) {
    make_room(size - 1);
    std::memcpy(at_, literal, size - 1);
    at_ += size - 1;
    return *this;
  }
  writer& number(std::uint64_t n) {
    constexpr std::size_t digits_max = 20;
    make_room(digits_max);
    at_ = std::to_chars(at_, end_, n).ptr;
    return *this;
  }
  writer& line(std::string_view name, std::string_view value) {
    return text(name).text(": ").text(value).text("\r\n");
  }

 private:
  void make_room(std::size_t more) {
    if (more > static_cast<std::size_t>(end_ - at_)) [[unlikely]]
      grow(more);
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - out_.data()); }
  void take_room(std::size_t used, std::size_t more) {
    out_.resize(used + more);
    at_ = out_.data() + used;
    end_ = out_.data() + out_.size();
  }
  [[gnu::noinline]] void grow(std::size_t more) { take_room(size(), std::max(more, out_.size())); }

  std::string& out_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace weir::http
