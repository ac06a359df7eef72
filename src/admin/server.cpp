#include "admin/server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "admin/api.hpp"
#include "admin/connection.hpp"
#include "base/check.hpp"
#include "base/cidr.hpp"
#include "net/listener.hpp"

namespace weir::admin {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto exhausted_pause = 100ms;   // out of descriptors: others may give some back

// "192.0.2.7" for a mapped address of a dual-stack socket too.
std::string peer_text(const net::socket_address& peer) {
  const std::string text = net::address_text(peer);
  const auto ip = base::parse_ip(text);
  return ip ? base::to_string(*ip) : text;
}

base::result<net::socket_address, std::string> to_socket_address(const config::address& a) {
  const auto at = a.unix_path.empty() ? net::socket_address::ip(a.host, a.port)
                                      : net::socket_address::unix_path(a.unix_path);
  if (!at) return "cannot listen on " + config::to_string(a) + ": " + at.error().message();
  return *at;
}

}  // namespace

struct server::state {
  state(asio::io_context& context, backend& b, server_options o, api a, int fd)
      : context_(context),
        back(b),
        options(std::move(o)),
        calls(std::make_shared<const api>(std::move(a))),
        listener(context, fd),
        pause(context),
        address(net::to_string(net::local_address(fd))),
        file(net::local_address(fd)) {}

  static asio::awaitable<void> accept_all(std::shared_ptr<state> self);
  bool accept_waiting(const std::shared_ptr<state>& self);
  void admit(const std::shared_ptr<state>& self, const net::accepted& a);
  bool make_room();
  void close();

  asio::io_context& context_;
  backend& back;
  server_options options;
  std::shared_ptr<const api> calls;   // replaced by update()
  asio::posix::stream_descriptor listener;
  asio::steady_timer pause;
  const std::string address;
  const net::socket_file file;
  std::set<connection*> connections;
  std::uint64_t refused = 0;
  bool open = true;
};

asio::awaitable<void> server::state::accept_all(std::shared_ptr<state> self) {
  boost::system::error_code ec;
  while (self->open) {
    co_await self->listener.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, ec));
    if (ec || !self->open) break;
    if (self->accept_waiting(self)) continue;
    self->pause.expires_after(exhausted_pause);
    co_await self->pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
}

// False: out of descriptors or memory.
bool server::state::accept_waiting(const std::shared_ptr<state>& self) {
  for (;;) {
    const net::accepted a = net::accept_one(listener.native_handle());
    if (a.fd < 0) return !a.exhausted;
    admit(self, a);
  }
}

// Idle connections in any number lock nobody out.
bool server::state::make_room() {
  ++refused;
  const auto waits_longer = [](connection* a, connection* b) {
    if (!a->waiting_since()) return false;
    return !b->waiting_since() || *a->waiting_since() < *b->waiting_since();
  };
  const auto longest = std::min_element(connections.begin(), connections.end(), waits_longer);
  if (longest == connections.end() || !(*longest)->waiting_since()) return false;
  (*longest)->close();
  connections.erase(longest);
  return true;
}

void server::state::admit(const std::shared_ptr<state>& self, const net::accepted& a) {
  connection::stream socket(context_.get_executor(),
                            asio::generic::stream_protocol(a.peer.family(), 0), a.fd);
  std::string peer = peer_text(a.peer);
  if (!calls->permits_peer(peer)) return;
  if (connections.size() >= options.connections_max && !make_room()) return;
  const auto handle = [self](const api_request& request, connection::replier reply) {
    if (self->open) self->calls->handle(request, std::move(reply));
    return self->open;
  };
  const auto gone = [self](connection* c) { self->connections.erase(c); };
  auto fresh = std::make_shared<connection>(std::move(socket), std::move(peer), self->options,
                                            handle, gone);
  connections.insert(fresh.get());
  asio::co_spawn(context_, connection::serve(std::move(fresh)), asio::detached);
}

void server::state::close() {
  if (!open) return;
  open = false;
  boost::system::error_code ignored;
  listener.close(ignored);
  pause.cancel();
  for (connection* c : connections) c->close();
  file.remove();
}

base::result<std::unique_ptr<server>, std::string> server::open(asio::io_context& context,
                                                                backend& b,
                                                                server_options options) {
  auto calls = api::make(b, options);
  if (!calls) return std::string("allow: expected address ranges such as 10.0.0.0/8");
  const auto at = to_socket_address(options.bind);
  if (!at) return at.error();
  const auto fd = net::open_listener(*at, false);
  if (!fd) return fd.error();
  // Who may reach a unix socket is said by its file: its owner and group.
  if (!options.bind.unix_path.empty()) ::chmod(options.bind.unix_path.c_str(), 0660);
  auto s = std::make_shared<state>(context, b, std::move(options), std::move(*calls), *fd);
  asio::co_spawn(context, state::accept_all(s), asio::detached);
  return std::unique_ptr<server>(new server(std::move(s)));
}

server::server(std::shared_ptr<state> s) : s_(std::move(s)) {}
server::~server() { close(); }

bool server::update(std::string token, std::vector<std::string> allow, base::duration ttl_max) {
  server_options fresh = s_->options;
  fresh.token = std::move(token), fresh.allow = std::move(allow), fresh.ttl_max = ttl_max;
  auto calls = api::make(s_->back, fresh);
  if (!calls) return false;
  s_->options = std::move(fresh);
  s_->calls = std::make_shared<const api>(std::move(*calls));
  return true;
}

// Nothing of it can be wrong: the allow-list is the one that was taken before.
void server::update(std::string token) {
  WEIR_CHECK(update(std::move(token), s_->options.allow, s_->options.ttl_max));
}

void server::close() { s_->close(); }

const std::string& server::address() const noexcept { return s_->address; }

std::size_t server::connections() const noexcept { return s_->connections.size(); }

std::uint64_t server::refused_connections() const noexcept { return s_->refused; }

}  // namespace weir::admin
