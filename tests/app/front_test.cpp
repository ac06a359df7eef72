#include "app/front.hpp"

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "net/listener.hpp"
#include "net/test_certificates.hpp"

namespace {

using namespace weir;

config::address tcp() { return {"127.0.0.1", 0, {}}; }

// Runs on every loop and waits for it.
void on_each(app::front& f, std::function<void(proxy::door&)> what) {
  std::promise<void> done;
  f.each(std::move(what), [&] { done.set_value(); });
  done.get_future().wait();
}

struct running_front {
  explicit running_front(unsigned threads) : front(threads, nullptr, {}) { front.start(); }
  ~running_front() {
    front.stop();
    front.join();
  }
  app::front front;
};

}  // namespace

TEST_CASE("each runs on every loop's own thread, and says once that all have run it") {
  running_front r(3);
  std::atomic<int> ran{0}, wrong{0}, done{0};
  std::promise<void> ended;
  r.front.each(
      [&](proxy::door& d) {
        ++ran;
        wrong += net::loop::current() != &d.loop();
      },
      [&] {
        ++done;
        ended.set_value();
      });
  ended.get_future().wait();
  CHECK(ran == 3);
  CHECK(wrong == 0);
  CHECK(done == 1);
  CHECK(r.front.threads() == 3);
}

TEST_CASE("settlements reach the loop that their owner's number names") {
  running_front r(3);
  std::vector<std::unique_ptr<proxy::verdict_cell>> cells(3);
  std::vector<std::uint64_t> numbers(3);
  on_each(r.front, [&](proxy::door& d) {
    const auto i = d.loop().index();
    cells[i] = std::make_unique<proxy::verdict_cell>(d.loop());
    numbers[i] = d.in().waiting.enter(*cells[i]);
  });
  std::vector<proxy::settlement> all;
  for (const auto n : numbers) all.push_back({n, true, {}, core::refusal::none, {}});
  r.front.settle(all);   // from a thread that is no loop's: posted
  std::atomic<int> granted{0};
  on_each(r.front, [&](proxy::door& d) {
    const auto i = d.loop().index();
    granted += cells[i]->now == proxy::verdict_cell::state::granted;
    d.in().waiting.leave(numbers[i]);
  });
  CHECK(granted == 3);
}

TEST_CASE("on the owner's own loop a settlement acts at once") {
  running_front r(2);
  auto now = proxy::verdict_cell::state::waiting;
  auto why = core::refusal::none;
  on_each(r.front, [&](proxy::door& d) {
    if (d.loop().index() != 1) return;
    proxy::verdict_cell cell(d.loop());
    const auto number = d.in().waiting.enter(cell);
    const proxy::settlement s{number, false, {}, core::refusal::closing, {}};
    r.front.settle({&s, 1});
    now = cell.now;
    why = cell.why;
    d.in().waiting.leave(number);
  });
  CHECK(now == proxy::verdict_cell::state::evicted);
  CHECK(why == core::refusal::closing);
}

TEST_CASE("connections to a pool's workers are one set for each loop and pool, kept") {
  app::front f(2, nullptr, {});
  const auto a = f.links_of(0, "a");
  CHECK(a == f.links_of(0, "a"));
  CHECK(a != f.links_of(0, "b"));
  CHECK(a != f.links_of(1, "a"));
}

TEST_CASE("every loop is handed its own connections to a pool's workers, while others are made") {
  running_front r(3);
  std::atomic<int> wrong{0};
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 50; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ends.push_back(done->get_future());
    r.front.each_links(
        "pool-" + std::to_string(i % 10),
        [&](proxy::links& l) { wrong += net::loop::current() != &l.loop(); },
        [done] { done->set_value(); });
  }
  for (auto& e : ends) e.wait();
  CHECK(wrong == 0);
}

TEST_CASE("connections of a pool that is gone are forgotten, and made anew when it comes back") {
  running_front r(2);
  std::weak_ptr<proxy::links> before = r.front.links_of(0, "a");
  r.front.retire_links("a");
  r.front.retire_links("never-was");
  on_each(r.front, [](proxy::door&) {});
  on_each(r.front, [](proxy::door&) {});   // what ran before has been thrown away
  CHECK(before.expired());
  CHECK(r.front.links_of(0, "a") != nullptr);
}

