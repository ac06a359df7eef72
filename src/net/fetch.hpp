// A one-shot HTTP/1.1 client for weir's own errands: probes and webhooks. One request on one new
// connection, then it is closed; no redirects, no cookies, no proxy. Runs on the control thread's
// io_context alone.
// Invariants: ends within the timeout, which covers connecting, TLS, sending and receiving; holds
// no more than head_bytes_max + body_max of an answer; every failure has a text that people
// understand.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "net/socket_address.hpp"

namespace boost::asio {
class io_context;
}

namespace weir::net {

class tls_client_context;

// Where to: the addresses (unix paths too) are tried in turn, each with an equal share of the time
// that is left, until one connects.
struct fetch_peer {
  std::vector<socket_address> where;
  std::shared_ptr<const tls_client_context> tls;  // null: plain
  std::string server_name;                        // with tls: SNI and the name to verify
};

struct fetch_request {
  std::string method = "GET";
  std::string target = "/";
  std::string host;                                         // the Host field
  std::vector<std::pair<std::string, std::string>> fields;  // Content-Length is added by itself
  std::string body;
};

struct fetch_limits {
  base::duration timeout = std::chrono::seconds(10);
  std::size_t body_max = 64 * 1024;
  std::size_t head_bytes_max = 16 * 1024;
};

enum class fetch_failure : std::uint8_t {
  none,
  connect,  // refused, unreachable, no address
  exhausted,  // weir itself has no descriptor or memory for it: says nothing of the peer
  tls,      // the handshake or the certificate
  timed_out,
  broken,     // closed early, or no HTTP
  too_large,  // status and fields are there, the body beyond body_max is not
  cancelled,
};
std::string_view name(fetch_failure) noexcept;

struct fetch_result {
  fetch_failure failure = fetch_failure::none;
  std::string error;    // empty without a failure
  unsigned status = 0;  // 0: no answer came
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  // The first field of that name (case-insensitive), or nothing.
  std::string_view field(std::string_view field_name) const noexcept;
};

// Stops the fetch it was given to; later calls, and those before it began, do what one expects.
// Copies share one state; a stop handed to several fetches stops them all.
class fetch_stop {
 public:
  fetch_stop();
  void stop() const;  // the fetch ends with fetch_failure::cancelled
  bool stopped() const noexcept;

  struct state;
  const std::shared_ptr<state>& shared() const noexcept { return state_; }

 private:
  std::shared_ptr<state> state_;
};

boost::asio::awaitable<fetch_result> fetch(boost::asio::io_context& context, fetch_peer peer,
                                           fetch_request request, fetch_limits limits,
                                           fetch_stop stop);

// Connects (TLS handshake included, when asked for) and closes again; status stays 0.
boost::asio::awaitable<fetch_result> try_connect(boost::asio::io_context& context, fetch_peer peer,
                                                 base::duration timeout, fetch_stop stop);

// As fetch and try_connect for callers that are no coroutines; calls back once, from the loop.
using fetched = std::function<void(fetch_result)>;
void fetch_then(boost::asio::io_context& context, fetch_peer peer, fetch_request request,
                fetch_limits limits, fetch_stop stop, fetched tell);
void try_connect_then(boost::asio::io_context& context, fetch_peer peer, base::duration timeout,
                      fetch_stop stop, fetched tell);

}  // namespace weir::net
