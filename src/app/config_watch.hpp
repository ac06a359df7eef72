// Notices that the configuration file may have changed: written in place, replaced by a rename, or
// reached through a symlink that was swapped (a Kubernetes ConfigMap swaps `..data`). Watches the
// directories on the way to the file with inotify, waits for a quiet moment, and compares content,
// so that only a real change is told. Used on the control thread; the file, which may lie on a disk
// that does not answer, is looked at on a thread of its own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <array>
#include <functional>
#include <memory>
#include <string>

namespace weir::app {

class config_watch {
 public:
  config_watch(boost::asio::io_context& io, std::string file, std::function<void()> changed);
  config_watch(const config_watch&) = delete;
  config_watch& operator=(const config_watch&) = delete;
  ~config_watch();

  bool works() const noexcept { return inotify_.is_open(); }   // false: no inotify here
  void stop();

 private:
  void read();
  void settle();
  void look();
  void compare(std::string now);

  boost::asio::io_context& io_;
  const std::string file_;
  std::function<void()> changed_;
  boost::asio::posix::stream_descriptor inotify_;
  boost::asio::steady_timer quiet_;
  std::array<char, 4096> events_{};
  std::string content_;
  std::shared_ptr<config_watch*> alive_;   // null: what was looked at is for nobody
  boost::asio::thread_pool looker_{1};
};

}  // namespace weir::app
