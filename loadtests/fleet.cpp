// Many workers in one process, each with a port of its own that is printed: a batch takes its
// X-Service-Us over the worker's speed in one of its slots, and waits for one if all are taken, as
// it would inside a real worker. They sleep, so a hundred slots fit on a part of a CPU. Lines of
// standard input change a worker's speed at a time of the monotonic clock. README.md: its paths.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "http.hpp"
#include "slots.hpp"

namespace weir::load {
namespace {

constexpr std::uint64_t input_token = UINT64_MAX;
constexpr std::uint64_t door_bit = 1ull << 63;
constexpr std::size_t request_bytes_max = 1 << 20;

[[noreturn]] void refuse(const char* why) {
  std::fprintf(stderr, "%s\nusage: fleet COUNT:SLOTS:SPEED...\n"
               "standard input: lines of WORKER SPEED NANOSECONDS\n", why);
  std::exit(2);
}

// A connection: reads one request whole, waits for its end, answers.
struct guest {
  descriptor socket;
  std::size_t worker = 0;
  std::string input;
  bool working = false;  // its batch runs or waits
  bool close = false;
};

class fleet {
 public:
  void add(std::size_t count, std::size_t slots_each, double speed) {
    for (; count > 0; count--) {
      const std::uint64_t number = workers_.size();
      door& d = workers_.emplace_back(listen_on(loopback(0)), slots(slots_each, speed));
      poller_.watch_readable(d.socket.number(), door_bit | number);
      std::printf("%s%d", number > 0 ? " " : "", port_of(d.socket.number()));
    }
  }

  void run() {
    std::puts("");
    std::fflush(stdout);
    poller_.watch_readable(STDIN_FILENO, input_token);  // a file or /dev/null tells nothing
    while (true) {
      for (const epoll_event& e : poller_.wait(next_time() - monotonic_now())) handle(e);
      const nanos now = monotonic_now();
      change_speeds(now);
      finish(now);
    }
  }

 private:
  struct door {
    door(descriptor s, slots w) : socket(std::move(s)), work(std::move(w)) {}
    descriptor socket;
    slots work;
  };
  struct change {
    std::size_t worker;
    double speed;
  };

  nanos next_time() const {
    nanos next = changes_.empty() ? monotonic_now() + second : changes_.begin()->first;
    for (const door& d : workers_) next = std::min(next, d.work.next_end());
    return next;
  }

  void change_speeds(nanos now) {
    while (!changes_.empty() && changes_.begin()->first <= now) {
      const change what = changes_.begin()->second;
      workers_[what.worker].work.change_speed(what.speed, now);
      changes_.erase(changes_.begin());
    }
  }

  void finish(nanos now) {
    for (door& d : workers_)
      while (const auto owner = d.work.done(now)) {
        guest& g = *guests_.at(*owner);
        g.working = false;
        if (!answer(g, "done\n") || !serve(*owner, g)) drop(*owner, g);
      }
  }

  void handle(const epoll_event& e) {
    const std::uint64_t token = e.data.u64;
    if (token == input_token) return read_changes();
    if (token & door_bit) return accept_all(token & ~door_bit);
    const auto found = guests_.find(token);
    if (found == guests_.end()) return;
    guest& g = *found->second;
    const bool gone = e.events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP);
    if (gone || !read(g) || !serve(token, g)) drop(token, g);
  }

  void read_changes() {
    char some[4096];
    const ssize_t n = ::read(STDIN_FILENO, some, sizeof some);
    if (n <= 0) {
      close(STDIN_FILENO);  // which takes it out of the poller
      return;
    }
    told_.append(some, static_cast<std::size_t>(n));
    for (std::size_t end; (end = told_.find('\n')) != told_.npos; told_.erase(0, end + 1))
      plan(told_.substr(0, end));
  }

  void plan(const std::string& line) {
    change c{};
    long at = 0;
    const int count = std::sscanf(line.c_str(), "%zu %lf %ld", &c.worker, &c.speed, &at);
    if (count != 3 || c.worker >= workers_.size() || !(c.speed > 0)) refuse(line.c_str());
    changes_.emplace(at, c);
  }

  void accept_all(std::size_t worker) {
    while (true) {
      const int listener = workers_[worker].socket.number();
      descriptor socket(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) return;
      auto& g = guests_[next_guest_] = std::make_unique<guest>();
      g->socket = std::move(socket);
      g->worker = worker;
      poller_.watch(g->socket.number(), next_guest_++);
    }
  }

  // False: the connection is over.
  static bool read(guest& g) {
    static char some[1 << 16];
    while (g.input.size() < request_bytes_max) {
      const ssize_t n = recv(g.socket.number(), some, sizeof some, 0);
      if (n <= 0) return n < 0 && errno == EAGAIN;
      g.input.append(some, static_cast<std::size_t>(n));
    }
    return false;
  }

  // Takes the next request, when it has come whole.
  bool serve(std::uint64_t token, guest& g) {
    head h;
    if (g.working || g.input.empty()) return true;
    const parsed how = parse_head(g.input, h);
    if (how == parsed::bad || h.chunked) return false;
    if (how == parsed::partial || g.input.size() < h.size + h.length) return true;
    g.close = h.close;
    const std::string start(h.start);
    const std::uint64_t us = to_number(field(h.fields, "x-service-us"));
    g.input.erase(0, h.size + h.length);
    if (start.find(" /stats") != start.npos) return answer(g, told_of(workers_[g.worker].work));
    if (start.find(" /load") == start.npos) return answer(g, "");
    g.working = true;
    workers_[g.worker].work.take(token, static_cast<nanos>(us) * microsecond, monotonic_now());
    return true;
  }

  static std::string told_of(const slots& s) {
    return "{\"served\": " + std::to_string(s.served()) + ", \"waited\": " +
           std::to_string(s.waited()) + ", \"running_most\": " +
           std::to_string(s.running_most()) + "}\n";
  }

  // So short that the socket's buffer takes it; false: the connection is over.
  static bool answer(guest& g, const std::string& body) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                             (g.close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n") + body;
    const ssize_t n = send(g.socket.number(), text.data(), text.size(), MSG_NOSIGNAL);
    return n == static_cast<ssize_t>(text.size()) && !g.close;
  }

  void drop(std::uint64_t token, guest& g) {
    if (g.working) workers_[g.worker].work.forget(token, monotonic_now());
    guests_.erase(token);
  }

  poller poller_;
  std::vector<door> workers_;
  std::map<std::uint64_t, std::unique_ptr<guest>> guests_;
  std::uint64_t next_guest_ = 0;
  std::multimap<nanos, change> changes_;
  std::string told_;  // of standard input: what is not a whole line yet
};

}  // namespace
}  // namespace weir::load

int main(int count, char** words) {
  weir::load::raise_descriptor_limit();
  weir::load::fleet all;
  if (count < 2) weir::load::refuse("no workers");
  for (int i = 1; i < count; i++) {
    std::size_t workers = 0, slots = 0;
    double speed = 0;
    const int read = std::sscanf(words[i], "%zu:%zu:%lf", &workers, &slots, &speed);
    if (read != 3 || slots == 0 || !(speed > 0)) weir::load::refuse(words[i]);
    all.add(workers, slots, speed);
  }
  all.run();
}