TEST_CASE("a TCP address is bound once for each loop on one port, a unix path once") {
  app::front f(3, nullptr, {});
  const auto made = f.bind(tcp());
  REQUIRE(made.has_value());
  CHECK(made->descriptors.size() == 3);
  CHECK(port_of(made->at) != 0);
  for (const int fd : made->descriptors) {
    CHECK(net::local_address(fd) == made->at);
    ::close(fd);
  }
  test::scratch_folder folder;
  const auto unix_made = f.bind({{}, 0, folder.path("weir.sock")});
  REQUIRE(unix_made.has_value());
  CHECK(unix_made->descriptors.size() == 1);
  ::close(unix_made->descriptors[0]);
}

TEST_CASE("an address that another front has is refused, one of this process's own is joined") {
  app::front mine(2, nullptr, {}), other(2, nullptr, {});
  const auto first = mine.bind(tcp());
  REQUIRE(first.has_value());
  const config::address same{"127.0.0.1", port_of(first->at), {}};
  const auto refused = other.bind(same);
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error(), Catch::Contains(to_string(first->at)) &&
                                  Catch::Contains("another process listens there"));
  const std::vector<net::socket_address> ours{first->at};
  const auto joined = mine.bind(same, ours);
  REQUIRE(joined.has_value());
  const auto wider = mine.bind({"0.0.0.0", same.port, {}}, ours);
  REQUIRE(wider.has_value());
  for (const auto* b : {&*first, &*joined, &*wider})
    for (const int fd : b->descriptors) ::close(fd);
}

TEST_CASE("what cannot be bound says why, and leaves nothing open") {
  app::front f(2, nullptr, {});
  const int taken = *net::open_listener(net::socket_address::ip("127.0.0.1", 0).value(), false);
  const auto in_use = f.bind({"127.0.0.1", port_of(net::local_address(taken)), {}});
  REQUIRE_FALSE(in_use.has_value());
  CHECK_THAT(in_use.error(), Catch::Contains("in use"));
  ::close(taken);
  for (const char* host : {"localhost", "not an address", "999.1.1.1"}) {
    INFO(host);
    const auto bad = f.bind({host, 80, {}});
    REQUIRE_FALSE(bad.has_value());
    CHECK_THAT(bad.error(), Catch::Contains("expected a numeric address"));
  }
  CHECK_FALSE(f.bind({{}, 0, std::string(200, 'x')}).has_value());
}

TEST_CASE("a unix socket's connections are spread over all loops in turn") {
  running_front r(3);
  test::scratch_folder folder;
  auto bound = r.front.bind({{}, 0, folder.path("weir.sock")});
  REQUIRE(bound.has_value());
  const auto at = bound->at;
  auto plan = std::make_shared<proxy::plan>();
  on_each(r.front, [&](proxy::door& d) { d.publish(plan); });
  auto settings = std::make_shared<proxy::listener_plan>();
  settings->settings.name = "front";
  settings->settings.bind.unix_path = folder.path("weir.sock");
  settings->connections = std::make_shared<std::atomic<std::uint64_t>>(0);
  r.front.serve(std::move(*bound), settings);
  std::vector<int> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(clients.back(), at.data(), at.size) == 0);
  }
  const auto limit = net::loop::read_clock() + std::chrono::minutes(1);
  while (*settings->connections < 6 && net::loop::read_clock() < limit) std::this_thread::yield();
  CHECK(*settings->connections == 6);
  std::atomic<int> empty{0};
  on_each(r.front, [&](proxy::door& d) {
    bool none = false;
    d.when_empty([&] { none = true; });
    empty += none;
    if (!none) d.when_empty({});
    d.close_listeners();
    d.abort_sessions();
  });
  CHECK(empty == 0);   // every loop has some
  for (const int fd : clients) ::close(fd);
  while (*settings->connections > 0 && net::loop::read_clock() < limit) std::this_thread::yield();
  CHECK(*settings->connections == 0);
}
