// The admin API without its sockets: finds the route of a request, checks access, asks the backend
// and makes the answer. Two surfaces: the whole of it, or registration alone. Control thread.
// Invariant: `reply` is called exactly once for each request, at once or when the backend is done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "admin/access.hpp"
#include "admin/backend.hpp"
#include "admin/guard.hpp"
#include "admin/message.hpp"
#include "admin/server.hpp"

namespace weir::admin {

class api {
 public:
  // Error: a CIDR of options.allow.
  static base::result<api> make(backend&, const server_options&);

  using replier = std::function<void(api_response)>;
  void handle(const api_request&, replier reply) const;
  // False: this peer may not even connect (registration.allow).
  bool permits_peer(std::string_view peer) const;

 private:
  api(backend& b, const server_options& o, address_guard guard);

  backend* backend_;
  admin::surface surface_;
  access_rules rules_;
  address_guard guard_;
  base::duration ttl_max_;
};

}  // namespace weir::admin
