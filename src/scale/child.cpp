#include "scale/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/check.hpp"

namespace weir::scale {
namespace {

std::string failed(const char* what) {
  return std::string(what) + ": " + ::strerror(errno);
}

// Above 2, because 0 to 2 are written over in the child, in that order.
unique_fd raised(int fd) {
  if (fd < 0 || fd > 2) return unique_fd(fd);
  const unique_fd low(fd);
  return unique_fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return ::lseek(fd, 0, SEEK_SET) == 0;
}

unique_fd file_in_memory(const std::string& text) {
  unique_fd file = raised(::memfd_create("weir-decision", MFD_CLOEXEC));
  if (file && write_all(file.value(), text)) return file;
  return unique_fd();
}

struct pipe_ends {
  unique_fd read, write;
};

pipe_ends make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  pipe_ends p{raised(ends[0]), raised(ends[1])};
  if (::fcntl(p.read.value(), F_SETFL, O_NONBLOCK) != 0) return {};
  return p;
}

// Owns the two spawn structures.
struct recipe {
  recipe() {
    WEIR_CHECK(::posix_spawnattr_init(&attributes) == 0);
    WEIR_CHECK(::posix_spawn_file_actions_init(&files) == 0);
  }
  ~recipe() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  recipe(const recipe&) = delete;
  recipe& operator=(const recipe&) = delete;

  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
};

// A group of its own, no blocked signal, and the default for those that this process ignores.
void set_attributes(recipe& r) {
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::sigdelset(&all, SIGKILL);
  ::sigdelset(&all, SIGSTOP);
  ::posix_spawnattr_setpgroup(&r.attributes, 0);
  ::posix_spawnattr_setsigmask(&r.attributes, &none);
  ::posix_spawnattr_setsigdefault(&r.attributes, &all);
  ::posix_spawnattr_setflags(
      &r.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

// Asio opens its sockets without CLOEXEC: closing all of them is the child's first duty.
int set_files(recipe& r, int input, int output) {
  int bad = ::posix_spawn_file_actions_adddup2(&r.files, input, 0);
  bad = bad ? bad : ::posix_spawn_file_actions_adddup2(&r.files, output, 1);
  bad = bad ? bad : ::posix_spawn_file_actions_adddup2(&r.files, output, 2);
  return bad ? bad : ::posix_spawn_file_actions_addclosefrom_np(&r.files, 3);
}

std::optional<pid_t> start(const std::vector<std::string>& argv, int input, int output) {
  recipe r;
  set_attributes(r);
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  int bad = set_files(r, input, output);
  if (!bad) bad = ::posix_spawn(&pid, words[0], &r.files, &r.attributes, words.data(), environ);
  errno = bad;
  return bad ? std::nullopt : std::optional(pid);
}

// By number: glibc 2.36 declares pidfd_open without C linkage.
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// Nothing: somebody else reaped it.
std::optional<int> wait_for(pid_t pid) {
  int status = 0;
  for (;;) {
    if (::waitpid(pid, &status, 0) == pid) return status;
    if (errno != EINTR) return {};
  }
}

}  // namespace

unique_fd::~unique_fd() {
  if (fd_ >= 0) ::close(fd_);
}

base::result<child::started, std::string> child::spawn(const std::vector<std::string>& argv,
                                                       const std::string& input) {
  if (argv.empty()) return std::string("no command");
  const unique_fd file = file_in_memory(input);
  if (!file) return failed("cannot prepare its input");
  pipe_ends pipe = make_pipe();
  if (!pipe.read || !pipe.write) return failed("cannot make a pipe");
  const auto pid = start(argv, file.value(), pipe.write.value());
  if (!pid) return failed("cannot start it");
  started made{child(*pid), unique_fd(open_pidfd(*pid)), std::move(pipe.read)};
  if (!made.ended) return failed("cannot watch it");  // which kills and reaps it
  return made;
}

child::~child() {
  if (!owned()) return;
  signal_group(SIGKILL);
  wait_for(pid_);
}

bool child::ended() const noexcept {
  siginfo_t seen{};
  const int flags = WEXITED | WNOHANG | WNOWAIT;  // stays a zombie, and keeps the group's number
  const int failed = ::waitid(P_PID, static_cast<id_t>(pid_), &seen, flags);
  return failed || seen.si_pid == pid_;
}

void child::signal_group(int number) const noexcept {
  if (owned()) ::kill(-pid_, number);
}

std::string child::reap() {
  WEIR_CHECK(owned());
  const auto status = wait_for(std::exchange(pid_, -1));
  if (!status) return "ended unseen";
  if (WIFSIGNALED(*status)) return "killed by signal " + std::to_string(WTERMSIG(*status));
  if (WEXITSTATUS(*status) == 0) return {};
  return "exit status " + std::to_string(WEXITSTATUS(*status));
}

}  // namespace weir::scale
