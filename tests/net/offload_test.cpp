#include "net/offload.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace {

using namespace weir;

net::task<void> add_up(net::loop& l, net::offload& away, int from, std::vector<int>& sums,
                       int& left) {
  const auto own = std::this_thread::get_id();
  const auto got = co_await away.run(l, [from, own] {
    return std::this_thread::get_id() == own ? -1 : from + 1;
  });
  sums.push_back(got);
  if (--left == 0) l.stop();
}

}  // namespace

TEST_CASE("work runs on another thread, and its result comes back to the loop that awaits it") {
  for (const unsigned threads : {1u, 3u}) {
    net::offload away(threads);
    net::loop l(0);
    std::vector<int> sums;
    int left = 100;
    l.post([&] {
      for (int i = 0; i < 100; ++i) net::spawn(add_up(l, away, i, sums, left));
    });
    l.run();
    REQUIRE(sums.size() == 100);
    CHECK(std::ranges::count(sums, -1) == 0);
    if (threads == 1) CHECK(std::ranges::is_sorted(sums));
  }
}

TEST_CASE("what was posted before the end is done before it") {
  std::atomic<int> done{0};
  {
    net::offload away(2);
    for (int i = 0; i < 1000; ++i) away.post([&] { ++done; });
  }
  CHECK(done == 1000);
}
