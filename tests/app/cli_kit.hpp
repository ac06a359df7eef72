// The command line as tests call it: both of its streams caught, and a configuration that is good.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "app/cli.hpp"
#include "scratch.hpp"

namespace weir::test {

struct run {
  int status = -1;
  std::string out, err;
};

inline run weir_with(std::vector<std::string> arguments) {
  scratch_folder folder;
  std::fflush(nullptr);
  const int out = ::dup(1), err = ::dup(2);
  const int out_file = ::open(folder.path("out").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int err_file = ::open(folder.path("err").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::dup2(out_file, 1), ::dup2(err_file, 2);
  arguments.insert(arguments.begin(), "weir");
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  run r;
  r.status = app::run_command_line(static_cast<int>(argv.size()), argv.data());
  std::cout.flush(), std::cerr.flush();
  std::fflush(nullptr);
  ::dup2(out, 1), ::dup2(err, 2);
  for (const int fd : {out, err, out_file, err_file}) ::close(fd);
  const auto text = [&](const char* name) {
    std::ostringstream all;
    all << std::ifstream(folder.path(name)).rdbuf();
    return all.str();
  };
  r.out = text("out"), r.err = text("err");
  return r;
}

inline constexpr const char* good_config = R"(
listeners:
  - {name: front, bind: "127.0.0.1:0"}
routes:
  - {name: all, path: /, pool: loaders}
pools:
  loaders:
    workers:
      - {id: w1, url: "http://127.0.0.1:9001"}
)";

}  // namespace weir::test
