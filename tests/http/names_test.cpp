// Which known name a field name is, whatever its case, and what must not be taken for one.
#include "http/names.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "http/support.hpp"

namespace weir::http {

namespace {

struct row {
  std::string text;
  field_name known;
  bool hop_by_hop = false, end_to_end = false, editable = true;
};

const std::vector<row> rows = {
    {"Connection", field_name::connection, true, false, false},
    {"Content-Length", field_name::content_length, false, true, false},
    {"Content-Type", field_name::content_type, false, true},
    {"Date", field_name::date, false, true},
    {"Expect", field_name::expect, false, false, false},
    {"Forwarded", field_name::forwarded, false, true},
    {"Host", field_name::host, false, true},
    {"Idempotency-Key", field_name::idempotency_key, false, true},
    {"Keep-Alive", field_name::keep_alive, true, false, false},
    {"Prefer", field_name::prefer},
    {"Priority", field_name::priority},
    {"Proxy-Authenticate", field_name::proxy_authenticate, true, false, false},
    {"Proxy-Authorization", field_name::proxy_authorization, true, false, false},
    {"Proxy-Connection", field_name::proxy_connection, true, false, false},
    {"Proxy-Status", field_name::proxy_status},
    {"Retry-After", field_name::retry_after},
    {"Server-Timing", field_name::server_timing},
    {"TE", field_name::te, true, false, false},
    {"traceparent", field_name::traceparent, false, true},
    {"Trailer", field_name::trailer, true, false, false},
    {"Transfer-Encoding", field_name::transfer_encoding, true, false, false},
    {"Upgrade", field_name::upgrade, true, false, false},
    {"Via", field_name::via, false, true},
    {"Weir-Agent", field_name::weir_agent, false, true, false},
    {"Weir-Deadline", field_name::weir_deadline, false, true, false},
    {"Weir-Group", field_name::weir_group, false, true, false},
    {"Weir-Attempt", field_name::weir_other, false, true, false},
    {"Weir-", field_name::weir_other, false, true, false},
    {"X-Forwarded-For", field_name::x_forwarded_for, false, true},
    {"X-Forwarded-Host", field_name::x_forwarded_host, false, true},
    {"X-Forwarded-Proto", field_name::x_forwarded_proto, false, true},
    {"endpoint-load-metrics", field_name::endpoint_load_metrics},
    {"endpoint-load-metrics-bin", field_name::endpoint_load_metrics_bin},
};

std::string changed(std::string text, int (*change)(int)) {
  for (char& c : text) c = static_cast<char>(change(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

TEST_CASE("known names are known in any case") {
  for (const row& r : rows) {
    INFO(r.text);
    CHECK(classify(r.text) == r.known);
    CHECK(classify(changed(r.text, std::tolower)) == r.known);
    CHECK(classify(changed(r.text, std::toupper)) == r.known);
  }
}

TEST_CASE("each kind of a known name is in the table") {
  std::set<field_name> seen;
  for (const row& r : rows) seen.insert(r.known);
  CHECK(seen.size() == static_cast<std::size_t>(field_name::endpoint_load_metrics_bin));
}

TEST_CASE("a name that differs in one character is another one") {
  for (const row& r : rows) {
    if (r.known == field_name::weir_other) continue;
    for (std::size_t i = 0; i < r.text.size(); ++i) {
      std::string text = r.text;
      text[i] = text[i] == 'q' ? 'x' : 'q';
      INFO(text);
      CHECK(classify(text) != r.known);
    }
    CHECK(classify(r.text + "s") != r.known);
    CHECK(classify(r.text.substr(0, r.text.size() - 1)) != r.known);
  }
  for (const std::string_view text : {"", "X", "weir", "Weir", "Weird-Field", "X-Weir-Group"})
    CHECK(classify(text) == field_name::other);
}

TEST_CASE("what stays on one hop, what Connection cannot name and what edits may touch") {
  for (const row& r : rows) {
    INFO(r.text);
    CHECK(is_hop_by_hop(r.known) == r.hop_by_hop);
    CHECK(is_end_to_end(r.known) == r.end_to_end);
    CHECK(may_edit(r.known) == r.editable);
    CHECK_FALSE((r.hop_by_hop && r.end_to_end));
  }
  CHECK_FALSE(is_hop_by_hop(field_name::other));
  CHECK_FALSE(is_end_to_end(field_name::other));
  CHECK(may_edit(field_name::other));
}

TEST_CASE("CGI rules take an underscore for a hyphen") {
  for (const row& r : rows) {
    std::string text = r.text;
    std::replace(text.begin(), text.end(), '-', '_');
    INFO(text);
    CHECK(classify_as_cgi(text) == r.known);
    CHECK(classify_as_cgi(r.text) == r.known);
  }
  CHECK(classify_as_cgi("X_Own") == field_name::other);
  CHECK(classify_as_cgi(std::string(1000, '_')) == field_name::other);
  CHECK(classify_as_cgi("Weir_" + std::string(1000, 'a')) == field_name::weir_other);
}

}  // namespace weir::http
