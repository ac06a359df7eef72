// What a worker gets: golden texts of forwarded request heads, and the rules one by one.
#include <algorithm>

#include "http/forward.hpp"
#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;

// The head that a worker gets, from the text that the client sent.
std::string forwarded(const std::string& text, forward_request how = {}) {
  const request_head head = request_of(text);
  how.head = &head;
  if (how.client_address.empty()) how.client_address = "192.0.2.7";
  std::string out = "kept";  // what is in the buffer already stays
  write_request_head(how, out);
  finish_request_head(1, out);
  REQUIRE(out.starts_with("kept"));
  out.erase(0, 4);
  request_of(out);  // what weir writes, weir reads
  return out;
}

std::string get(const std::string& fields) {
  return "GET /a HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n";
}

int count(const std::string& text, std::string_view part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// The value of the only line of that name; "-" when there is none.
std::string value_of(const std::string& text, std::string_view name) {
  const request_head head = request_of(text);
  const auto is_it = [&](const field& f) { return iequals(f.name, name); };
  const auto n = std::count_if(head.fields.begin(), head.fields.end(), is_it);
  CHECK(n <= 1);
  return n == 0 ? "-" : std::string(head.find(name)->value);
}

constexpr std::string_view trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr std::string_view other_trace = "00-11111111111111111111111111111111-2222222222222222-00";

}  // namespace

TEST_CASE("golden: a plain POST") {
  const std::string text =
      "POST /load/orders?x=1 HTTP/1.1\r\nHost: weir.test:8080\r\nUser-Agent: curl/8\r\nAccept: "
      "*/*\r\n"
      "Content-Type: application/x-ndjson\r\nX-Tenant:acme\r\nConnection: keep-alive\r\n"
      "Idempotency-Key: \"k 1\"\r\nContent-Length: 007\r\nExpect: 100-continue\r\n\r\n";
  forward_request how;
  how.batch_id = "b1";
  how.traceparent = trace;
  CHECK(forwarded(text, how) ==
        "POST /load/orders?x=1 HTTP/1.1\r\nHost: weir.test:8080\r\nUser-Agent: curl/8\r\n"
        "Accept: */*\r\nContent-Type: application/x-ndjson\r\nX-Tenant: acme\r\n"
        "Idempotency-Key: \"k 1\"\r\nContent-Length: 7\r\nVia: 1.1 weir\r\n"
        "Forwarded: for=192.0.2.7;host=\"weir.test:8080\";proto=http\r\n"
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: weir.test:8080\r\n"
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
        "Weir-Batch-Id: b1\r\nWeir-Attempt: 1\r\n\r\n");
}

TEST_CASE("golden: an HTTP/1.0 request without Host over TLS and IPv6") {
  forward_request how;
  how.client_address = "2001:db8::1";
  how.client_tls = true;
  how.host = "w1.test:9001";
  CHECK(forwarded("GET / HTTP/1.0\r\nX: y\r\n\r\n", how) ==
        "GET / HTTP/1.1\r\nHost: w1.test:9001\r\nX: y\r\nVia: 1.0 weir\r\n"
        "Forwarded: for=\"[2001:db8::1]\";proto=https\r\nX-Forwarded-For: 2001:db8::1\r\n"
        "X-Forwarded-Proto: https\r\nWeir-Attempt: 1\r\n\r\n");
}

TEST_CASE("golden: everything from a trusted proxy") {
  const std::string text = get(
      "Via: 1.1 edge\r\nForwarded: for=198.51.100.1;proto=https\r\nForwarded: for=10.0.0.1\r\n"
      "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: shop.test\r\ntraceparent: " +
      std::string(trace) + "\r\ntracestate: v=1\r\nTransfer-Encoding: chunked\r\n");
  forward_request how;
  how.client_trusted = true;
  how.traceparent = other_trace;
  CHECK(forwarded(text, how) ==
        "GET /a HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 edge\r\ntraceparent: " + std::string(trace) +
            "\r\ntracestate: v=1\r\nTransfer-Encoding: chunked\r\nVia: 1.1 weir\r\n"
            "Forwarded: for=198.51.100.1;proto=https, for=10.0.0.1, "
            "for=192.0.2.7;host=a.test;proto=http\r\n"
            "X-Forwarded-For: 198.51.100.1, 10.0.0.1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Host: shop.test\r\nWeir-Attempt: 1\r\n\r\n");
}

