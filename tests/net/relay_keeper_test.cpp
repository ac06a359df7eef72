// net::relay with a keeper that has no room, or gave up.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "loop_fixture.hpp"
#include "net/relay.hpp"

namespace {

using namespace weir;
using http::body_kind;
using net::relay_end;

// Takes so much at once; then it is full until told otherwise.
struct narrow final : net::body_keeper {
  narrow(net::loop& l, std::size_t at_once) : room(l), step(at_once) {}
  void keep(std::string_view b) override {
    CHECK(held < step);   // never asked to keep when full
    bytes += b;
    held += b.size();
  }
  bool keeping() const noexcept override { return keeps; }
  net::signal* full() noexcept override {
    if (held < step) return nullptr;
    ++waits;
    return &room;
  }
  void empty() {
    held = 0;
    room.ring();
  }
  net::signal room;
  std::size_t step, held = 0, waits = 0;
  bool keeps = true;
  std::string bytes;
};

struct lane {
  explicit lane(net::loop& l) {
    client.open(l, in.near), source.open(l, in.far);
    sink.open(l, out.near), worker.open(l, out.far);
  }
  test::socket_pair in, out;
  net::socket client, source, sink, worker;
  net::relay_stock stock{net::buffer_pool(4096, 4), net::pipe_pool(1)};
  net::relay_progress progress;
};

net::task<void> write_all(net::loop& l, net::socket& s, std::string text, bool& done) {
  net::relay_progress ignored;
  (void)co_await net::write_all(l, s, text, ignored);
  done = true;
}

net::task<void> read_all(net::socket& s, std::string& into, net::signal& done) {
  std::array<char, 7001> room;
  for (;;) {
    (void)co_await s.readable();
    const net::io r = s.try_read(room);
    if (r.what == net::io::kind::end || r.what == net::io::kind::failed) break;
    if (r.what == net::io::kind::done) into.append(room.data(), r.bytes);
  }
  done.ring();
}

// Makes room whenever it is missing, until `over`.
net::task<void> empty_often(net::loop& l, narrow& keeper, bool& over, bool& ended) {
  while (!over) {
    if (keeper.held >= keeper.step) keeper.empty();
    co_await net::yield{l};
  }
  ended = true;
}

}  // namespace

TEST_CASE("a relay waits for a keeper that has no room, and every byte is kept and sent once") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    lane a(l);
    narrow keeper(l, 10'000);
    const std::string body(1'000'000, 'b');
    bool written = false, over = false, ended = false;
    std::string received;
    net::signal read(l);
    net::spawn(write_all(l, a.client, body, written));
    net::spawn(read_all(a.worker, received, read));
    net::spawn(empty_often(l, keeper, over, ended));
    net::body_source s;
    s.from = &a.source, s.kind = body_kind::length, s.left = body.size();
    net::body_sink k{&a.sink, body_kind::length, "HEAD", 0};
    const relay_end end = co_await net::relay(l, s, k, a.stock, a.progress, &keeper);
    CHECK(end == relay_end::done);
    over = true;
    a.sink.close();
    co_await read;
    co_await test::turn_until(l, [&] { return ended && written; });
    CHECK((received == "HEAD" + body));
    CHECK((keeper.bytes == body));
    CHECK(keeper.waits > 10);
  }(f.loop));
}

TEST_CASE("an interrupt on either side ends a relay that waits for its keeper, once it is told") {
  for (const bool at_source : {true, false}) {
    INFO((at_source ? "source" : "sink"));
    test::loop_fixture f;
    f.run([](net::loop& l, bool source) -> net::task<void> {
      lane a(l);
      narrow keeper(l, 4);
      net::body_source s;
      s.from = &a.source, s.kind = body_kind::length, s.left = 1000, s.buffered = "first";
      net::body_sink k{&a.sink, body_kind::length, {}, 0};
      net::relay_progress ignored;
      (void)co_await net::write_all(l, a.client, "second", ignored);
      l.post([&] { keeper.room.ring(); });   // nothing has changed: it waits on
      l.post([&] {
        (source ? a.source : a.sink).interrupt();
        keeper.room.ring();
      });
      const relay_end end = co_await net::relay(l, s, k, a.stock, a.progress, &keeper);
      CHECK(end == relay_end::interrupted);
      CHECK(keeper.bytes == "first");
      CHECK(keeper.waits >= 2);
      CHECK(s.buffered == "second");   // still there for whoever goes on
      CHECK(a.stock.buffers.taken() == 0);
    }(f.loop, at_source));
  }
}

TEST_CASE("the rest of a body that its keeper gave up is spliced") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    lane a(l);
    narrow keeper(l, ~std::size_t{0});
    keeper.keeps = false;
    const std::string body(500'000, 'b');
    bool written = false;
    std::string received;
    net::signal read(l);
    net::spawn(write_all(l, a.client, body, written));
    net::spawn(read_all(a.worker, received, read));
    net::body_source s;
    s.from = &a.source, s.kind = body_kind::length, s.left = body.size();
    net::body_sink k{&a.sink, body_kind::length, {}, 0};
    const relay_end end = co_await net::relay(l, s, k, a.stock, a.progress, &keeper);
    CHECK(end == relay_end::done);
    a.sink.close();
    co_await read;
    co_await test::turn_until(l, [&] { return written; });
    CHECK((received == body));
    CHECK(keeper.bytes.empty());   // none of it came by
  }(f.loop));
}
