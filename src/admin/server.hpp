// The admin API, the metrics and the web page over HTTP/1.1 on one address; as a second object with
// surface::registration the place where workers register themselves and nothing else is served.
// Made, used and destroyed on the control thread, whose io_context runs everything in here.
// Invariants: at most connections_max connections, each with deadlines, and none that waits for a
// request keeps a new one out: the one that waited longest makes room; a change is carried out
// only after token, content type, Host and Origin held; heads and bodies are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "admin/backend.hpp"

namespace boost::asio {
class io_context;
}

namespace weir::admin {

enum class surface : std::uint8_t { full, registration };

struct server_options {
  admin::surface surface = admin::surface::full;
  config::address bind;
  std::string token;                  // empty: none is asked for
  std::vector<std::string> allow;     // registration: CIDRs, see address_guard
  base::duration ttl_max = std::chrono::minutes(5);
  std::uint32_t connections_max = 256;
  std::uint64_t body_bytes_max = 4u << 20;     // a configuration for /v1/plan at most
  std::uint64_t head_bytes_max = 16u << 10;
  base::duration request_timeout = std::chrono::seconds(15);   // head and body; writing the answer
  base::duration answer_timeout = std::chrono::seconds(120);   // for the backend: then 504
  base::duration idle_timeout = std::chrono::seconds(60);
};

class server {
 public:
  // Binds and listens. Error: what is wrong with the address, or with a CIDR in `allow`. The
  // backend outlives the server.
  static base::result<std::unique_ptr<server>, std::string> open(boost::asio::io_context&, backend&,
                                                                 server_options);
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();   // as close()

  // A reload's token; allow-list, ttl_max and address stay.
  void update(std::string token);
  // Token, allow-list and ttl_max of a reload; the address stays. False: a CIDR is none, and
  // nothing changed.
  bool update(std::string token, std::vector<std::string> allow, base::duration ttl_max);
  // Stops listening and cuts every connection. Callbacks of the backend may still come later.
  void close();

  // "127.0.0.1:9900", "[::1]:9900" or "unix:/path", the kernel's port filled in.
  const std::string& address() const noexcept;
  std::size_t connections() const noexcept;             // open now
  // Over connections_max: closed to make room, or not let in where all had a request under way.
  std::uint64_t refused_connections() const noexcept;

 private:
  struct state;
  explicit server(std::shared_ptr<state>);
  std::shared_ptr<state> s_;
};

}  // namespace weir::admin
