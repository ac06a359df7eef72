#include "app/config_watch.hpp"

#include <sys/inotify.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <utility>

#include "config/files.hpp"

namespace weir::app {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto quiet_time = 200ms;   // editors and orchestrators write in several steps
constexpr int symlinks_max = 16;
constexpr std::uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR;

std::string content_of(const std::string& file) {
  const auto text = config::load_file(file);
  return text ? *text : std::string{};
}

fs::path directory_of(const fs::path& p) {
  return p.has_parent_path() ? p.parent_path() : fs::path(".");
}

// The file's directory, and those of every link on the way; adding one again changes nothing.
void watch_directories(int inotify, const fs::path& file) {
  std::error_code e;
  fs::path at = file;
  for (int i = 0; i < symlinks_max; ++i) {
    const fs::path directory = directory_of(at);
    ::inotify_add_watch(inotify, directory.c_str(), mask);
    // A link may also be a directory on the path, such as ..data.
    const fs::path real = fs::weakly_canonical(directory, e);
    if (!e) ::inotify_add_watch(inotify, real.c_str(), mask);
    const fs::path next = fs::read_symlink(at, e);
    if (e) break;
    at = next.is_absolute() ? next : directory / next;
  }
}

}  // namespace

config_watch::config_watch(boost::asio::io_context& io, std::string file,
                           std::function<void()> changed)
    : io_(io), file_(std::move(file)), changed_(std::move(changed)), inotify_(io), quiet_(io),
      content_(content_of(file_)), alive_(std::make_shared<config_watch*>(this)) {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return;
  inotify_.assign(fd);
  watch_directories(fd, file_);
  read();
}

config_watch::~config_watch() {
  *alive_ = nullptr;
  looker_.join();
}

void config_watch::stop() {
  boost::system::error_code ignored;
  inotify_.close(ignored);
  quiet_.cancel();
}

void config_watch::read() {
  inotify_.async_read_some(boost::asio::buffer(events_),
                           [this](boost::system::error_code e, std::size_t) {
                             if (e) return;
                             settle();
                             read();
                           });
}

void config_watch::settle() {
  quiet_.expires_after(quiet_time);
  quiet_.async_wait([this](boost::system::error_code e) {
    if (!e) look();
  });
}

void config_watch::look() {
  boost::asio::post(looker_, [&io = io_, fd = inotify_.native_handle(), file = file_,
                              alive = alive_] {
    watch_directories(fd, file);   // a swapped link leads to a new directory
    boost::asio::post(io, [alive, now = content_of(file)] {
      if (*alive) (*alive)->compare(now);
    });
  });
}

void config_watch::compare(std::string now) {
  if (now.empty() || now == content_) return;
  content_ = std::move(now);
  changed_();
}

}  // namespace weir::app
