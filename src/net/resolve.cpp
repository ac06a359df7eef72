#include "net/resolve.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tuple>
#include <utility>

namespace weir::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

base::ip_address plain(const asio::ip::address& a) {
  return base::parse_ip(a.is_v6() ? asio::ip::address_v6(a.to_v6().to_bytes()).to_string()
                                  : a.to_string())
      .value_or(base::ip_address{});
}

addresses plain(const tcp::resolver::results_type& found) {
  addresses list;
  for (const auto& entry : found) list.push_back(plain(entry.endpoint().address()));
  return list;
}

// The resolver lives in its own handler, so that a question outlives nobody it has to answer.
void ask_system(asio::io_context& context, const std::string& host, resolver::answered tell) {
  auto asked = std::make_shared<tcp::resolver>(context);
  asked->async_resolve(host, "", tcp::resolver::numeric_service,
                       [asked, host, tell = std::move(tell)](base::error_code ec,
                                                             tcp::resolver::results_type found) {
                         if (ec) return tell("cannot resolve " + host + ": " + ec.message());
                         tell(plain(found));
                       });
}

}  // namespace

std::vector<socket_address> make_socket_addresses(addresses list, std::uint16_t port) {
  const auto key = [](const base::ip_address& a) { return std::tie(a.v6, a.bytes); };
  std::sort(list.begin(), list.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  list.erase(std::unique(list.begin(), list.end()), list.end());
  std::vector<socket_address> out;
  for (const auto& address : list) {
    if (const auto e = socket_address::ip(base::to_string(address), port)) out.push_back(*e);
  }
  return out;
}

struct name_watch::state {
  state(asio::io_context& context_, resolver::lookup how, followed_name name,
        std::function<void(const name_news&)> teller)
      : context(context_),
        lookup(std::move(how)),
        what(std::move(name)),
        tell(std::move(teller)),
        timer(context_) {}

  using ptr = std::shared_ptr<state>;
  static void start(const ptr& self, const std::optional<base::ip_address>& numeric);
  static void look(const ptr& self);
  static void wait(const ptr& self);

  lookup_answer admitted(lookup_answer found) const;
  bool take(lookup_answer answer);
  void report();
  base::duration pause() const;

  asio::io_context& context;
  resolver::lookup lookup;
  followed_name what;
  std::function<void(const name_news&)> tell;
  asio::steady_timer timer;
  std::vector<socket_address> list;
  std::string error;
  unsigned failures = 0;
  bool told = false, stopped = false;
};

// What the policy leaves of an answer; an error when that is nothing.
lookup_answer name_watch::state::admitted(lookup_answer found) const {
  if (!found) return found;
  if (found->empty()) return what.host + " has no address";
  if (!what.allowed) return found;
  addresses kept = std::move(*found);
  const std::string first = base::to_string(kept.front());
  std::erase_if(kept, [&](const auto& a) { return !what.allowed(base::to_string(a)); });
  if (kept.empty()) return "no address of " + what.host + " may be used, such as " + first;
  return kept;
}

// True: there is something to tell.
bool name_watch::state::take(lookup_answer answer) {
  const bool failed_before = !error.empty();
  error = answer ? std::string() : std::move(answer.error());
  failures = error.empty() ? 0 : failures + 1;
  bool news = !std::exchange(told, true) || failed_before != !error.empty();
  if (!answer) return news;
  auto fresh = make_socket_addresses(std::move(*answer), what.port);
  news = news || fresh != list;
  list = std::move(fresh);
  return news;
}

// `tell` may drop the watch, and with it all but what is held here.
void name_watch::state::report() {
  const auto teller = tell;
  if (teller) teller({list, error});
}

base::duration name_watch::state::pause() const {
  if (failures == 0) return what.interval;
  const base::duration doubled = what.retry_min * (1u << std::min(failures - 1, 16u));
  return std::min(doubled, what.interval);
}

void name_watch::state::start(const ptr& self, const std::optional<base::ip_address>& numeric) {
  if (!numeric) return look(self);
  self->take(self->admitted(addresses{*numeric}));
  asio::post(self->context, [self] {
    if (!self->stopped) self->report();
  });
}

void name_watch::state::look(const ptr& self) {
  self->lookup(self->what.host, [self](lookup_answer found) {
    if (self->stopped) return;
    if (self->take(self->admitted(std::move(found)))) self->report();
    if (!self->stopped) wait(self);
  });
}

void name_watch::state::wait(const ptr& self) {
  self->timer.expires_after(self->pause());
  self->timer.async_wait([self](base::error_code ec) {
    if (!ec && !self->stopped) look(self);
  });
}

name_watch::name_watch() noexcept = default;
name_watch::name_watch(std::shared_ptr<state> s) noexcept : state_(std::move(s)) {}
name_watch::name_watch(name_watch&&) noexcept = default;

name_watch& name_watch::operator=(name_watch&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

name_watch::~name_watch() {
  if (!state_) return;
  state_->stopped = true;
  state_->timer.cancel();
}

const std::vector<socket_address>& name_watch::list() const noexcept {
  static const std::vector<socket_address> none;
  return state_ ? state_->list : none;
}

resolver::resolver(asio::io_context& context, lookup how)
    : context_(context), lookup_(std::move(how)) {
  if (lookup_) return;
  lookup_ = [&context](const std::string& host, answered tell) {
    ask_system(context, host, std::move(tell));
  };
}

name_watch resolver::follow(followed_name what, std::function<void(const name_news&)> tell) {
  const auto numeric = base::parse_ip(what.host);
  auto s = std::make_shared<name_watch::state>(context_, lookup_, std::move(what), std::move(tell));
  name_watch::state::start(s, numeric);
  return name_watch(std::move(s));
}

namespace {

// Two may answer, the lookup and the clock; the first one does.
struct question {
  question(asio::io_context& context, resolver::answered teller)
      : timer(context), tell(std::move(teller)) {}
  void answer(lookup_answer found) {
    timer.cancel();
    if (auto teller = std::exchange(tell, nullptr)) teller(std::move(found));
  }
  asio::steady_timer timer;
  resolver::answered tell;
};

}  // namespace

void resolver::once(const std::string& host, base::duration timeout, answered tell) {
  auto q = std::make_shared<question>(context_, std::move(tell));
  if (const auto numeric = base::parse_ip(host)) {
    asio::post(context_, [q, numeric] { q->answer(addresses{*numeric}); });
    return;
  }
  q->timer.expires_after(timeout);
  q->timer.async_wait([q, host](base::error_code ec) {
    if (!ec) q->answer("cannot resolve " + host + ": timed out");
  });
  lookup_(host, [q](lookup_answer found) { q->answer(std::move(found)); });
}

}  // namespace weir::net
