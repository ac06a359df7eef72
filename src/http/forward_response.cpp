// write_response_head, write_interim_head: a worker's answer as the client gets it.
#include <cmath>
#include <string>

#include "http/field_run.hpp"
#include "http/forward.hpp"
#include "http/names.hpp"
#include "http/writer.hpp"

namespace weir::http {

namespace {

// Framing is rebuilt; load reports and all of Weir-* are between worker and weir (contract.md).
bool keeps(const field& f) noexcept {
  switch (f.known) {
    case field_name::content_length:
    case field_name::endpoint_load_metrics:
    case field_name::endpoint_load_metrics_bin:
    case field_name::weir_agent:
    case field_name::weir_deadline:
    case field_name::weir_group:
    case field_name::weir_other:
      return false;
    default:
      return !f.hop_by_hop;
  }
}

body_kind kind_for_client(const forward_response& f) noexcept {
  const body_kind kind = f.head->body;
  if (kind == body_kind::none || kind == body_kind::length) return kind;
  return f.client_minor >= 1 ? body_kind::chunked : body_kind::until_close;
}

std::size_t expected_size(const response_head& head) noexcept {
  std::size_t size = 320 + head.reason.size();
  for (const field& line : head.fields) size += line.name.size() + line.value.size() + 4;
  return size;
}

class response_writer {
 public:
  response_writer(const forward_response& f, writer& out) noexcept
      : f_(f),
        head_(*f.head),
        out_(out),
        edits_(f.changes && !(f.changes->set.empty() && f.changes->remove.empty()) ? f.changes
                                                                                   : nullptr) {}
  body_kind write();

 private:
  bool edited(std::string_view name) const noexcept { return edits_ && edits_->touches(name); }
  bool edited(const field& f) const noexcept { return edited(f.name) && may_edit(f.known); }
  void copy_fields();
  void write_framing(body_kind kind);
  void write_connection(body_kind kind);
  void write_timing();
  void write_ms(double ms);
  void write_edits();

  const forward_response& f_;
  const response_head& head_;
  writer& out_;
  const edits* const edits_;
  bool dated_ = false;
};

void write_status_line(const response_head& head, writer& out) {
  out.text("HTTP/1.1 ").number(head.status).text(" ").text(head.reason).text("\r\n");
}

void write_via(const response_head& head, writer& out) {
  out.text(head.version_minor == 0 ? "Via: 1.0 weir\r\n" : "Via: 1.1 weir\r\n");
}

body_kind response_writer::write() {
  const body_kind kind = kind_for_client(f_);
  write_status_line(head_, out_);
  copy_fields();
  write_framing(kind);
  write_connection(kind);
  if (!dated_ && !f_.date.empty() && !edited("Date")) out_.line("Date", f_.date);
  if (!edited("Via")) write_via(head_, out_);
  if (!f_.batch_id.empty()) out_.line("Weir-Batch-Id", f_.batch_id);
  if (!f_.worker.empty()) out_.line("Weir-Worker", f_.worker);
  if (!edited("Server-Timing")) write_timing();
  if (edits_) write_edits();
  out_.text("\r\n");
  return kind;
}

void response_writer::copy_fields() {
  field_run run(out_);
  for (const field& f : head_.fields) {
    dated_ |= f.known == field_name::date;
    if (keeps(f) && !edited(f)) run.keep(f);
  }
}

// An answer to HEAD and a 304 tell the length that they do not send (RFC 9110 §8.6); 204 has none.
void response_writer::write_framing(body_kind kind) {
  const bool told = kind == body_kind::none && head_.has_length && head_.status != 204;
  if (kind == body_kind::length || told)
    out_.text("Content-Length: ").number(head_.content_length).text("\r\n");
  if (kind == body_kind::chunked) out_.text("Transfer-Encoding: chunked\r\n");
}

void response_writer::write_connection(body_kind kind) {
  if (!f_.keep_alive || kind == body_kind::until_close)
    out_.text("Connection: close\r\n");
  else if (f_.client_minor == 0)
    out_.text("Connection: keep-alive\r\n");
}

void response_writer::write_timing() {
  out_.text("Server-Timing: queue;dur=");
  write_ms(f_.queue_ms);
  out_.text(", worker;dur=");
  write_ms(f_.worker_ms);
  out_.text("\r\n");
}

// Milliseconds with up to three decimals; nonsense is 0.
void response_writer::write_ms(double ms) {
  const double micros = std::isfinite(ms) && ms > 0 && ms < 1e12 ? std::round(ms * 1000) : 0;
  const auto whole = static_cast<std::uint64_t>(micros);
  out_.number(whole / 1000);
  unsigned rest = static_cast<unsigned>(whole % 1000);
  if (rest == 0) return;
  char digits[4] = {'.', static_cast<char>('0' + rest / 100),
                    static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
  const std::size_t size = rest % 100 == 0 ? 2 : rest % 10 == 0 ? 3 : 4;
  out_.text({digits, size});
}

void response_writer::write_edits() {
  for (const auto& [name, value] : edits_->set)
    if (may_edit(classify(name))) out_.line(name, value);
}

}  // namespace

body_kind write_response_head(const forward_response& f, std::string& out) {
  writer to(out, expected_size(*f.head));
  return response_writer(f, to).write();
}

std::string end_to_end_lines(std::string_view response_head) {
  constexpr std::array<std::string_view, 3> framing{"Content-Length: ", "Transfer-Encoding: ",
                                                    "Connection: "};
  std::string lines;
  std::size_t at = response_head.find("\r\n") + 2;
  for (std::size_t end; (end = response_head.find("\r\n", at)) != at; at = end + 2) {
    const std::string_view line = response_head.substr(at, end + 2 - at);
    const auto frames = [&](std::string_view name) { return line.starts_with(name); };
    if (std::ranges::none_of(framing, frames)) lines.append(line);
  }
  return lines;
}

void write_interim_head(const response_head& head, std::string& out) {
  writer to(out, expected_size(head));
  write_status_line(head, to);
  {
    field_run run(to);
    for (const field& f : head.fields)
      if (keeps(f)) run.keep(f);
  }
  write_via(head, to);
  to.text("\r\n");
}

}  // namespace weir::http
