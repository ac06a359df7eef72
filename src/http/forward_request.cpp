// write_request_head: a client's request as a worker gets it.
#include <string>

#include "http/chars.hpp"
#include "http/field_run.hpp"
#include "http/forward.hpp"
#include "http/names.hpp"
#include "http/structured.hpp"
#include "http/writer.hpp"

namespace weir::http {

namespace {

std::string_view stripped_path(std::string_view path, std::string_view prefix) noexcept {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty() || !path.starts_with(prefix)) return path;
  const std::string_view rest = path.substr(prefix.size());
  if (rest.empty()) return "/";
  return rest.front() == '/' ? rest : path;  // on a segment border only
}

class request_writer {
 public:
  request_writer(const forward_request& f, writer& out) noexcept
      : f_(f),
        head_(*f.head),
        out_(out),
        edits_(f.changes && !(f.changes->set.empty() && f.changes->remove.empty()) ? f.changes
                                                                                   : nullptr) {}
  void write() {
    write_request_line();
    if (!edited("Host")) out_.line("Host", f_.host.empty() ? head_.authority : f_.host);
    choose_trace();
    copy_fields();
    write_framing();
    write_forwarding();
    write_identity();
    if (edits_) write_edits();
  }

 private:
  bool edited(std::string_view name) const noexcept { return edits_ && edits_->touches(name); }
  bool edited(const field& f) const noexcept { return edited(f.name) && may_edit(f.known); }
  bool keeps(const field& f) const noexcept;
  bool keeps_forwarding(const field& f) const noexcept;
  bool keeps_trace_state(const field& f) const noexcept;
  void write_request_line();
  void choose_trace() noexcept;
  void copy_fields();
  void write_framing();
  void write_forwarding();
  void write_forwarded();
  void write_forwarded_for();
  void write_once(std::string_view name, field_name known, std::string_view value);
  bool copy_list(std::string_view name, field_name known);
  void write_identity();
  void write_edits();

