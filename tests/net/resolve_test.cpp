#include "net/resolve.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <deque>
#include <optional>

#include "net/loopback_server.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using net::followed_name;
using net::lookup_answer;
using net::name_news;
using test::run_until;

net::addresses parse(const std::vector<std::string>& texts) {
  net::addresses list;
  for (const auto& t : texts) list.push_back(*base::parse_ip(t));
  return list;
}

std::string text(const std::vector<net::socket_address>& list) {
  std::string out;
  for (const auto& a : list) out += (out.empty() ? "" : " ") + to_string(a);
  return out;
}

// A resolver whose answers the test writes down in advance; the last one is repeated.
struct scripted {
  explicit scripted(std::deque<lookup_answer> script) : answers(std::move(script)) {}
  net::resolver make() {
    return net::resolver(context, [this](const std::string& host, net::resolver::answered tell) {
      asked.push_back(host);
      lookup_answer next = answers.front();
      if (answers.size() > 1) answers.pop_front();
      boost::asio::post(context, [tell, next] { tell(next); });
    });
  }
  std::function<void(const name_news&)> note() {
    return [this](const name_news& n) {
      heard.push_back(text(n.list) + (n.error.empty() ? "" : " !" + std::string(n.error)));
    };
  }
  boost::asio::io_context context;
  std::deque<lookup_answer> answers;
  std::vector<std::string> asked, heard;
};

followed_name quick(const std::string& host, std::uint16_t port = 80) {
  followed_name what;
  what.host = host;
  what.port = port;
  what.interval = 1ms;
  what.retry_min = 1ms;
  return what;
}

}  // namespace

TEST_CASE("addresses with a port come sorted, IPv4 first and without repeats") {
  const auto list = parse({"::1", "10.0.0.9", "10.0.0.10", "::ffff:10.0.0.9", "2001:db8::1"});
  CHECK(text(net::make_socket_addresses(list, 443)) ==
        "10.0.0.9:443 10.0.0.10:443 [::1]:443 [2001:db8::1]:443");
}

TEST_CASE("a numeric host is never looked up and is there at once") {
  for (const auto& [host, shown] :
       {std::pair("192.0.2.7", "192.0.2.7:9001"), std::pair("2001:db8::7", "[2001:db8::7]:9001")}) {
    scripted s({lookup_answer("must not be asked")});
    auto resolver = s.make();
    const auto watch = resolver.follow(quick(host, 9001), s.note());
    CHECK(text(watch.list()) == shown);
    CHECK(s.heard.empty());  // never from inside follow()
    REQUIRE(run_until(s.context, [&] { return !s.heard.empty(); }));
    CHECK(s.heard == std::vector<std::string>{shown});
    CHECK(s.asked.empty());
  }
}

TEST_CASE("a name is looked up again and a change is told once") {
  scripted s({parse({"10.0.0.2", "10.0.0.1"}), parse({"10.0.0.1", "10.0.0.2"}),
              parse({"10.0.0.1", "10.0.0.2"}), parse({"10.0.0.3"})});
  auto resolver = s.make();
  const auto watch = resolver.follow(quick("workers.test"), s.note());
  CHECK(watch.list().empty());
  REQUIRE(run_until(s.context, [&] { return s.asked.size() >= 7; }));
  CHECK(s.heard == std::vector<std::string>{"10.0.0.1:80 10.0.0.2:80", "10.0.0.3:80"});
  CHECK(s.asked.front() == "workers.test");
}

TEST_CASE("a failed lookup keeps the last good answer and tells the failure and its end") {
  scripted s({parse({"10.0.0.1"}), lookup_answer("no such host"), lookup_answer("no such host"),
              parse({"10.0.0.1"})});
  auto resolver = s.make();
  const auto watch = resolver.follow(quick("workers.test"), s.note());
  REQUIRE(run_until(s.context, [&] { return s.asked.size() >= 6; }));
  CHECK(s.heard ==
        std::vector<std::string>{"10.0.0.1:80", "10.0.0.1:80 !no such host", "10.0.0.1:80"});
}

TEST_CASE("the first answer is told when it is bad too") {
  scripted s({lookup_answer("no such host"), parse({"10.0.0.1"})});
  auto resolver = s.make();
  const auto watch = resolver.follow(quick("workers.test"), s.note());
  REQUIRE(run_until(s.context, [&] { return s.heard.size() == 2; }));
  CHECK(s.heard == std::vector<std::string>{" !no such host", "10.0.0.1:80"});
}

TEST_CASE("an answer without addresses counts as failed") {
  scripted s({parse({"10.0.0.1"}), parse({})});
  auto resolver = s.make();
  const auto watch = resolver.follow(quick("workers.test"), s.note());
  REQUIRE(run_until(s.context, [&] { return s.heard.size() == 2; }));
  CHECK(s.heard.back() == "10.0.0.1:80 !workers.test has no address");
}

