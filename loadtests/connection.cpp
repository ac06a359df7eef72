#include "connection.hpp"

#include <algorithm>

namespace weir::load {

static char input[1 << 16];

connection::connection(descriptor socket, const tls_client* tls, std::uint64_t hold_after)
    : stream_(std::move(socket), tls), hold_after_(hold_after) {}

event connection::fail(trouble why) {
  why_ = why;
  state_ = state::done;
  return event::failed;
}

event connection::handle(std::uint32_t events) {
  switch (state_) {
    case state::connecting:
      return connected();
    case state::shaking:
      return shake();
    case state::idle:
      return idle_readable();
    case state::busy:
      break;
    case state::done:
      return event::none;
  }
  if (events & EPOLLOUT) {
    const event sent = flush();
    if (sent != event::none) return sent;
  }
  return events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? receive() : event::none;
}

event connection::connected() {
  if (socket_error(number()) != 0) return fail(trouble::connect);
  state_ = state::shaking;
  return shake();
}

event connection::shake() {
  const flow how = stream_.shake_hands();
  if (how == flow::blocked) return event::none;
  if (how != flow::moved) return fail(trouble::tls);
  state_ = state::idle;
  was_ready_ = true;
  return event::ready;
}

// Session tickets, or the end. Nothing else may come: there was no request.
event connection::idle_readable() {
  const transfer got = stream_.read(input, sizeof input);
  if (got.how == flow::blocked) return event::none;
  state_ = state::done;
  return got.how == flow::moved ? fail(trouble::malformed) : event::ended;
}

event connection::send(request next) {
  request_ = std::move(next);
  out_ = 0;
  in_body_ = false;
  asked_ = true;
  state_ = state::busy;
  return flush();
}

event connection::flush() {
  const std::uint64_t whole = request_.head.size() + request_.body;
  while (out_ < whole) {
    std::string_view head = request_.head;
    head.remove_prefix(std::min<std::uint64_t>(out_, head.size()));
    const std::uint64_t body = std::min<std::uint64_t>(whole - out_ - head.size(), block_bytes);
    const transfer put = stream_.write(head, {shared_block(), body});
    if (put.how == flow::blocked) return event::none;
    if (put.how != flow::moved) return receive();  // perhaps an early answer, else the reason
    out_ += put.bytes;
    sent_ += put.bytes;
  }
  return event::none;
}

event connection::receive() { return in_body_ ? receive_body() : receive_head(); }

// The end of the stream, in the middle of an answer.
event connection::read_on(flow how) {
  if (how == flow::blocked) return event::none;
  return fail(how == flow::ended ? trouble::closed : trouble::reset);
}

event connection::receive_head() {
  while (true) {
    const transfer got = stream_.read(input, sizeof input);
    if (got.how != flow::moved) return read_on(got.how);
    received_ += got.bytes;
    std::string_view data(input, got.bytes);
    if (!partial_.empty()) data = partial_.append(data);
    const event next = take_head(data);
    if (next != event::none || in_body_) return next;
    if (data.data() == input) partial_ = data;
  }
}

event connection::take_head(std::string_view data) {
  const parsed how = parse_head(data, head_);
  if (how == parsed::partial && data.size() < block_bytes) return event::none;
  const int status = status_of(head_.start);
  if (how != parsed::whole || status < 200) return fail(trouble::malformed);
  if (status >= 300) why_ = trouble::status;
  const std::string_view rest = data.substr(head_.size);
  in_body_ = true;
  body_read_ = rest.size();
  if (head_.chunked) {
    chunks_.emplace();
    const event next = skip_chunks(rest);
    return next == event::none ? receive_body() : next;
  }
  if (!head_.has_length || rest.size() > head_.length) return fail(trouble::malformed);
  body_left_ = head_.length - rest.size();
  return body_left_ == 0 ? complete() : receive_body();
}

event connection::skip_chunks(std::string_view data) {
  const parsed how = chunks_->skip(data);
  if (how == parsed::partial) return event::none;
  return how == parsed::whole && data.empty() ? complete() : fail(trouble::malformed);
}

event connection::receive_body() {
  while (true) {
    if (body_read_ >= hold_after_) return event::held;
    const std::uint64_t most = std::min(hold_after_ - body_read_, std::uint64_t{16} * block_bytes);
    const transfer got =
        chunks_ ? stream_.read(input, std::min<std::uint64_t>(most, sizeof input))
                : stream_.discard(std::min(most, body_left_));
    if (got.how != flow::moved) return read_on(got.how);
    received_ += got.bytes;
    body_read_ += got.bytes;
    const event next = chunks_ ? skip_chunks({input, got.bytes}) : count_down(got.bytes);
    if (next != event::none) return next;
  }
}

event connection::count_down(std::size_t bytes) {
  body_left_ -= bytes;
  return body_left_ == 0 ? complete() : event::none;
}

event connection::complete() {
  partial_.clear();
  chunks_.reset();
  const bool early = out_ < request_.head.size() + request_.body;
  if (why_ == trouble::status || early) return fail(trouble::status);
  state_ = state::idle;
  asked_ = false;
  return event::answered;
}

}  // namespace weir::load
