// What a keep-alive request costs once everything has warmed up: no allocation on its loop's
// thread, and no reads or writes beyond two of each.
#include <atomic>
#include <catch2/catch.hpp>

#include "allocations.hpp"
#include "net/socket.hpp"
#include "proxy/front_kit.hpp"

namespace {

using namespace weir;
using test::front_kit;
using test::wire;

std::atomic<std::uint64_t> receives{0}, sends{0};

net::call_plan count(net::kernel_call c) noexcept {
  if (c == net::kernel_call::receive) ++receives;
  if (c == net::kernel_call::send) ++sends;
  return {};
}

struct cost {
  std::size_t allocations = 0;
  std::uint64_t receives = 0, sends = 0;
};

cost cost_so_far(front_kit& front) {
  cost c;
  front.on_loops([&](proxy::door&) { c.allocations = test::allocations; });
  c.receives = receives, c.sends = sends;
  return c;
}

cost cost_of(front_kit& front, wire& client, const std::string& request, int times) {
  const cost before = cost_so_far(front);
  for (int i = 0; i < times; ++i) {
    client.say(request);
    REQUIRE(client.read().status() == 200);
  }
  const cost after = cost_so_far(front);
  return {after.allocations - before.allocations, after.receives - before.receives,
          after.sends - before.sends};
}

}  // namespace

TEST_CASE("a keep-alive request allocates nothing and reads and writes twice") {
  struct row {
    const char* what;
    std::string request;
  };
  const std::string body(500, 'b');
  const row rows[] = {
      {"GET", test::get("/load/x")},
      {"POST", test::post("/load/x", body)},
      {"POST with a key, kept for a retry",
       "POST /load HTTP/1.1\r\nHost: h\r\nIdempotency-Key: \"k\"\r\nContent-Length: 500\r\n\r\n" +
           body},
      {"with a tenant, a priority and a deadline",
       "GET /load HTTP/1.1\r\nHost: h\r\nX-Tenant: a-tenant-with-a-long-name\r\n"
       "Priority: u=1\r\nWeir-Deadline: 600\r\n\r\n"},
  };
  test::fake_worker worker(test::answering([](const test::http_message&) {
    return test::response(200, std::string(300, 'a'), "Content-Type: text/plain\r\n");
  }));
  net::before_kernel_call = &count;   // before there is a loop that reads it
  test::wishes w;
  w.route = [](config::route& r) { r.tenant_header = "X-Tenant"; };
  front_kit front(w);
  front.add("w1", worker);
  wire client = front.connect();
  for (const row& r : rows) {
    INFO(r.what);
    cost_of(front, client, r.request, 20);   // warm up
    constexpr int times = 100;
    const cost c = cost_of(front, client, r.request, times);
    CHECK(c.allocations == 0);
    CHECK(c.receives == 2 * times);
    CHECK(c.sends == 2 * times);
  }
  client.close();
  front.end();
  net::before_kernel_call = nullptr;
}
