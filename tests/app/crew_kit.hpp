// What crews need around them, in the test's own thread: an io_context that the test turns, and a
// front whose loops run when the test asks for it.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "app/crew.hpp"

namespace weir::test {

using namespace std::chrono_literals;

inline config::worker worker_at(std::string name, std::string host, std::uint16_t port = 9001,
                                std::uint32_t slots = 2) {
  config::worker w;
  w.settings.name = std::move(name);
  w.settings.slots = slots;
  w.url.host = std::move(host);
  w.url.port = port;
  return w;
}

inline config::pool pool_of(std::string name, std::vector<config::worker> workers) {
  config::pool p;
  p.settings.name = std::move(name);
  p.settings.health.kind = core::probe_kind::none;
  p.settings.slow_start = 0s;
  p.workers = std::move(workers);
  return p;
}

struct crew_kit {
  explicit crew_kit(unsigned threads = 1)
      : front(threads, nullptr, {}), metrics(threads + 1),
        names(io, [this](const std::string& host, net::resolver::answered tell) {
          lookups.push_back(host);
          if (const auto a = base::parse_ip(answer_with)) tell(net::addresses{*a});
          else tell(std::string("no such name"));
        }),
        probes(io, 8, [](const probe::subject&, const probe::outcome&) {}), threads_(threads) {}
  ~crew_kit() {
    front.stop();
    front.join();
  }

  app::crew_services services() {
    return {io, front, metrics, names, probes, journal, threads_, nullptr, nullptr,
            nullptr};
  }
  std::unique_ptr<app::crew> make(config::pool p) {
    return std::make_unique<app::crew>(services(), next_++, std::move(p), nullptr);
  }
  // Runs what was posted; nothing of the tests' crews waits for anything outside.
  void settle() {
    io.restart();
    while (io.poll() > 0) {}
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> all;
    for (const auto& e : journal.since(0, 1000).items) all.push_back(e.kind);
    return all;
  }
  std::size_t count(std::string_view kind) const {
    std::size_t n = 0;
    for (const auto& k : kinds()) n += k == kind;
    return n;
  }

  boost::asio::io_context io;
  app::journal journal;
  app::front front;
  telemetry::registry metrics;
  std::string answer_with = "192.0.2.9";
  std::vector<std::string> lookups;
  net::resolver names;
  probe::runner probes;

 private:
  unsigned threads_;
  std::uint64_t next_ = 0;
};

// The names of a pool's workers that are not on their way out.
inline std::vector<std::string> names_of(const app::crew& c) {
  std::vector<std::string> all;
  for (const auto& w : c.workers())
    if (!w.view.removing) all.push_back(w.view.name);
  return all;
}

}  // namespace weir::test
