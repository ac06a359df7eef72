// What the tests of the configuration share: a made-up world for the reader, and the smallest
// configuration that is whole, with one part of it replaced.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "config/reader.hpp"

namespace weir::config::test {

inline const std::string key_file_text =
    "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==\n";  // "secret-" five times, no last -

// Variables and files by name; nothing else exists.
struct world {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files{
      {"token", "  let-me-in-0123456789\n"},
      {"empty", "\n"},
      {"two-lines", "let me\nin"},
      {"hook.secret", key_file_text},
      {"raw.secret", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0\n"},
      {"broken.secret", "whsec_c2Vj*mV0"},
      {"short.secret", "whsec_c2VjcmV0"},
      {"s.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"},
      {"s.key", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"},
      {"ca.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"},
      {"not.pem", "hello"},
      {"/etc/weir/hook.secret", key_file_text},
  };

  outcome read(const std::string& text) const {
    const auto variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    const auto load = [this](const std::string& path) -> base::result<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return base::error_code(ENOENT, boost::system::system_category());
      return found->second;
    };
    return config::read(text, "w.yaml", variable, load);
  }
};

// Whole, and all defaults. The parts stand on lines 1, 2 and 3, so that a part of one line that is
// given in their place is on a known line.
struct parts {
  std::string top = "threads: auto";
  std::string listeners = "listeners: [{name: front, bind: \"127.0.0.1:8080\"}]";
  std::string routes = "routes: [{name: all, pool: loaders}]";
  std::string pools = "pools: {loaders: {workers: [{id: w1, url: \"http://127.0.0.1:9001\"}]}}";

  std::string text() const { return top + "\n" + listeners + "\n" + routes + "\n" + pools + "\n"; }
};

// A part with mistakes in it, and what is said of them, less the file's name.
struct bad_part {
  std::string text;
  std::vector<std::string> messages;
};

inline void check_mistakes(std::string parts::*where, const std::vector<bad_part>& rows) {
  for (const auto& row : rows) {
    parts whole;
    whole.*where = row.text;
    const auto got = world().read(whole.text());
    std::string expected;
    for (const auto& m : row.messages) expected += "w.yaml:" + m + "\n";
    INFO(row.text);
    CHECK(got.text() == expected);
  }
}

}  // namespace weir::config::test
