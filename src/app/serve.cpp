#include "app/serve.hpp"

#include <malloc.h>
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>

#include "app/config_watch.hpp"
#include "app/descriptors.hpp"
#include "app/instance.hpp"
#include "app/signals.hpp"

namespace weir::app {
namespace {

// For standard error to take what it did not take yet.
constexpr auto last_words = std::chrono::seconds(1);

void obey(int signal, instance& i, const std::function<void()>& end) {
  if (signal == SIGHUP) return i.reload_from_file("signal HUP");
  if (signal == SIGUSR1) return i.reopen_logs();
  i.shut_down(end);
}

// Large blocks come from the system and go back to it. Left to itself glibc raises the size from
// which it does so, after one kept body for good, and the heaps keep holes of that size.
void give_memory_back() {
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

}  // namespace

int serve(const std::string& config_file) {
  config::outcome read = config::read_file(config_file);
  if (!read.ok()) {
    std::fputs(read.text().c_str(), stderr);
    return 1;
  }
  log_warnings(read);
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  give_memory_back();
  boost::asio::io_context io(1);
  const bool watches = read.settings.reload_watch;
  std::unique_ptr<config_watch> watch;
  const auto end = [&] {
    if (watch) watch->stop();
    telemetry::log(telemetry::level::info, "stopped");
    io.stop();
  };
  signals::block();
  instance* running = nullptr;
  // Outlives the instance, whose end may be what is waited for.
  const signals asked([&](int signal) {
    boost::asio::post(io, [&, signal] { obey(signal, *running, end); });
  });
  instance weir(io, config_file, std::move(read.settings));
  running = &weir;
  const auto started = weir.start();
  if (!started) {
    std::fprintf(stderr, "weir: %s\n", started.error().c_str());
    return 1;
  }
  if (watches)
    watch = std::make_unique<config_watch>(io, config_file,
                                           [&] { weir.reload_from_file("the file changed"); });
  telemetry::log(telemetry::level::info, "ready to serve", {{"config", config_file}});
  io.run();
  telemetry::flush_log(last_words);
  return 0;
}

}  // namespace weir::app
