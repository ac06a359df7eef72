#include "app/state_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "scratch.hpp"

namespace {

using namespace weir;

config::settings in_folder(const std::string& folder) {
  config::settings s;
  s.state_dir = folder;
  return s;
}

// Why it cannot be opened; empty when it can.
std::string complaint(const config::settings& s) {
  boost::asio::io_context io;
  net::offload files(1);
  app::front front(1, nullptr, {});
  const auto opened = app::state_dir::open(io, s, front, files, [] {});
  return opened ? std::string{} : opened.error();
}

}  // namespace

TEST_CASE("without a state_dir there are keys in memory, and no asynchronous batches") {
  boost::asio::io_context io;
  net::offload files(1);
  app::front front(1, nullptr, {});
  auto state = app::state_dir::open(io, {}, front, files, [] {});
  REQUIRE(state.has_value());
  CHECK((*state)->durable() == nullptr);
  CHECK((*state)->room() == nullptr);
  CHECK((*state)->ready());
  std::optional<admin::failure> why;
  (*state)->batches({}, [&](admin::answer<std::string> a) { why = a.error(); });
  REQUIRE(why.has_value());
  CHECK(why->what == admin::failure::kind::conflict);
  CHECK(why->detail.find("state_dir is not set") != std::string::npos);
}

TEST_CASE("a state_dir is made when it is missing, and is one weir's at a time") {
  const test::scratch_folder scratch;
  const std::string folder = scratch.path("state");
  boost::asio::io_context io;
  net::offload files(1);
  app::front front(1, nullptr, {});
  {
    auto first = app::state_dir::open(io, in_folder(folder), front, files, [] {});
    REQUIRE(first.has_value());
    CHECK((*first)->durable() != nullptr);
    CHECK_FALSE((*first)->ready());   // what waits there was not told to a pool yet
    CHECK(complaint(in_folder(folder)).find("another weir") != std::string::npos);
  }
  CHECK(std::filesystem::exists(folder + "/batches.db"));
  CHECK(complaint(in_folder(folder)).empty());
}

TEST_CASE("a state_dir that cannot be made is told with its path") {
  CHECK(complaint(in_folder("/proc/nowhere")).find("state_dir /proc/nowhere: ") == 0);
}

TEST_CASE("changes of many batches are refused for states that they are not for") {
  const test::scratch_folder scratch;
  boost::asio::io_context io;
  net::offload files(1);
  app::front front(1, nullptr, {});
  auto state = app::state_dir::open(io, in_folder(scratch.path("state")), front, files, [] {});
  REQUIRE(state.has_value());
  using admin::batch_change;
  struct row {
    batch_change what;
    const char *state, *told;
  };
  const row rows[] = {
      {batch_change::cancel, "failed", "batches that are failed cannot be cancelled"},
      {batch_change::requeue, "succeeded", "batches that are succeeded cannot be requeued"},
      {batch_change::drop, "running", "batches that are running cannot be dropped"},
      {batch_change::drop, "odd", "state: 'odd', expected one of queued"},
  };
  for (const row& r : rows) {
    std::optional<admin::failure> why;
    admin::batch_filter filter;
    filter.state = r.state;
    (*state)->change_all(r.what, filter,
                         [&](admin::answer<admin::change_report> a) { why = a.error(); });
    REQUIRE(why.has_value());
    CHECK(why->detail.find(r.told) == 0);
  }
}
