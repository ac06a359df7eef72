#include "app/replay_folder.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "file_faults.hpp"
#include "scratch.hpp"

namespace {

using namespace weir;

// TMPDIR as a test wants it, and as it was afterwards.
struct temporary_folder_is {
  explicit temporary_folder_is(const std::string& path) {
    if (const char* was = std::getenv("TMPDIR")) before = was;
    ::setenv("TMPDIR", path.c_str(), 1);
  }
  ~temporary_folder_is() {
    if (before) ::setenv("TMPDIR", before->c_str(), 1);
    else ::unsetenv("TMPDIR");
  }
  std::optional<std::string> before;
};

config::settings wanting(const std::string& replay_dir, const std::string& state_dir) {
  config::settings s;
  s.replay_dir = replay_dir;
  s.state_dir = state_dir;
  return s;
}

}  // namespace

TEST_CASE("copies go where replay_dir says, else below state_dir, else to the temporary folder") {
  test::scratch_folder all;
  const std::string said = all.path("said"), state = all.path("state"), other = all.path("tmp");
  std::filesystem::create_directory(other);
  const temporary_folder_is here(other);
  CHECK(app::open_replay_folder(wanting(said, state)).path == said);
  CHECK(app::open_replay_folder(wanting("", state)).path == state + "/replay");
  CHECK(app::open_replay_folder(wanting("", "")).path == other);
  CHECK(std::filesystem::is_empty(said));   // the proof left nothing
}

TEST_CASE("a folder that is made is for weir alone, one that was there stays as it is") {
  test::scratch_folder all;
  const auto mode = [](const std::string& path) {
    struct stat s{};
    REQUIRE(::stat(path.c_str(), &s) == 0);
    return s.st_mode & 0777u;
  };
  const std::string made = all.path("a/b/made"), there = all.path("there");
  std::filesystem::create_directory(there);
  REQUIRE(::chmod(there.c_str(), 0755) == 0);
  CHECK(app::open_replay_folder(wanting(made, "")).mistake.empty());
  CHECK(app::open_replay_folder(wanting(there, "")).mistake.empty());
  CHECK(mode(made) == 0700);
  CHECK(mode(there) == 0755);
}

TEST_CASE("a folder that takes no file is a mistake when it was asked for, else none is used") {
  test::scratch_folder all;
  const std::string file = all.write("file", "not a folder");
  const auto asked = app::open_replay_folder(wanting(file, ""));
  CHECK(asked.path.empty());
  CHECK(asked.mistake == "replay_dir " + file + ": no file can be made there: Not a directory");
  const auto not_asked = app::open_replay_folder(wanting("", file));
  CHECK(not_asked.path.empty());
  CHECK(not_asked.mistake.empty());
  const test::file_faults full(net::file_call::open, 1, ENOSPC);
  CHECK(app::open_replay_folder(wanting(all.path(""), "")).mistake ==
        "replay_dir " + all.path("") + ": no file can be made there: No space left on device");
}
