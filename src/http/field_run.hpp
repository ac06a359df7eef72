// Copies field lines from a parsed head to a writer. Lines that are kept and stand next to each
// other in the input as "name: value CR LF" are copied in one go: the views of one head lie in one
// buffer. Used by the writers of forwarded heads.
#pragma once

#include "http/head.hpp"
#include "http/writer.hpp"

namespace weir::http {

class field_run {
 public:
  explicit field_run(writer& out) noexcept : out_(out) {}
  ~field_run() { flush(); }
  field_run(const field_run&) = delete;
  field_run& operator=(const field_run&) = delete;

  void keep(const field& f) {
    const char* const first = f.name.data();
    if (begin_ != nullptr && first == end_ + 2 && is_canonical(f)) {
      end_ = f.value.data() + f.value.size();
      return;
    }
    flush();
    if (!is_canonical(f)) {
      out_.line(f.name, f.value);
      return;
    }
    begin_ = first;
    end_ = f.value.data() + f.value.size();
  }
  void flush() {
    if (begin_ == nullptr) return;
    out_.text({begin_, static_cast<std::size_t>(end_ - begin_)}).text("\r\n");
    begin_ = nullptr;
  }

 private:
  // "name: value": exactly the colon and one space between the two.
  static bool is_canonical(const field& f) noexcept {
    const char* const name_end = f.name.data() + f.name.size();
    return f.value.data() == name_end + 2 && name_end[1] == ' ';
  }

  writer& out_;
  const char* begin_ = nullptr;  // of the lines not yet copied
  const char* end_ = nullptr;    // of the last value among them
};

}  // namespace weir::http
