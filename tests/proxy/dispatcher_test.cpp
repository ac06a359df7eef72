// Attempts of durable batches against a store that is slow, full or broken: nothing goes to a
// worker before its number is durable, nothing that ended is forgotten, no worker is asked twice
// for what it has answered.
#include <catch2/catch.hpp>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "durable_kit.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using store::batch_state;
using store::trouble;

// Counts what it is asked, keeps the last request, and answers.
struct counting_worker {
  explicit counting_worker(std::function<std::string(const http_message&)> answer = echo)
      : worker([this, answer](wire& w) {
          while (const http_message m = w.read()) {
            {
              const std::lock_guard guard(lock);
              ++asked;
              last = m;
            }
            if (!w.say(answer(m))) return;
          }
        }) {}
  http_message seen() {
    const std::lock_guard guard(lock);
    return last;
  }
  std::atomic<int> asked{0};
  std::mutex lock;
  http_message last;
  fake_worker worker;   // ends first
};

// Takes requests and answers none until it is let go.
struct holding_worker {
  ~holding_worker() { let_go(); }
  void let_go() {
    if (!std::exchange(gone_on, true)) go_on.set_value();
  }
  bool gone_on = false;
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  counting_worker inner{[this](const http_message& m) {
    held.wait();
    return echo(m);
  }};
};

}  // namespace

TEST_CASE("nothing goes to a worker before the attempt's number is durable") {
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().hold(store_call::open_attempt);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().held(store_call::open_attempt) == 1; }));
  front.on_loops([](proxy::door&) {});   // whatever the loop had to do, it did
  CHECK(w.worker.connections() == 0);
  CHECK(state_of(front, id) == batch_state::queued);
  front.store().release(store_call::open_attempt);
  CHECK(becomes(front, id, batch_state::succeeded));
  CHECK(w.asked == 1);
  CHECK(w.seen().field("Weir-Attempt") == "1");
}

TEST_CASE("the next attempt begins only when the end of the one before it is durable") {
  std::atomic<int> asked{0};
  fake_worker worker(answering([&](const http_message& m) {
    return ++asked == 1 ? response(503, "busy", "Retry-After: 0\r\n") : echo(m);
  }));
  front_kit front(durable());
  front.add("w1", worker);
  front.store().hold(store_call::end_attempt);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().held(store_call::end_attempt) == 1; }));
  CHECK(front.store().calls(store_call::open_attempt) == 1);
  CHECK(asked == 1);
  front.store().release(store_call::end_attempt);
  CHECK(becomes(front, id, batch_state::succeeded));
  const auto notes = history(front, id);
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].number == 1);
  CHECK(notes[0].outcome == "busy");
  CHECK(notes[1].number == 2);
  CHECK(notes[1].outcome == "succeeded");
}

TEST_CASE("a store that cannot open an attempt gives the slot back and is asked again later") {
  const trouble what = GENERATE(trouble::full, trouble::io);
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().fail(store_call::open_attempt, what);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().calls(store_call::open_attempt) >= 1; }));
  CHECK(becomes(front, id, batch_state::succeeded));
  CHECK(w.asked == 1);
  CHECK(front.store().calls(store_call::open_attempt) == 2);
  CHECK(find(front, id).attempts == 1);
}

TEST_CASE("a batch that is not open any more leaves the pool without a byte sent") {
  const trouble what = GENERATE(trouble::conflict, trouble::not_found, trouble::damaged);
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().fail(store_call::open_attempt, what);
  post_async(front);
  REQUIRE(eventually([&] { return front.store().calls(store_call::open_attempt) == 1; }));
  CHECK(eventually([&] { return front.idle(); }));
  CHECK(w.worker.connections() == 0);
  const auto next = post_async(front);   // the slot is there for others
  CHECK(becomes(front, next, batch_state::succeeded));
  CHECK(w.asked == 1);
}

TEST_CASE("an end that the store cannot write is written again, and no worker is asked twice") {
  const trouble what = GENERATE(trouble::full, trouble::io);
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().fail(store_call::end_attempt, what, 2);
  const auto id = post_async(front, "rows");
  CHECK(becomes(front, id, batch_state::succeeded));
  CHECK(front.store().calls(store_call::end_attempt) == 3);
  CHECK(w.asked == 1);
  CHECK(find(front, id).attempts == 1);
  CHECK(result_of(front, id).body == "POST /load HTTP/1.1\nrows");
}

TEST_CASE("an end that the store will never take ends the run, and its slot is free") {
  std::atomic<int> asked{0};
  fake_worker worker(answering([&](const http_message& m) {
    return ++asked == 1 ? response(503, "busy", "Retry-After: 0\r\n") : echo(m);
  }));
  front_kit front(durable());
  front.add("w1", worker);
  front.store().fail(store_call::end_attempt, GENERATE(trouble::closed, trouble::not_found));
  post_async(front);
  REQUIRE(eventually([&] { return front.store().calls(store_call::end_attempt) == 1; }));
  CHECK(eventually([&] { return front.idle(); }));
  CHECK(becomes(front, post_async(front), batch_state::succeeded));
}

