#include "client.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace weir::load {

static char input[1 << 16];
static constexpr std::uint64_t gulp_bytes = 16 * block_bytes;
static constexpr std::size_t head_bytes_max = 1 << 16;

bool client::handle(std::uint32_t events, nanos now) {
  if (events & (EPOLLERR | EPOLLHUP)) return false;
  if (events & EPOLLIN) drained_ = false;
  if (events & EPOLLRDHUP) ending_ = true;
  if (state_ == state::stuck) return !ending_ && now < wakes_at_;
  if (wakes_at_ != 0 && now >= wakes_at_) wakes_at_ = 0;
  return go_on(now);
}

// Each step moves on or leaves its state because it must wait.
bool client::go_on(nanos now) {
  while (true) {
    const state before = state_;
    switch (before) {
      case state::head:
        if (!read_head(now)) return false;
        break;
      case state::body:
        if (wakes_at_ != 0) return true;
        if (!read_body(now)) return false;
        break;
      case state::working:
        if (wakes_at_ != 0) return true;
        if (!compose(now)) return false;
        break;
      case state::answering:
        if (!write(now)) return false;
        break;
      case state::stuck:
        return true;
    }
    if (state_ == before) return true;
  }
}

bool client::read_head(nanos now) {
  if (!partial_.empty()) {
    const std::string data = std::exchange(partial_, {});
    if (!take_head(data, now)) return false;
  }
  while (state_ == state::head && !drained_) {
    const ssize_t n = recv(number(), input, sizeof input, 0);
    if (n <= 0) return n < 0 && errno == EAGAIN && (drained_ = true);
    drained_ = static_cast<std::size_t>(n) < sizeof input && !ending_;
    const std::string_view data(input, static_cast<std::size_t>(n));
    if (!take_head(partial_.empty() ? data : std::string(partial_).append(data), now)) return false;
  }
  return true;
}

bool client::take_head(std::string_view data, nanos now) {
  head h;
  const parsed how = parse_head(data, h);
  if (how == parsed::bad || data.size() > head_bytes_max) return false;
  partial_.clear();
  if (how == parsed::partial) return partial_ = data, true;
  const std::size_t blank = h.start.find(' ');
  const std::string_view rest = h.start.substr(std::min(blank + 1, h.start.size()));
  target_ = rest.substr(0, rest.find(' '));
  close_ = h.close;
  left_ = h.length;
  const std::string_view service = field(h.fields, "x-service-us");
  service_ = static_cast<nanos>(service.empty() ? shop_.service_us.draw(shop_.random)
                                                : to_number(service));
  const std::string_view hold = field(h.fields, "x-hold-after");
  stop_after_ = hold.empty() ? UINT64_MAX : to_number(hold);
  chunks_.reset();
  if (h.chunked) chunks_.emplace();
  begin(now);
  std::string_view body = data.substr(h.size);
  if (h.chunked) return body.empty() || skip_chunks(body, now);
  const std::uint64_t here = std::min<std::uint64_t>(left_, body.size());
  left_ -= here;
  taken_ += here;
  if (here < body.size()) partial_ = body.substr(here);
  return left_ > 0 || body_ended(now);
}

void client::begin(nanos now) {
  state_ = state::body;
  taken_ = 0;
  begun_ = now;
  fault_ = target_.starts_with("/load") ? shop_.wrong.draw() : fault::none;
  if (target_.starts_with("/load")) enter();
}

void client::enter() {
  shop_.requests++;
  shop_.open_most = std::max(shop_.open_most, ++shop_.open);
  open_ = true;
  if (shop_.busy >= shop_.slots) return;
  in_slot_ = true;
  shop_.busy_most = std::max(shop_.busy_most, ++shop_.busy);
}

void client::leave() {
  if (in_slot_) shop_.busy--;
  if (open_) shop_.open--;
  in_slot_ = open_ = false;
}

// Body bytes that may be read now.
std::uint64_t client::allowance(nanos now) {
  if (taken_ >= stop_after_) return 0;
  std::uint64_t most = std::min(stop_after_ - taken_, gulp_bytes);
  if (fault_ != fault::slow) return most;
  const double seconds = static_cast<double>(now - begun_) / 1e9;
  const double due = seconds * static_cast<double>(shop_.wrong.slow_bytes());
  return std::min(most, static_cast<std::uint64_t>(due) - std::min<std::uint64_t>(taken_, due));
}

bool client::read_body(nanos now) {
  while (state_ == state::body && !drained_) {
    const std::uint64_t most = allowance(now);
    if (taken_ >= stop_after_) return stick(now);
    if (most == 0) return wakes_at_ = now + 10 * millisecond, true;
    if (chunks_) return read_chunks(now);
    const std::uint64_t want = std::min(most, left_);
    const ssize_t n = forget_bytes(number(), want);
    if (n <= 0) return n < 0 && errno == EAGAIN && (drained_ = true);
    drained_ = static_cast<std::uint64_t>(n) < want && !ending_;
    left_ -= static_cast<std::uint64_t>(n);
    taken_ += static_cast<std::uint64_t>(n);
    if (left_ == 0) return body_ended(now);
  }
  return true;
}

