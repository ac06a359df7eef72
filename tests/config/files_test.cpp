#include "config/files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/reader.hpp"
#include "config/support.hpp"

using namespace weir::config;
namespace fs = std::filesystem;

namespace {

// A directory of the test's own, gone with it.
class scratch {
 public:
  scratch() {
    std::string name = (fs::temp_directory_path() / "weir_config_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~scratch() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    const auto file = (path_ / name).string();
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("a file is loaded byte for byte") {
  const scratch dir;
  const std::string text("a\0b\r\n\xff", 6);
  CHECK(load_file(dir.write("f", text)).value() == text);
  CHECK(load_file(dir.write("empty", "")).value().empty());
  const std::string large(100'000, 'x');
  CHECK(load_file(dir.write("large", large)).value() == large);
}

TEST_CASE("a file that is missing, a directory or too large is an error with its reason") {
  const scratch dir;
  CHECK(load_file(dir.path("nowhere")).error().value() == ENOENT);
  CHECK(load_file(dir.path(".")).error().value() == EISDIR);
  CHECK(load_file("").error().value() == ENOENT);
  CHECK(load_file(dir.write("most", std::string(file_bytes_max, 'x'))).has_value());
  CHECK(load_file(dir.write("more", std::string(file_bytes_max + 1, 'x'))).error().value() ==
        EFBIG);
}

TEST_CASE("a pipe, a socket and a device are refused at once, with or without anybody behind") {
  const scratch dir;
  const auto pipe = dir.path("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {pipe, std::string("/dev/zero"), std::string("/dev/null")}) {
    INFO(path);
    CHECK(load_file(path).error().message() ==
          "is a pipe, socket or device, expected a regular file");
  }
  const auto got = read_file(pipe);
  CHECK_FALSE(got.ok());
  CHECK_THAT(got.text(), Catch::Contains("cannot be read (is a pipe"));
  REQUIRE(::symlink(dir.write("real", "text").c_str(), dir.path("link").c_str()) == 0);
  CHECK(load_file(dir.path("link")).value() == "text");
}

TEST_CASE("variables come from the process") {
  ::setenv("WEIR_CONFIG_TEST_VARIABLE", "here", 1);
  CHECK(process_variable("WEIR_CONFIG_TEST_VARIABLE") == "here");
  ::unsetenv("WEIR_CONFIG_TEST_VARIABLE");
  CHECK_FALSE(process_variable("WEIR_CONFIG_TEST_VARIABLE"));
}

TEST_CASE("a configuration file is read with the process's variables and files") {
  const scratch dir;
  const auto token = dir.write("token", "token-in-a-file\n");
  ::setenv("WEIR_CONFIG_TEST_TOKEN", token.c_str(), 1);
  test::parts whole;
  whole.top = "admin: {token_file: \"${WEIR_CONFIG_TEST_TOKEN}\"}";
  const auto got = read_file(dir.write("w.yaml", whole.text()));
  ::unsetenv("WEIR_CONFIG_TEST_TOKEN");
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(got.settings.admin.token == "token-in-a-file");
  CHECK(got.settings.admin.token_file == token);
}

TEST_CASE("a configuration file that cannot be loaded is one mistake") {
  const scratch dir;
  const auto got = read_file(dir.path("nowhere.yaml"));
  CHECK_FALSE(got.ok());
  CHECK(got.text() ==
        dir.path("nowhere.yaml") + ":1:1: cannot be read (No such file or directory)\n");
}
