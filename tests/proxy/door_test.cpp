// Listeners and connections of one loop: what is accepted, counted, and how listeners close.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

#include "front_kit.hpp"

namespace {

using namespace weir;
using test::fake_worker;
using test::front_kit;
using test::get;
using test::wire;

// Nothing can be read right now.
bool silent(const wire& w) {
  pollfd p{w.fd(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 0;
}

}  // namespace

TEST_CASE("no more than connections_max are served at once, the next is taken when one goes") {
  fake_worker worker(test::answering(test::echo));
  test::wishes w;
  w.limits = [](config::limits& l) { l.connections_max = 2; };
  front_kit front(w);
  front.add("w1", worker);
  wire one = front.connect(), two = front.connect();
  for (wire* c : {&one, &two}) {
    c->say(get("/load"));
    CHECK(c->read().status() == 200);
  }
  wire three = front.connect();   // the kernel queues it
  three.say(get("/load"));
  REQUIRE(test::eventually([&] { return front.plan->hits.connections->total() > 0; }));
  CHECK(silent(three));
  one.close();
  CHECK(three.read().status() == 200);
}

TEST_CASE("a closed listener takes what the kernel had queued, and a new one gets the rest") {
  fake_worker worker(test::answering(test::echo));
  front_kit front;
  front.add("w1", worker);
  wire before = front.connect();
  front.on_loops([](proxy::door& d) { d.close_listener("another"); });
  wire still = front.connect();
  front.on_loops([](proxy::door& d) { d.close_listener("front"); });
  for (wire* c : {&before, &still}) {
    c->say(get("/load"));
    CHECK(c->read().status() == 200);
  }
}

TEST_CASE("who waits for closed listeners is told once they accept no more, or at once") {
  front_kit front;
  const auto refused = [&] {
    const net::socket_address at = front.where();
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool failed = ::connect(fd, at.data(), at.size) != 0;
    ::close(fd);
    return failed;
  };
  int at_once = 0;
  front.on_loops([&](proxy::door& d) { d.when_closed([&] { ++at_once; }); });
  CHECK(at_once == 1);
  std::promise<bool> first, second;
  front.on_loops([&](proxy::door& d) {
    d.close_listeners();
    d.when_closed([&] { first.set_value(refused()); });
    d.when_closed([&] { second.set_value(refused()); });
  });
  CHECK(first.get_future().get());
  CHECK(second.get_future().get());
}

TEST_CASE("connections are counted by listener while they are open") {
  front_kit front;
  {
    wire one = front.connect(), two = front.connect();
    CHECK(test::eventually([&] { return *front.listener->connections == 2; }));
  }
  CHECK(test::eventually([&] { return *front.listener->connections == 0; }));
}
