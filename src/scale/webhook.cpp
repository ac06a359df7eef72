#include "scale/webhook.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "config/addresses.hpp"
#include "http/structured.hpp"
#include "net/resolve.hpp"
#include "net/tls_client_context.hpp"
#include "scale/attempt.hpp"
#include "scale/signature.hpp"

namespace weir::scale {
namespace {

using kind = attempt_result::kind;
using clock = std::chrono::steady_clock;

constexpr std::size_t answer_max = 16 * 1024;

std::int64_t unix_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// The Host field, and what the receiver's certificate is checked against (without a port).
std::string authority(const config::url& u) {
  const std::string host = u.host.find(':') == u.host.npos ? u.host : "[" + u.host + "]";
  const bool usual = u.port == (u.tls ? 443 : 80);
  return usual ? host : host + ":" + std::to_string(u.port);
}

class webhook_attempt : public attempt {
 public:
  webhook_attempt(const attempt_tools& tools, const config::webhook& hook, const message& m,
                  attempt_done done)
      : state_(std::make_shared<state>(tools, hook, m, std::move(done))) {
    begin(state_);
  }
  ~webhook_attempt() override {
    state_->done = nullptr;
    state_->stop.stop();
  }

 private:
  struct state {
    state(const attempt_tools& t, const config::webhook& h, const message& m, attempt_done d)
        : tools(t),
          hook(h),
          sent(m),
          place(parse_webhook_url(h.url)),
          done(std::move(d)),
          deadline(clock::now() + std::chrono::duration_cast<clock::duration>(h.timeout)) {}

    void end(attempt_result r) {
      if (auto tell = std::exchange(done, nullptr)) tell(std::move(r));
    }

    attempt_tools tools;
    config::webhook hook;
    message sent;
    std::optional<webhook_place> place;
    attempt_done done;
    net::fetch_stop stop;
    clock::time_point deadline;
  };
  using ptr = std::shared_ptr<state>;

  static void begin(const ptr& s) {
    if (!s->place) {
      return boost::asio::post(s->tools.context, [s] {
        s->end({kind::gone, "not a URL that can be called", {}});
      });
    }
    s->tools.names.once(s->place->origin.host, s->hook.timeout, [s](net::lookup_answer found) {
      if (!s->done) return;
      if (!found) return s->end({kind::failed, found.error(), {}});
      std::erase_if(*found, [&](const base::ip_address& a) {
        return s->tools.may_call && !s->tools.may_call(base::to_string(a));
      });
      if (found->empty())
        return s->end({kind::failed, "leads to no address that may be called", {}});
      post(s, net::make_socket_addresses(std::move(*found), s->place->origin.port));
    });
  }

  static void post(const ptr& s, std::vector<net::socket_address> where) {
    net::fetch_peer peer{std::move(where), nullptr, s->place->origin.host};
    if (s->place->origin.tls) peer.tls = s->tools.tls;
    net::fetch_limits limits;
    limits.body_max = answer_max;
    limits.timeout = std::max<clock::duration>(s->deadline - clock::now(), clock::duration(1));
    const std::int64_t now = unix_now_ms();
    auto request = make_webhook(*s->place, s->hook.secret, s->sent, now / 1000);
    net::fetch_then(s->tools.context, std::move(peer), std::move(request), limits, s->stop,
                    [s](net::fetch_result r) { s->end(judge_webhook(r, unix_now_ms())); });
  }

  ptr state_;
};

}  // namespace

std::optional<webhook_place> parse_webhook_url(std::string_view url) {
  if (!config::valid_hook_url(url)) return {};
  const std::string origin = config::hook_origin(url);
  auto place = config::parse_worker_url(origin);
  if (!place) return {};
  std::string target(url.substr(origin.size()));
  if (!target.starts_with('/')) target.insert(0, "/");
  return webhook_place{std::move(*place), std::move(target)};
}

net::fetch_request make_webhook(const webhook_place& place, std::string_view secret,
                                const message& m, std::int64_t unix_seconds) {
  net::fetch_request r{"POST", place.target, authority(place.origin), {}, m.body};
  r.fields = {{"Content-Type", "application/json"},
              {"webhook-id", m.id},
              {"webhook-timestamp", std::to_string(unix_seconds)}};
  if (!secret.empty())
    r.fields.emplace_back("webhook-signature", sign(secret, m.id, unix_seconds, m.body));
  return r;
}

attempt_result judge_webhook(const net::fetch_result& answer, std::int64_t unix_ms) {
  if (answer.status == 0) return {kind::failed, answer.error, {}};
  const std::string said = "answered " + std::to_string(answer.status);
  // The status says it all: an answer that breaks off after it was received is as good.
  if (answer.status >= 200 && answer.status <= 299) return {kind::delivered, said, {}};
  if (answer.status == 410) return {kind::gone, said + ": no more is sent until a reload", {}};
  const auto wait = http::parse_retry_after(answer.field("Retry-After"), unix_ms);
  return {kind::failed, said, wait.value_or(duration::zero()), true};
}

std::unique_ptr<attempt> begin_webhook(const attempt_tools& tools, const config::webhook& hook,
                                       const message& m, attempt_done done) {
  return std::make_unique<webhook_attempt>(tools, hook, m, std::move(done));
}

}  // namespace weir::scale
