#include "http.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace weir::load {
namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls f(name, value) for each line; stops when it answers false. False on a line without a colon.
template <typename F>
bool for_each_field(std::string_view fields, F f) {
  while (!fields.empty()) {
    const std::size_t end = fields.find("\r\n");
    const std::string_view line = fields.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    if (!f(line.substr(0, colon), trimmed(line.substr(colon + 1)))) return true;
    fields.remove_prefix(end == std::string_view::npos ? fields.size() : end + 2);
  }
  return true;
}

// False: two lengths that differ, or one that is none.
bool take_length(head& h, std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc{} || end != value.data() + value.size()) return false;
  if (h.has_length && h.length != length) return false;
  h.length = length;
  h.has_length = true;
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

parsed parse_head(std::string_view data, head& h) {
  const std::size_t end = data.find("\r\n\r\n");
  if (end == std::string_view::npos) return parsed::partial;
  h = head{};
  h.size = end + 4;
  const std::size_t first = data.find("\r\n");
  h.start = data.substr(0, first);
  if (first < end) h.fields = data.substr(first + 2, end - first - 2);
  bool good = true;
  const bool lines = for_each_field(h.fields, [&](std::string_view name, std::string_view value) {
    if (name.size() == 14 && same(name, "content-length")) good = good && take_length(h, value);
    if (name.size() == 17 && same(name, "transfer-encoding")) h.chunked = same(value, "chunked");
    if (name.size() == 10 && same(name, "connection")) h.close = same(value, "close");
    return true;
  });
  return lines && good && !(h.chunked && h.has_length) ? parsed::whole : parsed::bad;
}

int status_of(std::string_view start) {
  if (!start.starts_with("HTTP/1.") || start.size() < 12) return 0;
  return static_cast<int>(to_number(start.substr(9, 3)));
}

std::string_view field(std::string_view fields, std::string_view name) {
  std::string_view found;
  for_each_field(fields, [&](std::string_view n, std::string_view value) {
    if (!same(n, name)) return true;
    found = value;
    return false;
  });
  return found;
}

std::string_view query(std::string_view target, std::string_view name) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  target.remove_prefix(mark + 1);
  while (!target.empty()) {
    const std::string_view part = target.substr(0, target.find('&'));
    if (part.size() > name.size() && part[name.size()] == '=' && part.starts_with(name))
      return part.substr(name.size() + 1);
    target.remove_prefix(std::min(part.size() + 1, target.size()));
  }
  return {};
}

std::uint64_t to_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

parsed chunk_skipper::skip(std::string_view& data) {
  while (!data.empty()) {
    if (at_ == at::data && left_ > 0) {
      const std::uint64_t n = std::min<std::uint64_t>(left_, data.size());
      data.remove_prefix(n);
      left_ -= n;
      bytes_ += n;
      continue;
    }
    const char c = data.front();
    data.remove_prefix(1);
    const parsed how = take(c);
    if (how != parsed::partial) return how;
  }
  return parsed::partial;
}

parsed chunk_skipper::take(char c) {
  if (c == '\n') return end_line();
  if (c == '\r') return parsed::partial;
  if (at_ == at::trailer) line_++;
  if (at_ == at::data) return parsed::bad;
  if (at_ != at::size) return parsed::partial;
  if (c == ';') {
    at_ = at::extension;
    return parsed::partial;
  }
  const int digit = hex_digit(c);
  if (digit < 0 || left_ >> 56) return parsed::bad;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
  return parsed::partial;
}

parsed chunk_skipper::end_line() {
  switch (at_) {
    case at::size:
    case at::extension:
      at_ = left_ > 0 ? at::data : at::trailer;
      line_ = 0;
      return parsed::partial;
    case at::data:  // the line end after a chunk's data
      at_ = at::size;
      return parsed::partial;
    default:
      if (line_ == 0) return parsed::whole;
      line_ = 0;
      return parsed::partial;
  }
}

}  // namespace weir::load
