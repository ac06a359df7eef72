// The synthetic worker: HTTP/1.1 on a port of 127.0.0.1 that the kernel picks and that is printed.
// Takes any body, works as long as the request's X-Service-Us or its own distribution says, answers
// ?bytes=N bytes; 503 with Retry-After when all slots are taken. One thread. README.md: its paths.
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "client.hpp"

namespace weir::load {
namespace {

constexpr std::uint64_t door_token = UINT64_MAX;

struct options {
  std::uint64_t slots = 512;
  double speed = 1;
  std::string service_us = "0";
  std::uint64_t seed = 1;
};

[[noreturn]] void refuse() {
  std::fputs("usage: worker [--slots N] [--speed X] [--service-us TIMES] [--seed N]\n", stderr);
  std::exit(2);
}

options read_command_line(int count, char** words) {
  options o;
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = words[i];
    const char* const value = i + 1 < count ? words[i + 1] : "";
    if (name == "--slots") o.slots = to_number(value);
    else if (name == "--speed") o.speed = std::strtod(value, nullptr);
    else if (name == "--service-us") o.service_us = value;
    else if (name == "--seed") o.seed = to_number(value);
    else refuse();
  }
  if (o.slots == 0 || !(o.speed > 0) || !distribution::parse(o.service_us)) refuse();
  return o;
}

class worker {
 public:
  explicit worker(const options& o) {
    shop_.slots = o.slots;
    shop_.speed = o.speed;
    shop_.service_us = *distribution::parse(o.service_us);
    shop_.wrong = faults(o.seed);
    shop_.random.seed(o.seed);
    open_door();
  }

  std::uint16_t port() const { return port_; }

  void run() {
    while (true) {
      for (const epoll_event& e : poller_.wait(patience())) handle(e);
      wake();
      mind_the_door();
    }
  }

 private:
  struct place {
    std::unique_ptr<client> here;
    std::uint32_t turn = 0;  // tells an event of an earlier tenant from one of this
  };
  struct alarm {
    nanos at;
    std::uint64_t token;
    bool operator>(const alarm& other) const { return at > other.at; }
  };

  void open_door() {
    door_ = listen_on(loopback(port_));
    port_ = port_of(door_.number());
    if (!poller_.watch_readable(door_.number(), door_token)) die("epoll_ctl");
  }

  // Closed while connections are to be refused.
  void mind_the_door() {
    const bool refuse = monotonic_now() < shop_.wrong.refuse_until();
    if (refuse && door_) door_.reset();
    if (!refuse && !door_) open_door();
  }

  nanos patience() const {
    nanos until = door_ ? INT64_MAX : shop_.wrong.refuse_until();
    if (!alarms_.empty()) until = std::min(until, alarms_.top().at);
    return until == INT64_MAX ? 3600 * second : until - monotonic_now();
  }

  void handle(const epoll_event& e) {
    if (e.data.u64 == door_token) return accept_all();
    serve(e.data.u64, e.events);
  }

  void accept_all() {
    while (door_) {
      descriptor socket(accept4(door_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) return;
      if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(places_.size()));
        places_.emplace_back();
      }
      place& p = places_[free_.back()];
      p.here = std::make_unique<client>(std::move(socket), shop_);
      poller_.watch(p.here->number(), std::uint64_t{p.turn} << 32 | free_.back());
      free_.pop_back();
    }
  }

  void serve(std::uint64_t token, std::uint32_t events) {
    const auto index = static_cast<std::uint32_t>(token);
    place& p = places_[index];
    if (!p.here || p.turn != token >> 32) return;
    const nanos before = p.here->wakes_at();
    if (!p.here->handle(events, monotonic_now())) {
      p.here.reset();
      p.turn++;
      free_.push_back(index);
      return;
    }
    const nanos at = p.here->wakes_at();
    if (at != 0 && at != before) alarms_.push({at, token});
  }

  void wake() {
    const nanos now = monotonic_now();
    while (!alarms_.empty() && alarms_.top().at <= now) {
      const std::uint64_t token = alarms_.top().token;
      alarms_.pop();
      serve(token, 0);
    }
  }

  shop shop_;
  std::uint16_t port_ = 0;
  descriptor door_;
  poller poller_;
  std::vector<place> places_;
  std::vector<std::uint32_t> free_;
  std::priority_queue<alarm, std::vector<alarm>, std::greater<>> alarms_;
};

}  // namespace
}  // namespace weir::load

int main(int count, char** words) {
  weir::load::raise_descriptor_limit();
  weir::load::worker w(weir::load::read_command_line(count, words));
  std::printf("%d\n", w.port());
  std::fflush(stdout);
  w.run();
}
