#include "app/serve.hpp"

#include <signal.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <memory>

#include "app/config_watch.hpp"
#include "app/instance.hpp"

namespace weir::app {
namespace {

// A connection is a descriptor, and a batch takes two.
void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class signals {
 public:
  signals(boost::asio::io_context& io, instance& i, std::function<void()> end)
      : set_(io, SIGHUP, SIGTERM, SIGINT), instance_(i), end_(std::move(end)) {
    set_.add(SIGUSR1);
    wait();
  }
  void stop() { set_.cancel(); }

 private:
  void wait() {
    set_.async_wait([this](boost::system::error_code e, int signal) {
      if (e) return;
      wait();
      if (signal == SIGHUP) return instance_.reload_from_file("signal HUP");
      if (signal == SIGUSR1) return instance_.reopen_logs();
      instance_.shut_down(end_);
    });
  }
  boost::asio::signal_set set_;
  instance& instance_;
  std::function<void()> end_;
};

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
  boost::asio::io_context io(1);
  const bool watches = read.settings.reload_watch;
  instance weir(io, config_file, std::move(read.settings));
  std::unique_ptr<config_watch> watch;
  std::unique_ptr<signals> wait_for;
  wait_for = std::make_unique<signals>(io, weir, [&] {
    wait_for->stop();
    if (watch) watch->stop();
    telemetry::log(telemetry::level::info, "stopped");
    io.stop();
  });
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
  return 0;
}

}  // namespace weir::app
