// What tests of hooks share: a loop with a resolver, messages, and how to wait for an attempt.
#pragma once

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "net/loopback_server.hpp"
#include "net/resolve.hpp"
#include "net/tls_client_context.hpp"
#include "scale/attempt.hpp"

namespace weir::test {

inline scale::message some_message(std::uint64_t sequence = 1) {
  scale::message m;
  m.id = "msg_" + std::to_string(sequence);
  m.decision.sequence = sequence;
  m.body = scale::make_body(scale::type_scale, "loaders", m.decision, 1769903999250);
  return m;
}

struct hook_bench {
  hook_bench() { tools.tls = *net::tls_client_context::make({}); }

  // One attempt from its start to its end.
  scale::attempt_result run(const config::hook& hook, const scale::message& m = some_message()) {
    std::optional<scale::attempt_result> out;
    const auto under_way =
        scale::begin_attempt(tools, hook, m, [&](scale::attempt_result r) { out = std::move(r); });
    CHECK(!out);  // never from inside
    REQUIRE(run_until(context, [&] { return out.has_value(); }));
    return std::move(*out);
  }

  boost::asio::io_context context;
  net::resolver names{context};
  scale::attempt_tools tools{context, names, nullptr, std::chrono::milliseconds(20)};
};

inline config::hook webhook(const std::string& url, const std::string& secret = {}) {
  config::hook h;
  h.webhook.emplace();
  h.webhook->url = url;
  h.webhook->secret = secret;
  h.webhook->timeout = std::chrono::seconds(30);
  return h;
}

inline config::hook webhook_to(const loopback_server& server, const std::string& secret = {}) {
  return webhook("http://127.0.0.1:" + std::to_string(server.port()) + "/hook?key=1", secret);
}

inline config::hook shell(const std::string& script) {
  config::hook h;
  h.exec.emplace();
  h.exec->command = {"/bin/sh", "-c", script};
  h.exec->timeout = std::chrono::seconds(30);
  return h;
}

// A process that runs: there, and not a zombie.
inline bool runs(long pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  return line.at(line.rfind(')') + 2) != 'Z';
}

}  // namespace weir::test