// --- bodies -------------------------------------------------------------------------------------

TEST_CASE("a long body is sent whole, and again whole after an attempt that failed") {
  std::atomic<int> asked{0};
  const std::string body(3'000'000, 'r');
  std::atomic<bool> same{true};
  fake_worker worker([&](wire& w) {
    while (const http_message m = w.read()) {
      same = same && m.body == body;
      if (++asked == 1) return w.reset();
      if (!w.say(response(200, "done"))) return;
    }
  });
  front_kit front(with_files());
  front.add("w1", worker);
  const auto id = post_async(front, body);
  CHECK(becomes(front, id, batch_state::succeeded));
  CHECK(asked == 2);
  CHECK(same);
  CHECK(history(front, id).size() == 2);
}

TEST_CASE("a body's file that is not what the client sent makes a dead letter, and is not sent") {
  counting_worker w;
  front_kit front(with_files());
  front.store().hold(store_call::open_attempt);
  front.add("w1", w.worker);
  const auto id = post_async(front, std::string(1000, 'r'));
  const std::string path = front.store().bodies().path(find(front, id).body.spool);
  const int how = GENERATE(0, 1, 2);
  if (how == 0) std::filesystem::remove(path);
  if (how == 1) std::filesystem::resize_file(path, 999);
  if (how == 2) std::fstream(path, std::ios::in | std::ios::out).seekp(500).put('x');
  front.store().release(store_call::open_attempt);
  CHECK(becomes(front, id, batch_state::failed));
  CHECK(w.worker.connections() == 0);
  const auto notes = history(front, id);
  REQUIRE_FALSE(notes.empty());
  CHECK(notes.back().outcome == "damaged");
  CHECK_THAT(notes.back().detail, Catch::Contains("spool file"));
  CHECK(eventually([&] { return front.idle(); }));
}

TEST_CASE("a body's file that cannot be read now is tried again, not condemned") {
  counting_worker w;
  front_kit front(with_files());
  front.store().hold(store_call::open_attempt);
  front.add("w1", w.worker);
  const auto id = post_async(front, std::string(1000, 'r'));
  const std::string path = front.store().bodies().path(find(front, id).body.spool);
  // Something is at the way of the file that can be opened but not read.
  std::filesystem::rename(path, path + ".aside");
  std::filesystem::create_directory(path);
  front.store().release(store_call::open_attempt);
  REQUIRE(eventually([&] { return find(front, id).attempts == 1; }));
  REQUIRE(eventually([&] { return state_of(front, id) == batch_state::queued; }));
  CHECK(w.worker.connections() == 0);
  std::filesystem::remove(path);
  std::filesystem::rename(path + ".aside", path);
  CHECK(becomes(front, id, batch_state::succeeded));
  CHECK(w.asked == 1);
  CHECK(w.seen().body == std::string(1000, 'r'));
  const auto notes = history(front, id);
  REQUIRE(notes.size() >= 2);
  CHECK(notes[0].outcome != "damaged");
  CHECK(notes[0].ended > 0);
  CHECK_THAT(notes[0].detail, Catch::Contains("spool file"));
}

// --- answers ------------------------------------------------------------------------------------

TEST_CASE("answers of every size are kept byte for byte, long ones in files") {
  const std::size_t size = GENERATE(0, 1, 10, 11, 100'000, 3'000'000);
  const std::string body(size, 'a');
  fake_worker worker(answering([&](const http_message&) { return response(201, body); }));
  front_kit front(with_files());
  front.add("w1", worker);
  const auto id = post_async(front, "rows");
  REQUIRE(becomes(front, id, batch_state::succeeded));
  CHECK(spool_files(front) == (size > 10 ? 1 : 0));
  const auto got = result_of(front, id);
  CHECK(got.status() == 201);
  CHECK(got.whole);
  CHECK((got.body == body));
}

TEST_CASE("an answer over the limit is not kept, and the batch has succeeded all the same") {
  fake_worker worker(answering([&](const http_message&) {
    return response(200, std::string(1001, 'a'));
  }));
  wishes w = durable();
  w.limits = [](config::limits& l) { l.inline_bytes_max = 10, l.result_bytes_max = 1000; };
  front_kit front(w);
  front.add("w1", worker);
  const auto id = post_async(front);
  REQUIRE(becomes(front, id, batch_state::succeeded));
  const auto notes = history(front, id);
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0].detail, Catch::Contains("limits.result_bytes_max"));
  CHECK(result_of(front, id).status() == 410);
  CHECK(eventually([&] { return spool_files(front) == 0; }));
}