TEST_CASE("a stranger's forwarding fields are replaced, not believed") {
  const std::string out = forwarded(
      get("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Host: evil\r\nx-forwarded-for: 6.6.6.7\r\nX_Forwarded_For: 6.6.6.8\r\n"));
  CHECK(count(out, "6.6.6.") == 0);
  CHECK(count(out, "evil") == 0);
  CHECK(value_of(out, "X-Forwarded-For") == "192.0.2.7");
  CHECK(value_of(out, "X-Forwarded-Proto") == "http");
  CHECK(value_of(out, "X-Forwarded-Host") == "a.test");
}

TEST_CASE("empty forwarding fields of a trusted client count as none") {
  forward_request how;
  how.client_trusted = true;
  const std::string out =
      forwarded(get("Forwarded:\r\nX-Forwarded-For:\r\nX-Forwarded-Proto: \r\n"), how);
  CHECK(value_of(out, "Forwarded") == "for=192.0.2.7;host=a.test;proto=http");
  CHECK(value_of(out, "X-Forwarded-For") == "192.0.2.7");
  CHECK(value_of(out, "X-Forwarded-Proto") == "http");
}

TEST_CASE("a unix socket's peer has no address to show") {
  forward_request how;
  how.client_address = "unix";
  std::string out = forwarded(get("X-Forwarded-For: 6.6.6.6\r\n"), how);
  CHECK(value_of(out, "X-Forwarded-For") == "-");
  CHECK(value_of(out, "Forwarded") == "for=_unix;host=a.test;proto=http");
  how.client_trusted = true;
  out = forwarded(get("X-Forwarded-For: 198.51.100.1\r\nForwarded: for=x\r\n"), how);
  CHECK(value_of(out, "X-Forwarded-For") == "198.51.100.1");
  CHECK(value_of(out, "Forwarded") == "for=x, for=_unix;host=a.test;proto=http");
}

TEST_CASE("a client's Weir fields are dropped save two") {
  forward_request how;
  how.batch_id = "b1";
  const std::string out = forwarded(
      get("Weir-Attempt: 9\r\nWeir-Batch-Id: forged\r\nWEIR-WORKER: x\r\nWeir-Agent: down\r\n"
          "Weir-Deadline: 600\r\nweir-group: backfill\r\nWeir_Attempt: 9\r\n"),
      how);
  CHECK(value_of(out, "Weir-Attempt") == "1");
  CHECK(value_of(out, "Weir-Batch-Id") == "b1");
  CHECK(value_of(out, "Weir-Worker") == "-");
  CHECK(value_of(out, "Weir-Agent") == "-");
  CHECK(value_of(out, "Weir_Attempt") == "-");
  CHECK(value_of(out, "Weir-Deadline") == "600");
  CHECK(value_of(out, "Weir-Group") == "backfill");
}

TEST_CASE("hop-by-hop fields, Expect and what Connection names are left out") {
  const std::string out = forwarded(get(
      "Connection: X-Drop, Host, X-Forwarded-For, Weir-Group\r\nX-Drop: 1\r\nTE: trailers\r\n"
      "Trailer: X\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
      "Proxy-Authorization: Basic eA==\r\nExpect: 100-continue\r\nWeir-Group: g\r\nX-End: 2\r\n"));
  for (const std::string_view name :
       {"Connection", "X-Drop", "TE", "Trailer", "Keep-Alive", "Proxy-Connection", "Upgrade",
        "Proxy-Authorization", "Expect"})
    CHECK(value_of(out, name) == "-");
  CHECK(value_of(out, "Host") == "a.test");
  CHECK(value_of(out, "X-Forwarded-For") == "192.0.2.7");
  CHECK(value_of(out, "Weir-Group") == "g");
  CHECK(value_of(out, "X-End") == "2");
}

