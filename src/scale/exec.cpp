// Hooks that are programs. What one writes to 1 and 2 is read all the time, so that it never blocks
// on it, and the end of it is kept for the log. At the timeout its process group gets SIGTERM, and
// SIGKILL when it is still there after the grace; a program that ends in time may leave others
// running, such as workers that it started.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "scale/attempt.hpp"
#include "scale/child.hpp"

namespace weir::scale {
namespace {

namespace asio = boost::asio;
using kind = attempt_result::kind;
using base::error_code;
using descriptor = asio::posix::stream_descriptor;

constexpr std::size_t output_kept = 1024;

// One line for the log.
std::string printable(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  const auto control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), control, '?');
  return text;
}

class exec_attempt : public attempt {
 public:
  exec_attempt(const attempt_tools& tools, const config::exec_hook& hook, const message& m,
               attempt_done done)
      : state_(std::make_shared<state>(tools, hook, std::move(done))) {
    begin(state_, m.body);
  }
  ~exec_attempt() override {
    state_->done = nullptr;
    state_->close();
  }

 private:
  struct state {
    state(const attempt_tools& t, const config::exec_hook& h, attempt_done d)
        : context(t.context),
          grace(t.kill_grace),
          hook(h),
          done(std::move(d)),
          ended(t.context),
          output(t.context),
          timer(t.context) {}

    void close() {
      error_code ignored;
      ended.close(ignored);
      output.close(ignored);
      timer.cancel();
      process = child();
    }
    void end(attempt_result r) {
      close();
      if (auto tell = std::exchange(done, nullptr)) tell(std::move(r));
    }
    bool drain();
    attempt_result judge(const std::string& fault) const;

    asio::io_context& context;
    base::duration grace;
    config::exec_hook hook;
    attempt_done done;
    child process;
    descriptor ended, output;
    asio::steady_timer timer;
    std::string text;
    bool timed_out = false;
  };
  using ptr = std::shared_ptr<state>;

  static void begin(const ptr& s, const std::string& input);
  static void await_end(const ptr& s);
  static void await_output(const ptr& s);
  static void await_timeout(const ptr& s);

  ptr state_;
};

// Takes what is there. False: nothing more will come.
bool exec_attempt::state::drain() {
  std::array<char, 4096> chunk;
  for (int reads = 0; reads < 16; ++reads) {  // others run on this loop too
    const ssize_t n = ::read(output.native_handle(), chunk.data(), chunk.size());
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > output_kept) text.erase(0, text.size() - output_kept);
  }
  return true;
}

attempt_result exec_attempt::state::judge(const std::string& fault) const {
  const std::string wrote = text.empty() ? "" : ", wrote: " + printable(text);
  if (timed_out)
    return {kind::failed, "timed out, " + (fault.empty() ? "ended" : fault) + wrote, {}};
  if (fault.empty()) return {kind::delivered, "exit status 0" + wrote, {}};
  return {kind::failed, fault + wrote, {}};
}

void exec_attempt::begin(const ptr& s, const std::string& input) {
  auto made = child::spawn(s->hook.command, input);
  if (!made) {
    return asio::post(s->context, [s, why = made.error()] { s->end({kind::failed, why, {}}); });
  }
  s->process = std::move(made->process);
  s->ended.assign(made->ended.release());
  s->output.assign(made->output.release());
  await_end(s);
  await_output(s);
  s->timer.expires_after(s->hook.timeout);
  await_timeout(s);
}

// What is left of a group that had to be stopped is killed while its leader, not yet reaped, keeps
// the group's number from others.
void exec_attempt::await_end(const ptr& s) {
  s->ended.async_wait(descriptor::wait_read, [s](error_code ec) {
    if (ec || !s->process.owned()) return;
    if (!s->process.ended()) return await_end(s);
    s->drain();
    if (s->timed_out) s->process.signal_group(SIGKILL);
    const std::string fault = s->process.reap();
    s->end(s->judge(fault));
  });
}

void exec_attempt::await_output(const ptr& s) {
  s->output.async_wait(descriptor::wait_read, [s](error_code ec) {
    if (!ec && s->process.owned() && s->drain()) await_output(s);
  });
}

void exec_attempt::await_timeout(const ptr& s) {
  s->timer.async_wait([s](error_code ec) {
    if (ec || !s->process.owned()) return;
    s->process.signal_group(s->timed_out ? SIGKILL : SIGTERM);
    if (std::exchange(s->timed_out, true)) return;
    s->timer.expires_after(s->grace);
    await_timeout(s);
  });
}

}  // namespace

std::unique_ptr<attempt> begin_exec(const attempt_tools& tools, const config::exec_hook& hook,
                                    const message& m, attempt_done done) {
  return std::make_unique<exec_attempt>(tools, hook, m, std::move(done));
}

}  // namespace weir::scale
