#include "live_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "config/addresses.hpp"
#include "net/socket_address.hpp"

namespace weir::admin {
namespace {

namespace asio = boost::asio;

net::socket_address to_socket(const std::string& text) {
  const auto a = config::parse_address(text);
  REQUIRE(a.has_value());
  const auto at = a->unix_path.empty() ? net::socket_address::ip(a->host, a->port)
                                       : net::socket_address::unix_path(a->unix_path);
  REQUIRE(at.has_value());
  return *at;
}

}  // namespace

struct live_server::state {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::unique_ptr<server> running;
  std::thread thread;
};

live_server::live_server(server_options options) : s_(std::make_unique<state>()) {
  auto opened = server::open(s_->context, back, std::move(options));
  if (!opened) FAIL(opened.error());
  s_->running = std::move(*opened);
  s_->thread = std::thread([this] { s_->context.run(); });
}

live_server::~live_server() { stop(); }

void live_server::stop() {
  if (!s_->thread.joinable()) return;
  on_server([this](server&, fake_backend&) { s_->running->close(); });
  s_->work.reset();
  s_->thread.join();
}

const std::string& live_server::address() const { return s_->running->address(); }

void live_server::on_server(std::function<void(server&, fake_backend&)> f) {
  std::promise<void> done;
  asio::post(s_->context, [&] {
    f(*s_->running, back);
    done.set_value();
  });
  done.get_future().wait();
}

server_options on_loopback(std::string token) {
  server_options o;
  o.bind = {"127.0.0.1", 0, {}};
  o.token = std::move(token);
  return o;
}

std::string response::field(std::string_view name) const {
  const auto at = head.find("\r\n" + std::string(name) + ": ");
  if (at == head.npos) return {};
  const auto start = at + 2 + name.size() + 2;
  return head.substr(start, head.find("\r\n", start) - start);
}

raw_client::raw_client(const std::string& address) {
  const auto at = to_socket(address);
  fd_ = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval deadline{30, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  REQUIRE(::connect(fd_, at.data(), at.size) == 0);
}

raw_client::~raw_client() { ::close(fd_); }

void raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void raw_client::finish() { ::shutdown(fd_, SHUT_WR); }

bool raw_client::more() {
  char piece[65536];
  const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
  if (n > 0) in_.append(piece, static_cast<std::size_t>(n));
  return n > 0;
}

response raw_client::read(bool to_head) {
  response r;
  while (in_.find("\r\n\r\n") == in_.npos)
    if (!more()) return r;
  const auto head_end = in_.find("\r\n\r\n") + 4;
  r.head = in_.substr(0, head_end);
  const unsigned status = static_cast<unsigned>(std::stoul(r.head.substr(9, 3)));
  const std::string length = r.field("Content-Length");
  const std::size_t size = to_head || length.empty() ? 0 : std::stoul(length);
  while (in_.size() < head_end + size)
    if (!more()) return r;
  r.body = in_.substr(head_end, size);
  in_.erase(0, head_end + size);
  r.status = status;
  return r;
}

std::string raw_client::read_to_end() {
  while (more()) {
  }
  return std::exchange(in_, {});
}

response ask(const std::string& address, std::string_view request) {
  raw_client client(address);
  client.send(request);
  return client.read(request.starts_with("HEAD"));
}

}  // namespace weir::admin