// Reads no more, as was asked. Bounded: a close behind unread bytes would never be seen.
bool client::stick(nanos now) {
  state_ = state::stuck;
  wakes_at_ = now + 60 * second;
  return !ending_;
}

bool client::read_chunks(nanos now) {
  while (state_ == state::body && !drained_) {
    const std::size_t want = std::min<std::uint64_t>(allowance(now), sizeof input);
    if (want == 0) return wakes_at_ = now + 10 * millisecond, true;
    const ssize_t n = recv(number(), input, want, 0);
    if (n <= 0) return n < 0 && errno == EAGAIN && (drained_ = true);
    drained_ = static_cast<std::size_t>(n) < want && !ending_;
    if (!skip_chunks({input, static_cast<std::size_t>(n)}, now)) return false;
  }
  return true;
}

bool client::skip_chunks(std::string_view data, nanos now) {
  const parsed how = chunks_->skip(data);
  taken_ = chunks_->bytes();
  if (how == parsed::partial) return true;
  partial_ = data;
  return how == parsed::whole && body_ended(now);
}

bool client::body_ended(nanos now) {
  shop_.body_bytes += taken_;
  state_ = state::working;
  nanos work = in_slot_ ? static_cast<nanos>(static_cast<double>(service_) * 1e3 / shop_.speed) : 0;
  if (fault_ == fault::stall) work += shop_.wrong.stall();
  wakes_at_ = work > 0 ? now + work : 0;
  return true;
}

void client::answer_with(int status, std::string_view more, std::uint64_t bytes) {
  answer_ = "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : " Sorry");
  answer_ += "\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
  answer_ += std::to_string(bytes) + "\r\n";
  answer_ += more;
  if (close_) answer_ += "Connection: close\r\n";
  answer_ += "\r\n";
  answer_body_ = bytes;
  tail_ = {};
}

// One chunk and the last one.
void client::answer_chunked(std::uint64_t bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%lx\r\n", bytes);
  answer_ = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n";
  answer_.append("Transfer-Encoding: chunked\r\n").append(close_ ? "Connection: close\r\n" : "");
  answer_.append("\r\n").append(bytes > 0 ? size : "");
  answer_body_ = bytes;
  tail_ = bytes > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
}

void client::answer_text(std::string text) {
  answer_with(200, "", text.size());
  answer_ += text;
  answer_body_ = 0;
}

static std::string told(const shop& s) {
  std::string text;
  const auto item = [&](const char* name, std::uint64_t n) {
    text.append(text.empty() ? "{\"" : ", \"").append(name).append("\": ");
    text.append(std::to_string(n));
  };
  item("requests", s.requests);
  item("served", s.served);
  item("turned_away", s.turned_away);
  item("faults", s.wrong.drawn());
  item("body_bytes", s.body_bytes);
  item("busy", s.busy);
  item("busy_most", s.busy_most);
  item("open", s.open);
  item("open_most", s.open_most);
  return text.append("}\n");
}

bool client::compose(nanos now) {
  state_ = state::answering;
  out_ = 0;
  cut_after_ = UINT64_MAX;
  const std::string_view target = target_;
  if (target.starts_with("/control")) {
    shop_.wrong.command(target, now);
    return answer_text(told(shop_)), true;
  }
  if (target.starts_with("/stats")) return answer_text(told(shop_)), true;
  if (target.starts_with("/healthz")) return answer_with(200, "", 0), true;
  if (fault_ == fault::reset) return close_hard(number()), false;
  if (!in_slot_) {
    shop_.turned_away++;
    return answer_with(503, "Retry-After: 1\r\n", 0), true;
  }
  if (fault_ == fault::fail) return answer_with(500, "", 0), true;
  shop_.served++;
  const std::uint64_t bytes = to_number(query(target, "bytes"));
  const bool framing = fault_ == fault::framing;
  if (!framing && !query(target, "chunked").empty()) answer_chunked(bytes);
  else answer_with(200, framing ? "Content-Length: 7777777\r\n" : "", bytes);
  if (fault_ == fault::close) cut_after_ = (answer_.size() + bytes) / 2;
  return true;
}

bool client::write(nanos) {
  const std::uint64_t head_and_body = answer_.size() + answer_body_;
  const std::uint64_t whole = std::min(head_and_body + tail_.size(), cut_after_);
  while (out_ < whole) {
    const std::uint64_t head = answer_.size() - std::min<std::uint64_t>(out_, answer_.size());
    const std::uint64_t head_now = std::min(head, whole - out_);
    const std::uint64_t so_far = out_ + head_now;
    const std::uint64_t body_end = std::min(head_and_body, whole);
    const std::uint64_t body = std::min(body_end - std::min(so_far, body_end), block_bytes);
    const std::uint64_t tail = so_far + body >= head_and_body ? whole - so_far - body : 0;
    iovec parts[] = {{answer_.data() + (answer_.size() - head), head_now},
                     {const_cast<char*>(shared_block()), body},
                     {const_cast<char*>(tail_.data() + (tail_.size() - tail)), tail}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 3;
    const ssize_t n = sendmsg(number(), &message, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    out_ += static_cast<std::uint64_t>(n);
  }
  leave();
  state_ = state::head;
  return !close_ && cut_after_ == UINT64_MAX;
}

}  // namespace weir::load
