// Names of workers and hooks turned into addresses, on the control thread; the blocking getaddrinfo
// runs on Asio's own resolver thread, one name at a time. A followed name is looked up again every
// interval; when a lookup fails or all it brings is refused, the last good answer stands and the
// name is tried again sooner. Numeric addresses are never looked up.
// Invariants: tell() runs from the loop, never inside follow(), and never after its name_watch is
// gone; lists are sorted (IPv4 first) and without repeats.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cidr.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/socket_address.hpp"

namespace boost::asio {
class io_context;
}

namespace weir::net {

using addresses = std::vector<base::ip_address>;
using lookup_answer = base::result<addresses, std::string>;  // the error is for people

// What to follow. `allowed` gets an address as text ("192.0.2.7", "2001:db8::1") and says whether
// it may be used; empty: all may. Registered workers are held to the surface's list with it.
struct followed_name {
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 0;
  base::duration interval = std::chrono::seconds(30);
  base::duration retry_min = std::chrono::seconds(1);  // after a failure; doubled up to interval
  std::function<bool(std::string_view address)> allowed;
};

// What tell() is given: after the first lookup, whenever the list changed, and when lookups begin
// to fail or work again.
struct name_news {
  const std::vector<socket_address>& list;  // the last good answer
  std::string_view error;                   // of the newest lookup; empty: `list` is fresh
};

// Follows one name as long as it lives. Must be gone before the io_context is.
class name_watch {
 public:
  name_watch() noexcept;
  name_watch(name_watch&&) noexcept;
  name_watch& operator=(name_watch&&) noexcept;
  ~name_watch();

  // A numeric host is there at once, a name after its first lookup.
  const std::vector<socket_address>& list() const noexcept;

 private:
  friend class resolver;
  struct state;
  explicit name_watch(std::shared_ptr<state> s) noexcept;
  std::shared_ptr<state> state_;
};

class resolver {
 public:
  using answered = std::function<void(lookup_answer)>;
  // Looks a name up and calls back once, from the loop. The default asks the system (getaddrinfo).
  using lookup = std::function<void(const std::string& host, answered)>;

  explicit resolver(boost::asio::io_context& context, lookup how = {});

  name_watch follow(followed_name what, std::function<void(const name_news&)> tell);

  // One lookup, whose answer comes within `timeout` even when the system's resolver hangs.
  void once(const std::string& host, base::duration timeout, answered tell);

 private:
  boost::asio::io_context& context_;
  lookup lookup_;
};

// The addresses of an answer with a port, sorted and without repeats.
std::vector<socket_address> make_socket_addresses(addresses list, std::uint16_t port);

}  // namespace weir::net