TEST_CASE("addresses that the policy refuses are left out") {
  const auto refuse_link_local = [](std::string_view a) { return !a.starts_with("169.254."); };
  SECTION("some of an answer") {
    scripted s({parse({"169.254.169.254", "10.0.0.1"})});
    auto what = quick("workers.test");
    what.allowed = refuse_link_local;
    auto resolver = s.make();
    const auto watch = resolver.follow(what, s.note());
    REQUIRE(run_until(s.context, [&] { return !s.heard.empty(); }));
    CHECK(s.heard.front() == "10.0.0.1:80");
  }
  SECTION("all of it, after a good one: that one stands") {
    scripted s({parse({"10.0.0.1"}), parse({"169.254.169.254"})});
    auto what = quick("rebinding.test");
    what.allowed = refuse_link_local;
    auto resolver = s.make();
    const auto watch = resolver.follow(what, s.note());
    REQUIRE(run_until(s.context, [&] { return s.heard.size() == 2; }));
    CHECK(s.heard.back() ==
          "10.0.0.1:80 !no address of rebinding.test may be used, such as 169.254.169.254");
  }
  SECTION("a numeric host") {
    scripted s({lookup_answer("must not be asked")});
    auto what = quick("169.254.169.254");
    what.allowed = refuse_link_local;
    auto resolver = s.make();
    const auto watch = resolver.follow(what, s.note());
    REQUIRE(run_until(s.context, [&] { return !s.heard.empty(); }));
    CHECK(watch.list().empty());
    CHECK(s.heard.front().starts_with(" !no address of 169.254.169.254"));
  }
}

TEST_CASE("a dropped watch is silent and looks nothing up any more") {
  scripted s({parse({"10.0.0.1"}), parse({"10.0.0.2"})});
  auto resolver = s.make();
  SECTION("before the answer") {
    { const auto watch = resolver.follow(quick("workers.test"), s.note()); }
    s.context.run();  // ends: nothing is left to wait for
    CHECK(s.heard.empty());
    CHECK(s.asked.size() == 1);
  }
  SECTION("a numeric one before it was told") {
    { const auto watch = resolver.follow(quick("10.0.0.1"), s.note()); }
    s.context.run();
    CHECK(s.heard.empty());
  }
  SECTION("from within its own callback") {
    std::optional<net::name_watch> watch;
    watch = resolver.follow(quick("workers.test"), [&](const name_news& n) {
      watch.reset();
      s.note()(n);  // what it was given still stands
    });
    s.context.run();
    CHECK(s.heard == std::vector<std::string>{"10.0.0.1:80"});
  }
  SECTION("by moving another one over it") {
    auto watch = resolver.follow(quick("workers.test"), s.note());
    watch = net::name_watch();
    s.context.run();
    CHECK(s.heard.empty());
    CHECK(watch.list().empty());
  }
}

TEST_CASE("names are followed independently of each other") {
  scripted s({parse({"10.0.0.1"})});
  auto resolver = s.make();
  const auto one = resolver.follow(quick("one.test", 1), s.note());
  {
    const auto two = resolver.follow(quick("two.test", 2), s.note());
    REQUIRE(run_until(s.context, [&] { return s.heard.size() == 2; }));
  }
  const auto so_far = s.asked.size();
  REQUIRE(run_until(s.context, [&] { return s.asked.size() >= so_far + 4; }));
  CHECK(std::count(s.asked.begin() + static_cast<std::ptrdiff_t>(so_far) + 1, s.asked.end(),
                   "two.test") == 0);
  CHECK(text(one.list()) == "10.0.0.1:1");
}

TEST_CASE("the system's resolver knows localhost, and says why it does not know a name") {
  boost::asio::io_context context;
  net::resolver resolver(context);
  std::optional<lookup_answer> good, bad;
  resolver.once("localhost", 30s, [&](lookup_answer a) { good = std::move(a); });
  // A label of more than 63 bytes (RFC 1035 §2.3.4) is refused before anybody is asked.
  const std::string impossible = std::string(70, 'a') + ".invalid";
  resolver.once(impossible, 30s, [&](lookup_answer a) { bad = std::move(a); });
  REQUIRE(run_until(context, [&] { return good && bad; }));
  REQUIRE(good->has_value());
  for (const auto& address : **good) CHECK(base::is_loopback(address));
  REQUIRE(bad->has_error());
  CHECK(bad->error().starts_with("cannot resolve " + impossible + ": "));
}

TEST_CASE("one lookup answers within its time even when the lookup never does") {
  boost::asio::io_context context;
  net::resolver::answered kept;
  net::resolver resolver(context, [&](const std::string&, auto tell) { kept = std::move(tell); });
  std::vector<std::string> heard;
  resolver.once("slow.test", 1ms, [&](lookup_answer a) { heard.push_back(a.error()); });
  REQUIRE(run_until(context, [&] { return !heard.empty(); }));
  kept(parse({"10.0.0.1"}));  // too late, and not told
  context.run();
  CHECK(heard == std::vector<std::string>{"cannot resolve slow.test: timed out"});
}

TEST_CASE("one lookup of a numeric host is answered from the loop") {
  boost::asio::io_context context;
  net::resolver resolver(context, [](const std::string&, auto) { FAIL("must not be asked"); });
  std::optional<lookup_answer> found;
  resolver.once("::1", 1s, [&](lookup_answer a) { found = std::move(a); });
  CHECK(!found);
  context.run();
  REQUIRE(found);
  CHECK(base::is_loopback((*found)->front()));
}
