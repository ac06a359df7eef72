#include "proxy/spill_file.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "../net/loop_fixture.hpp"
#include "file_faults.hpp"
#include "net/file.hpp"
#include "scratch.hpp"

namespace {

using namespace weir;
using test::turn_until;

struct listener final : proxy::spill_file::owner {
  void written(int error, std::string block) override {
    errors.push_back(error);
    blocks.push_back(std::move(block));
  }
  std::vector<int> errors;
  std::vector<std::string> blocks;
};

struct file_kit {
  file_kit() {
    p.replay = std::make_shared<proxy::replay_budget>();
    p.replay->disk_max = 1000;
    p.replay_folder = folder.path("");
  }
  std::shared_ptr<proxy::spill_file> make() {
    proxy::spill_file::owner& owner = told;
    return std::make_shared<proxy::spill_file>(f.loop, threads, p, owner);
  }
  std::uint64_t on_disk() const { return p.replay->on_disk; }
  net::task<void> told_of(std::size_t writes) {
    return turn_until(f.loop, [this, writes] { return told.errors.size() >= writes; });
  }
  test::scratch_folder folder;
  proxy::plan p;
  listener told;
  test::loop_fixture f;
  net::offload threads{1};   // in order
};

}  // namespace

TEST_CASE("what is reserved stays within the budget, and is given back once, by the last to go") {
  file_kit k;
  {
    const auto one = k.make(), two = k.make();
    CHECK(one->reserve(600));
    CHECK_FALSE(two->reserve(401));
    CHECK(two->reserve(400));
    CHECK_FALSE(one->reserve(1));
    CHECK(one->reserve(0));
    CHECK(k.on_disk() == 1000);
  }
  CHECK(k.on_disk() == 0);
  CHECK(k.told.errors.empty());
}

TEST_CASE("blocks stand in the file one behind the other, and come back to be used again") {
  file_kit k;
  k.f.run([](file_kit& kit) -> net::task<void> {
    auto file = kit.make();
    CHECK(file->descriptor() == -1);
    std::string all;
    for (const char* block : {"first ", "second ", "third"}) {
      proxy::spill_file::write(file, block);
      all += block;
      CHECK(file->size() == all.size());
      co_await kit.told_of(kit.told.errors.size() + 1);
      CHECK(kit.told.errors.back() == 0);
      CHECK(kit.told.blocks.back() == block);
    }
    std::string read(all.size(), '\0');
    CHECK(net::read_at(file->descriptor(), 0, read) == static_cast<std::int64_t>(all.size()));
    CHECK(read == all);
    const int fd = file->descriptor();
    proxy::spill_file::leave(std::move(file));
    co_await turn_until(kit.f.loop, [fd] { return ::fcntl(fd, F_GETFD) == -1; });
  }(k));
}

TEST_CASE("a failed write is told by its errno, and the next may still succeed") {
  file_kit k;
  k.f.run([](file_kit& kit) -> net::task<void> {
    auto file = kit.make();
    {
      const test::file_faults full(net::file_call::write, 1, ENOSPC);
      proxy::spill_file::write(file, "some");
      co_await kit.told_of(1);
    }
    proxy::spill_file::write(file, "more");
    co_await kit.told_of(2);
    CHECK(kit.told.errors == std::vector<int>{ENOSPC, 0});
    proxy::spill_file::leave(std::move(file));
  }(k));
}

TEST_CASE("an owner that left is told nothing, whether the write began or was over by then") {
  for (const bool over : {false, true}) {
    INFO((over ? "over" : "begun"));
    file_kit k;
    k.f.run([](file_kit& kit, bool written) -> net::task<void> {
      std::promise<void> go_on;
      const auto held = go_on.get_future().share();
      if (!written) kit.threads.post([held] { held.wait(); });
      auto file = kit.make();
      CHECK(file->reserve(4));
      proxy::spill_file::write(file, "some");
      if (written) {   // and on its way to the loop, which has not turned
        std::promise<void> behind;
        kit.threads.post([&behind] { behind.set_value(); });
        behind.get_future().wait();
      }
      proxy::spill_file::leave(std::move(file));
      go_on.set_value();
      co_await turn_until(kit.f.loop, [&] { return kit.on_disk() == 0; });
      CHECK(kit.told.errors.empty());
    }(k, over));
  }
}