TEST_CASE("framing is rebuilt") {
  const auto post = [](const std::string& fields) {
    return forwarded("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  };
  CHECK(value_of(post("Content-Length: 5, 5\r\n"), "Content-Length") == "5");
  CHECK(value_of(post("Content-Length: 5\r\nContent-Length: 05\r\n"), "Content-Length") == "5");
  CHECK(value_of(post("Content-Length: 0\r\n"), "Content-Length") == "0");
  CHECK(value_of(post("transfer-encoding: CHUNKED\r\n"), "Transfer-Encoding") == "chunked");
  CHECK(value_of(post(""), "Content-Length") == "-");
  CHECK(value_of(post(""), "Transfer-Encoding") == "-");
}

TEST_CASE("the target goes on in origin-form, byte for byte") {
  const auto line = [](const std::string& method, const std::string& target,
                       std::string_view strip) {
    forward_request how;
    how.strip_prefix = strip;
    const std::string out = forwarded(method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", how);
    return out.substr(0, out.find("\r\n"));
  };
  CHECK(line("GET", "/a%2Fb/../c?d=%20", "") == "GET /a%2Fb/../c?d=%20 HTTP/1.1");
  CHECK(line("GET", "/a?", "") == "GET /a? HTTP/1.1");
  CHECK(line("GET", "http://b.test/c?d", "") == "GET /c?d HTTP/1.1");
  CHECK(line("GET", "http://b.test?d", "") == "GET /?d HTTP/1.1");
  CHECK(line("OPTIONS", "*", "/load") == "OPTIONS * HTTP/1.1");
  CHECK(line("OPTIONS", "http://b.test", "") == "OPTIONS * HTTP/1.1");
  CHECK(line("GET", "/load/orders?x", "/load") == "GET /orders?x HTTP/1.1");
  CHECK(line("GET", "/load/orders", "/load/") == "GET /orders HTTP/1.1");
  CHECK(line("GET", "/load", "/load") == "GET / HTTP/1.1");
  CHECK(line("GET", "/load?x", "/load") == "GET /?x HTTP/1.1");
  CHECK(line("GET", "/load/", "/load") == "GET / HTTP/1.1");
  CHECK(line("GET", "/loader", "/load") == "GET /loader HTTP/1.1");
  CHECK(line("GET", "/LOAD/a", "/load") == "GET /LOAD/a HTTP/1.1");
  CHECK(line("GET", "/a", "/") == "GET /a HTTP/1.1");
  CHECK(line("GET", "/load//a", "/load") == "GET //a HTTP/1.1");
}

TEST_CASE("the target's authority replaces Host, and the route's host both") {
  const std::string text = "GET http://b.test:81/c HTTP/1.1\r\nHost: a.test\r\n\r\n";
  CHECK(value_of(forwarded(text), "Host") == "b.test:81");
  CHECK(value_of(forwarded(text), "X-Forwarded-Host") == "b.test:81");
  forward_request how;
  how.host = "w1:9001";
  const std::string out = forwarded(text, how);
  CHECK(value_of(out, "Host") == "w1:9001");
  CHECK(value_of(out, "X-Forwarded-Host") == "b.test:81");
}

TEST_CASE("one valid traceparent goes on, else weir's own does, without tracestate") {
  forward_request how;
  how.traceparent = other_trace;
  const auto trace_line = [](std::string_view t) {
    return "traceparent: " + std::string(t) + "\r\n";
  };
  std::string out = forwarded(get(trace_line(trace) + "tracestate: a=b\r\n"), how);
  CHECK(value_of(out, "traceparent") == trace);
  CHECK(value_of(out, "tracestate") == "a=b");
  for (const std::string& fields :
       {trace_line("00-bad"), trace_line(trace) + trace_line(trace), ""s}) {
    out = forwarded(get(fields + "Tracestate: a=b\r\n"), how);
    CHECK(value_of(out, "traceparent") == other_trace);
    CHECK(value_of(out, "tracestate") == "-");
  }
  CHECK(value_of(forwarded(get(trace_line("x"))), "traceparent") == "-");
}

TEST_CASE("an Idempotency-Key is added only when the client sent none") {
  forward_request how;
  how.idempotency_key = "\"own\"";
  CHECK(value_of(forwarded(get(""), how), "Idempotency-Key") == "\"own\"");
  CHECK(value_of(forwarded(get("idempotency-key: theirs\r\n"), how), "Idempotency-Key") ==
        "theirs");
}

TEST_CASE("a route's edits set and remove fields") {
  edits changes;
  changes.set = {{"X-Added", "yes"}, {"host", "edited.test"}, {"Via", "mine"}};
  changes.remove = {"x-gone", "X-FORWARDED-FOR", "Weir-Group"};
  forward_request how;
  how.changes = &changes;
  const std::string out = forwarded(get("X-Gone: 1\r\nx-added: no\r\nX-Added: no\r\nX-Kept: "
                                        "1\r\nVia: 1.1 b\r\nWeir-Group: g\r\n"),
                                    how);
  CHECK(value_of(out, "X-Added") == "yes");
  CHECK(value_of(out, "Host") == "edited.test");
  CHECK(value_of(out, "Via") == "mine");
  CHECK(value_of(out, "X-Gone") == "-");
  CHECK(value_of(out, "X-Forwarded-For") == "-");
  CHECK(value_of(out, "X-Kept") == "1");
  CHECK(value_of(out, "Weir-Group") == "g");  // edits cannot touch Weir-*
}

TEST_CASE("edits cannot change framing, hop-by-hop fields or weir's own") {
  edits changes;
  changes.set = {{"Content-Length", "9"}, {"Transfer-Encoding", "x"}, {"Connection", "close"},
                 {"Weir-Attempt", "9"},   {"Weir-Batch-Id", "x"},     {"Expect", "100-continue"}};
  forward_request how;
  how.changes = &changes;
  how.batch_id = "b1";
  const std::string out = forwarded("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", how);
  CHECK(value_of(out, "Content-Length") == "5");
  CHECK(value_of(out, "Transfer-Encoding") == "-");
  CHECK(value_of(out, "Connection") == "-");
  CHECK(value_of(out, "Expect") == "-");
  CHECK(value_of(out, "Weir-Attempt") == "1");
  CHECK(value_of(out, "Weir-Batch-Id") == "b1");
  CHECK_FALSE(changes.valid());
}

TEST_CASE("edits are valid when their names and values can stand in a line and may be changed") {
  const auto sets = [](std::string name, std::string value) {
    return edits{{{std::move(name), std::move(value)}}, {}}.valid();
  };
  CHECK(edits{}.valid());
  CHECK(sets("X-A", "b"));
  CHECK(sets("Host", "a.test"));
  CHECK(sets("X-A", ""));
  CHECK_FALSE(sets("", "b"));
  CHECK_FALSE(sets("X A", "b"));
  CHECK_FALSE(sets("X-A", "b\r\nX-B: c"));
  CHECK_FALSE(sets("X-A", " b"));
  CHECK_FALSE(sets("content-length", "1"));
  CHECK_FALSE(sets("weir-x", "1"));
  CHECK((edits{{}, {"X-A", "Server"}}.valid()));
  CHECK_FALSE((edits{{}, {"Transfer-Encoding"}}.valid()));
  CHECK_FALSE((edits{{}, {"X:"}}.valid()));
}

TEST_CASE("each attempt closes the same head with its own number") {
  const std::string text = get("");
  const request_head head = request_of(text);
  forward_request how;
  how.head = &head;
  std::string common, first, second;
  write_request_head(how, common);
  CHECK(common.ends_with("\r\n"));
  CHECK_FALSE(common.ends_with("\r\n\r\n"));
  first = common;
  second = common;
  finish_request_head(1, first);
  finish_request_head(4294967295u, second);
  CHECK(first == common + "Weir-Attempt: 1\r\n\r\n");
  CHECK(second == common + "Weir-Attempt: 4294967295\r\n\r\n");
}

TEST_CASE("fields that are copied keep their order, bytes and repetition") {
  const std::string text =
      get("B: 2\r\nA:  1 \r\nB: \xc3\xa9\t\"x\"\r\nC:\r\nConnection: D\r\nD: 4\r\nE: \r\nF:5\r\nA: "
          "6\r\n");
  const std::string out = forwarded(text);
  const std::string expected =
      "B: 2\r\nA: 1\r\nB: \xc3\xa9\t\"x\"\r\nC: \r\nE: \r\nF: 5\r\nA: 6\r\n";
  INFO(shown(out));
  CHECK(out.find(expected) != std::string::npos);
}

TEST_CASE("whatever a client sends, the forwarded head is one head that weir itself would take") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  const std::string names[] = {"X-A",    "Connection", "Via", "X-Forwarded-For",
                               "Weir-X", "TE",         "x_y"};
  const std::string values[] = {"", "a", "X-A", "close", "a, b", "\xff", "\t", "Host"};
  for (int i = 0; i < 3000; ++i) {
    std::string fields;
    for (std::uint32_t n = random.below(12); n > 0; --n) {
      fields += names[random.below(7)] + (random.below(2) ? ": " : ":") + values[random.below(8)] +
                (random.below(4) ? "\r\n" : " \r\n");
    }
    forward_request how;
    how.client_trusted = random.below(2) == 0;
    how.traceparent = trace;
    how.batch_id = "b";
    const std::string out = forwarded(get(fields), how);
    INFO(shown(fields) << " -> " << shown(out));
    CHECK(count(out, "\r\n\r\n") == 1);
    CHECK(count(out, "Weir-X") == 0);
    CHECK(count(out, "Connection") == 0);
    CHECK(value_of(out, "Weir-Batch-Id") == "b");
  }
}

TEST_CASE("a head that is kept gets the Host of each worker, and nothing else changes") {
  const std::string fields =
      "X-Host: a.test\r\nReferer: http://Host: /\r\nX: y Host: z\r\nhost-id: 7\r\n";
  for (const char* given : {"Host: a.test:8080\r\n", "hOST:a.test\r\n"}) {
    forward_request how;
    const std::string text = std::string("GET /a HTTP/1.1\r\n") + given + fields + "\r\n";
    const request_head head = request_of(text);
    how.head = &head;
    how.host = "worker";
    std::string kept;
    write_request_head(how, kept);
    for (const char* host : {"w1.test", "[2001:db8::1]:9001", "w", "a-much-longer-name.test:80"}) {
      how.host = host;
      std::string anew;
      write_request_head(how, anew);
      replace_host(kept, host);
      CHECK(value_of(kept + "\r\n", "Host") == host);
      CHECK(kept.substr(kept.find("X-Host")) == anew.substr(anew.find("X-Host")));
      CHECK(kept.size() == anew.size());
    }
  }
}

TEST_CASE("a head without a Host gets one, as its first line after the request's") {
  std::string head = "GET /a HTTP/1.1\r\nX-Host: \r\n";
  replace_host(head, "w1.test");
  CHECK(head == "GET /a HTTP/1.1\r\nHost: w1.test\r\nX-Host: \r\n");
  head = "GET /a HTTP/1.1\r\n";
  replace_host(head, "w1.test");
  CHECK(head == "GET /a HTTP/1.1\r\nHost: w1.test\r\n");
}

}  // namespace weir::http
