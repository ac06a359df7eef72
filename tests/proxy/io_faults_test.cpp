// Fail the Nth I/O operation, for every N: whichever read, write or connect of weir's goes wrong,
// the exchange ends with an answer or a closed connection, and nothing is left behind.
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "front_kit.hpp"

namespace {

using namespace weir;
using test::fake_worker;
using test::front_kit;
using test::http_message;
using test::wire;

// The hook that fails call number `nth` (from 1), or makes every call a short one.
struct faults {
  explicit faults(int nth_call, std::size_t bytes_max = net::unlimited) {
    calls = 0, nth = nth_call, limit = bytes_max;
    net::before_kernel_call = &faults::plan;
  }
  ~faults() { net::before_kernel_call = nullptr; }
  static net::call_plan plan(net::kernel_call c) noexcept {
    if (calls.fetch_add(1) + 1 != nth) return {0, limit};
    switch (c) {
      case net::kernel_call::receive: return {ECONNRESET, net::unlimited};
      case net::kernel_call::send: return {EPIPE, net::unlimited};
      case net::kernel_call::connect: return {ECONNREFUSED, net::unlimited};
    }
    return {};
  }
  static bool reached() { return calls >= nth; }
  static inline std::atomic<int> calls{0};
  static inline std::atomic<int> nth{0};
  static inline std::size_t limit = net::unlimited;
};

struct exchange_kind {
  const char* what;
  std::string request;
  std::string response;     // what the worker says; empty: what it was asked
  int requests = 1;         // on one connection, one after another
};

std::string chunked_request(std::string_view method) {
  return std::string(method) + " /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "4\r\nsome\r\n5\r\n rows\r\n0\r\n\r\n";
}

std::string long_request(std::string_view method, std::size_t bytes) {
  return std::string(method) +
         " /load HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
         std::string(bytes, 'x');
}

const std::vector<exchange_kind>& kinds() {
  static const std::vector<exchange_kind> all = {
      {"GET", "GET /load HTTP/1.1\r\nHost: h\r\n\r\n", ""},
      {"GETs on one connection", "GET /load HTTP/1.1\r\nHost: h\r\n\r\n", "", 3},
      {"POST that may not be repeated", long_request("POST", 20), ""},
      {"PUT that may be repeated", long_request("PUT", 20), ""},
      {"long PUT, long answer", long_request("PUT", 300'000),
       test::response(200, std::string(300'000, 'y'))},
      {"chunked both ways", chunked_request("PUT"),
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n"},
      {"answer until close", chunked_request("POST"), "HTTP/1.1 200 OK\r\n\r\nall of it"},
      {"busy answers", long_request("PUT", 20), test::response(503, "busy", "Retry-After: 0\r\n")},
      {"a request that is refused", "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", ""},
  };
  return all;
}

fake_worker::script answering(const exchange_kind& k) {
  return [&k](wire& w) {
    while (const http_message r = w.read()) {
      if (!r.whole || !w.say(k.response.empty() ? test::echo(r) : k.response)) return;
      if (k.response.starts_with("HTTP/1.1 200 OK\r\n\r\n")) return;   // ended by the close
    }
  };
}

// One client: each request ends in an answer or a closed connection.
void converse(front_kit& front, const exchange_kind& k) {
  wire client = front.connect();
  for (int i = 0; i < k.requests; ++i) {
    client.say(k.request);   // may fail: weir may have answered and closed already
    const http_message answer = client.read();
    CHECK_FALSE(client.hung());
    if (!answer) break;
    CHECK(answer.status() >= 200);
    if (!answer.whole || answer.field("Connection") == "close") break;
  }
}

test::wishes quick() {
  test::wishes w;
  w.route = [](config::route& r) {
    r.retry.backoff_base = r.retry.backoff_max = std::chrono::milliseconds(1);
    r.retry.bounces_max = 2;
    r.timeout.queue = std::chrono::milliseconds(300);
  };
  w.pool = [](core::pool_settings& s) {
    s.ejection.consecutive_failures = 0;
    s.busy_rest_min = std::chrono::milliseconds(1);
  };
  return w;
}

}  // namespace

TEST_CASE("whichever I/O operation fails, the exchange ends and no slot, cell or buffer is left") {
  for (const exchange_kind& k : kinds()) {
    fake_worker one(answering(k)), two(answering(k));
    for (int n = 1; n < 1000; ++n) {
      INFO(k.what << ", operation " << n << " fails");
      front_kit front(quick());
      front.add("w1", one, 2);
      front.add("w2", two, 2);
      {
        faults f(n);
        converse(front, k);
        front.end();   // checks what is left; before the hook goes, so that its threads are gone
      }
      if (!faults::reached()) {
        CHECK(n > 2);   // at least a read and a write were failed
        break;
      }
      REQUIRE(n < 999);
    }
  }
}

TEST_CASE("after a failed operation the next client is served as if nothing had been") {
  const exchange_kind& k = kinds()[3];
  fake_worker one(answering(k)), two(answering(k));
  for (int n = 1; n < 1000; ++n) {
    INFO("operation " << n << " fails");
    front_kit front(quick());
    front.add("w1", one, 1);
    front.add("w2", two, 1);
    faults f(n);
    converse(front, k);
    const bool reached = faults::reached();
    if (reached) CHECK(front.ask(k.request).status() == 200);
    front.end();
    if (!reached) break;
  }
}

TEST_CASE("every read and write moved one byte at a time: every exchange still comes out whole") {
  for (const exchange_kind& k : kinds()) {
    if (k.request.size() > 10'000) continue;   // the same paths, a hundred times longer
    INFO(k.what);
    fake_worker worker(answering(k));
    front_kit front(quick());
    front.add("w1", worker);
    faults f(-1, 1);
    wire client = front.connect();
    for (int i = 0; i < k.requests; ++i) {
      client.say(k.request);
      const http_message answer = client.read();
      CHECK(answer.whole);
      if (std::string(k.what).starts_with("PUT"))
        CHECK(answer.body == "PUT /load HTTP/1.1\n" + std::string(20, 'x'));
      if (std::string(k.what).starts_with("chunked")) CHECK(answer.body == "answer");
    }
    client.close();
    front.end();
  }
}

TEST_CASE("workers that break off after every possible byte of their answer") {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nanswer bytes";
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    INFO("after " << n << " bytes");
    fake_worker worker([&](wire& w) {
      if (w.read()) w.say(whole.substr(0, n));
    });
    front_kit front(quick());
    front.add("w1", worker);
    const auto answer = front.ask("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    const std::size_t head = whole.find("\r\n\r\n") + 4;
    CHECK(answer.status() == (n < head ? 502 : 200));
    CHECK(answer.whole == (n < head || n == whole.size()));
    front.end();
  }
}

TEST_CASE("clients that break off after every possible byte of their request") {
  const std::string whole = "PUT /load HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
  fake_worker worker(test::answering(test::echo));
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    for (const bool resets : {false, true}) {
      INFO("after " << n << " bytes, " << (resets ? "reset" : "closed"));
      front_kit front(quick());
      front.add("w1", worker);
      wire client = front.connect();
      client.say(whole.substr(0, n));
      if (resets) client.reset();
      else client.finish_sending();
      if (!resets) {
        const auto answer = client.read();
        if (n == whole.size()) CHECK(answer.status() == 200);
        else CHECK((!answer || answer.status() == 400 || answer.status() == 408));
      }
      front.end();
    }
  }
}