TEST_CASE("an answer that cannot be kept does not undo what the worker did") {
  counting_worker w([](const http_message&) { return response(200, std::string(1000, 'a')); });
  front_kit front(with_files());
  front.add("w1", w.worker);
  // Where answers would go there is nothing any more.
  std::filesystem::remove_all(front.state_path("spool"));
  const auto id = post_async(front, "short");
  REQUIRE(becomes(front, id, batch_state::succeeded));
  CHECK(w.asked == 1);
  const auto notes = history(front, id);
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0].detail, Catch::Contains("could not be kept"));
  CHECK(result_of(front, id).status() == 410);
}

TEST_CASE("a failing answer is kept for the dead letter with the last attempt's reason") {
  wishes w = durable();
  w.route = [](config::route& r) { r.async_retry.attempts = 1; };
  front_kit front(w);
  fake_worker worker(answering([](const http_message&) { return response(500, "no disk"); }));
  front.add("w1", worker);
  const auto id = post_async(front);
  REQUIRE(becomes(front, id, batch_state::failed));
  CHECK(history(front, id).back().detail == "the worker answered 500");
  const auto got = result_of(front, id);
  CHECK(got.status() == 500);
  CHECK(got.body == "no disk");
}

// --- cancelling and shutting down ---------------------------------------------------------------

TEST_CASE("a batch that is cancelled while its attempt is being opened is not sent") {
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().hold(store_call::open_attempt);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().held(store_call::open_attempt) == 1; }));
  const auto hex = store::hex_of(id);
  const std::string at = "/_weir/batches/" + std::string(hex.data(), hex.size());
  CHECK(front.ask("DELETE " + at + " HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
  front.store().release(store_call::open_attempt);
  CHECK(eventually([&] { return front.idle(); }));
  CHECK(w.worker.connections() == 0);
  CHECK(state_of(front, id) == batch_state::cancelled);
  CHECK(find(front, id).attempts == 0);
}

TEST_CASE("a batch that is cancelled while its end waits to be written stays cancelled") {
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().hold(store_call::end_attempt);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().held(store_call::end_attempt) == 1; }));
  const auto hex = store::hex_of(id);
  const std::string at = "/_weir/batches/" + std::string(hex.data(), hex.size());
  CHECK(front.ask("DELETE " + at + " HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
  front.store().release(store_call::end_attempt);
  CHECK(eventually([&] { return front.idle(); }));
  CHECK(state_of(front, id) == batch_state::cancelled);
  CHECK(w.asked == 1);
}

TEST_CASE("a shutdown breaks attempts off, and their batches are queued in the store") {
  holding_worker w;
  front_kit front(durable());
  front.add("w1", w.inner.worker);
  const auto running = post_async(front), waiting = post_async(front);
  REQUIRE(eventually([&] { return w.inner.asked == 1; }));
  front.end();
  w.let_go();
  for (const auto& id : {running, waiting}) {
    CHECK(state_of(front, id) == batch_state::queued);
    CHECK(find(front, id).tries == 0);   // a shutdown is nobody's failure
  }
  const auto notes = history(front, running);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].ended > 0);
  CHECK(history(front, waiting).empty());
  CHECK(w.inner.asked == 1);
}

TEST_CASE("a shutdown does not wait for a store that cannot write an end") {
  counting_worker w;
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().fail(store_call::end_attempt, trouble::io, 1'000'000);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return front.store().calls(store_call::end_attempt) >= 1; }));
  front.end();
  CHECK(state_of(front, id) == batch_state::running);   // queued again at the next start
  CHECK(w.asked == 1);
}

TEST_CASE("a cancelled batch whose end cannot be written does not hold a shutdown up either") {
  holding_worker w;
  front_kit front(durable());
  front.add("w1", w.inner.worker);
  front.store().fail(store_call::end_attempt, trouble::io, 1'000'000);
  const auto id = post_async(front);
  REQUIRE(eventually([&] { return w.inner.asked == 1; }));
  const auto hex = store::hex_of(id);
  const std::string at = "/_weir/batches/" + std::string(hex.data(), hex.size());
  CHECK(front.ask("DELETE " + at + " HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
  REQUIRE(eventually([&] { return front.store().calls(store_call::end_attempt) >= 1; }));
  w.let_go();
  front.end();
  CHECK(state_of(front, id) == batch_state::cancelled);
}

TEST_CASE("batches that wait for a first worker are done in the order in which they came") {
  std::vector<std::string> bodies;
  std::mutex lock;
  fake_worker worker(answering([&](const http_message& m) {
    const std::lock_guard guard(lock);
    bodies.push_back(m.body);
    return echo(m);
  }));
  front_kit front(durable());
  for (unsigned n = 0; n < 20; ++n) post_async(front, std::to_string(n));   // no worker yet
  front.add("w1", worker);
  CHECK(eventually([&] {
    const std::lock_guard guard(lock);
    return bodies.size() == 20;
  }));
  const std::lock_guard guard(lock);
  for (unsigned n = 0; n < 20; ++n) CHECK(bodies[n] == std::to_string(n));
}
