#include "net/listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/socket.hpp"

namespace weir::net {
namespace {

constexpr int backlog = 4096;   // the kernel lowers it to net.core.somaxconn

// A socket file left by a process that is gone would make bind fail; one that answers is in use.
void remove_stale(const socket_address& at) {
  const auto* path = reinterpret_cast<const sockaddr_un&>(at.storage).sun_path;
  struct stat s;
  if (::lstat(path, &s) != 0 || !S_ISSOCK(s.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answers = ::connect(probe, at.data(), at.size) == 0;
  ::close(probe);
  if (!answers) ::unlink(path);
}

std::string path_of(const socket_address& at) {
  if (at.family() != AF_UNIX) return {};
  return reinterpret_cast<const sockaddr_un&>(at.storage).sun_path;
}

// Set when the file is made; other than ctime it outlives chmod and chown.
std::int64_t modified_ns(const struct stat& s) {
  return s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec;
}

void set_on(int fd, int option) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
}

}  // namespace

base::result<int, std::string> open_listener(const socket_address& at, bool joins) {
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto failed = [&](const char* what) {
    const int code = errno;
    std::string why =
        std::string("cannot ") + what + " " + to_string(at) + ": " + std::strerror(code);
    if (code == EADDRINUSE) why += ", another process listens there, perhaps a second weir";
    if (fd >= 0) ::close(fd);
    return why;
  };
  if (fd < 0) return failed("open a socket for");
  if (at.family() == AF_UNIX) remove_stale(at);
  else set_on(fd, SO_REUSEADDR);
  if (joins) set_on(fd, SO_REUSEPORT);
  tune(fd, at.family());
  if (::bind(fd, at.data(), at.size) != 0) return failed("bind");
  if (::listen(fd, backlog) != 0) {
    auto why = failed("listen on");
    socket_file(at).remove();
    return why;
  }
  return fd;
}

void share(int listener_fd) { set_on(listener_fd, SO_REUSEPORT); }

socket_file::socket_file(const socket_address& bound) : path_(path_of(bound)) {
  struct stat s {};
  if (path_.empty() || ::lstat(path_.c_str(), &s) != 0) return;
  device_ = s.st_dev, inode_ = s.st_ino, made_ns_ = modified_ns(s);
}

void socket_file::remove() const {
  struct stat s {};
  if (inode_ == 0 || ::lstat(path_.c_str(), &s) != 0) return;
  const bool same = s.st_dev == device_ && s.st_ino == inode_ && modified_ns(s) == made_ns_;
  if (same) ::unlink(path_.c_str());
}

socket_address local_address(int fd) {
  socket_address e;
  e.size = sizeof e.storage;
  getsockname(fd, e.data(), &e.size);
  return e;
}

accepted accept_one(int listener_fd) {
  accepted a;
  a.peer.size = sizeof a.peer.storage;
  a.fd = ::accept4(listener_fd, a.peer.data(), &a.peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (a.fd < 0)
    a.exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  return a;
}

}  // namespace weir::net
