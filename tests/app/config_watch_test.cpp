#include "app/config_watch.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "net/test_certificates.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct watch_kit {
  explicit watch_kit(const std::string& file) : watch(io, file, [this] { ++told; }) {
    REQUIRE(watch.works());
  }
  ~watch_kit() {
    watch.stop();
    io.poll();
  }
  // Waits until it was told `times` times in all; a minute at most.
  bool told_of(int times) {
    const auto limit = std::chrono::steady_clock::now() + 1min;
    while (told < times && std::chrono::steady_clock::now() < limit) io.run_one_for(1s);
    return told == times;
  }
  boost::asio::io_context io;
  int told = 0;
  app::config_watch watch;
};

// As editors and deployment tools do: a new file is moved over the old one.
void replace(const test::scratch_folder& f, const std::string& name, const std::string& text) {
  f.write(name + ".new", text);
  fs::rename(f.path(name + ".new"), f.path(name));
}

// As Kubernetes mounts a ConfigMap: file -> ..data/file, ..data -> a dated folder; an update makes
// a new folder and swaps ..data by a rename.
struct config_map {
  config_map() {
    publish("one", "threads: 1\n");
    fs::create_symlink("..data/weir.yaml", folder.path("weir.yaml"));
  }
  void publish(const std::string& version, const std::string& text) {
    fs::create_directory(folder.path(version));
    folder.write(version + "/weir.yaml", text);
    fs::create_symlink(version, folder.path("..data_tmp"));
    fs::rename(folder.path("..data_tmp"), folder.path("..data"));
  }
  test::scratch_folder folder;
};

}  // namespace

TEST_CASE("a file that is written in place is told of, each time that its content changed") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 1\n");
  watch_kit k(file);
  f.write("weir.yaml", "threads: 2\n");
  CHECK(k.told_of(1));
  f.write("weir.yaml", "threads: 3\n");
  CHECK(k.told_of(2));
}

TEST_CASE("a file that is replaced by a rename is told of, and goes on being watched") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 1\n");
  watch_kit k(file);
  replace(f, "weir.yaml", "threads: 2\n");
  CHECK(k.told_of(1));
  replace(f, "weir.yaml", "threads: 3\n");
  CHECK(k.told_of(2));
}

TEST_CASE("a swapped ..data link is told of, again and again") {
  config_map m;
  watch_kit k(m.folder.path("weir.yaml"));
  m.publish("two", "threads: 2\n");
  CHECK(k.told_of(1));
  m.publish("three", "threads: 3\n");
  CHECK(k.told_of(2));
}

TEST_CASE("a file behind a link in another folder is watched where it really is") {
  test::scratch_folder links, real;
  const auto file = real.write("weir.yaml", "threads: 1\n");
  fs::create_symlink(file, links.path("weir.yaml"));
  watch_kit k(links.path("weir.yaml"));
  real.write("weir.yaml", "threads: 2\n");
  CHECK(k.told_of(1));
}

TEST_CASE("the same content, other files, and a moment without the file are not told of") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 1\n");
  watch_kit k(file);
  f.write("weir.yaml", "threads: 1\n");
  replace(f, "weir.yaml", "threads: 1\n");
  f.write("other.yaml", "threads: 9\n");
  fs::remove(file);
  f.write("weir.yaml", "");   // an editor that truncates first
  f.write("weir.yaml", "threads: 2\n");
  CHECK(k.told_of(1));   // all of the above came before it, and were not told of
  fs::remove(file);
  replace(f, "weir.yaml", "threads: 3\n");
  CHECK(k.told_of(2));
}

TEST_CASE("many writes in a row are told of once they are over") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 0\n");
  watch_kit k(file);
  for (int i = 1; i <= 20; ++i) f.write("weir.yaml", "threads: " + std::to_string(i) + "\n");
  CHECK(k.told_of(1));
}

TEST_CASE("a stopped watch says nothing more, and lets the io_context end") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 1\n");
  watch_kit k(file);
  f.write("weir.yaml", "threads: 2\n");
  k.watch.stop();
  k.io.run();   // returns: nothing is pending
  CHECK(k.told == 0);
}

TEST_CASE("a watch may go while its quiet time runs") {
  test::scratch_folder f;
  const auto file = f.write("weir.yaml", "threads: 1\n");
  boost::asio::io_context io;
  int told = 0;
  {
    app::config_watch watch(io, file, [&] { ++told; });
    f.write("weir.yaml", "threads: 2\n");
    io.run_one_for(1s);
  }
  io.restart();
  io.run();
  CHECK(told == 0);
}