  const forward_request& f_;
  const request_head& head_;
  writer& out_;
  const edits* const edits_;
  bool has_forwarding_ = false;  // the client sent forwarding fields
  bool own_trace_ = false;       // the client's traceparent is missing, repeated or invalid
};

void request_writer::write_request_line() {
  const bool asterisk = head_.path == "*";
  out_.text(head_.method).text(" ");
  out_.text(asterisk ? head_.path : stripped_path(head_.path, f_.strip_prefix));
  if (head_.query.data() != nullptr) out_.text("?").text(head_.query);
  out_.text(" HTTP/1.1\r\n");
}

// W3C Trace Context §3.2, §3.3: exactly one valid traceparent is passed on; else tracestate goes
// too.
void request_writer::choose_trace() noexcept {
  const field* only = nullptr;
  own_trace_ = false;
  for (const field& f : head_.fields) {
    if (f.known != field_name::traceparent) continue;
    own_trace_ |= only != nullptr;
    only = &f;
  }
  own_trace_ |= only == nullptr || !valid_traceparent(only->value);
}

void request_writer::copy_fields() {
  field_run run(out_);
  for (const field& f : head_.fields) {
    const bool forwarding =
        f.known == field_name::forwarded || f.known == field_name::x_forwarded_for ||
        f.known == field_name::x_forwarded_host || f.known == field_name::x_forwarded_proto;
    has_forwarding_ |= forwarding;
    if (!forwarding && !f.hop_by_hop && keeps(f) && !edited(f)) run.keep(f);
  }
}

bool request_writer::keeps(const field& f) const noexcept {
  switch (f.known) {
    case field_name::content_length:
    case field_name::expect:
    case field_name::host:
    case field_name::weir_agent:
    case field_name::weir_other:
      return false;
    case field_name::traceparent:
      return !own_trace_;
    case field_name::other:
      return !own_trace_ || keeps_trace_state(f);
    default:
      return true;
  }
}

bool request_writer::keeps_trace_state(const field& f) const noexcept {
  return !iequals(f.name, "tracestate");
}

void request_writer::write_framing() {
  if (head_.body == body_kind::chunked) out_.text("Transfer-Encoding: chunked\r\n");
  if (head_.body == body_kind::length)
    out_.text("Content-Length: ").number(head_.content_length).text("\r\n");
}

void request_writer::write_forwarding() {
  if (!edited("Via"))
    out_.text(head_.version_minor == 0 ? "Via: 1.0 weir\r\n" : "Via: 1.1 weir\r\n");
  if (!edited("Forwarded")) write_forwarded();
  if (!edited("X-Forwarded-For")) write_forwarded_for();
  write_once("X-Forwarded-Proto", field_name::x_forwarded_proto, f_.client_tls ? "https" : "http");
  write_once("X-Forwarded-Host", field_name::x_forwarded_host, head_.authority);
}

// What a trusted client sent under that name, as one line without its end; false when nothing.
bool request_writer::copy_list(std::string_view name, field_name known) {
  if (!f_.client_trusted || !has_forwarding_) return false;
  bool any = false;
  for (const field& f : head_.fields) {
    if (f.known != known || f.hop_by_hop || f.value.empty()) continue;
    out_.text(any ? std::string_view{", "} : name).text(any ? "" : ": ").text(f.value);
    any = true;
  }
  return any;
}

// RFC 7239 §4, §6: IPv6 in brackets and quotes; a unix socket's peer is the obfuscated "_unix".
void request_writer::write_forwarded() {
  const bool appends = copy_list("Forwarded", field_name::forwarded);
  const std::string_view node = f_.client_address;
  const bool ipv6 = node.find(':') != std::string_view::npos;
  out_.text(appends ? ", for=" : "Forwarded: for=");
  if (node.empty()) out_.text("unknown");
  if (node == "unix") out_.text("_");
  out_.text(ipv6 ? "\"[" : "").text(node).text(ipv6 ? "]\"" : "");
  if (!head_.authority.empty()) {
    const std::string_view quote = is_token(head_.authority) ? "" : "\"";
    out_.text(";host=").text(quote).text(head_.authority).text(quote);
  }
  out_.text(f_.client_tls ? ";proto=https\r\n" : ";proto=http\r\n");
}

// Holds addresses only: a unix socket's peer adds none.
void request_writer::write_forwarded_for() {
  const bool appends = copy_list("X-Forwarded-For", field_name::x_forwarded_for);
  const bool has_address = !f_.client_address.empty() && f_.client_address != "unix";
  if (has_address)
    out_.text(appends ? ", " : "X-Forwarded-For: ").text(f_.client_address).text("\r\n");
  else if (appends)
    out_.text("\r\n");
}

// The first proxy knows best what the client asked for: a trusted client's value stands alone.
void request_writer::write_once(std::string_view name, field_name known, std::string_view value) {
  if (edited(name)) return;
  if (copy_list(name, known))
    out_.text("\r\n");
  else if (!value.empty())
    out_.line(name, value);
}

void request_writer::write_identity() {
  if (own_trace_ && !f_.traceparent.empty() && !edited("traceparent"))
    out_.line("traceparent", f_.traceparent);
  if (!f_.batch_id.empty()) out_.line("Weir-Batch-Id", f_.batch_id);
  const bool lacks_key = head_.find(field_name::idempotency_key) == nullptr;
  if (!f_.idempotency_key.empty() && lacks_key && !edited("Idempotency-Key"))
    out_.line("Idempotency-Key", f_.idempotency_key);
}

void request_writer::write_edits() {
  for (const auto& [name, value] : edits_->set)
    if (may_edit(classify(name))) out_.line(name, value);
}

// About what the fields and the lines that weir adds take.
std::size_t expected_size(const forward_request& f) noexcept {
  const request_head& head = *f.head;
  std::size_t size = 400 + head.method.size() + head.target.size() + 3 * head.authority.size();
  for (const field& line : head.fields) size += line.name.size() + line.value.size() + 4;
  return size;
}

}  // namespace

void write_request_head(const forward_request& f, std::string& out) {
  writer to(out, expected_size(f));
  request_writer(f, to).write();
}

void replace_host(std::string& request_head, std::string_view host) {
  constexpr std::string_view name = "\r\nHost: ";
  std::size_t at = request_head.find(name);
  if (at == std::string::npos) {
    at = request_head.find("\r\n");
    request_head.insert(at, name);
    request_head.insert(at + name.size(), host);
    return;
  }
  const std::size_t value = at + name.size();
  request_head.replace(value, request_head.find("\r\n", value) - value, host);
}

void finish_request_head(unsigned attempt, std::string& out) {
  writer to(out, 40);
  to.text("Weir-Attempt: ").number(attempt).text("\r\n\r\n");
}

}  // namespace weir::http
