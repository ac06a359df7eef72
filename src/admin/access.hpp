// Whether a request may be carried out at all, before anything is looked up: Host, Origin, token
// and content type. Pure; called by the api for each request on the control thread.
//   reads of /v1   a server that other machines reach asks for its token; without a token Host has
//                  to be the server's own, so that no web page can read through DNS rebinding
//   changes        the token when one is set, else the server's own Host; Origin, when sent, equal
//                  to Host; POST, and whatever has a body, must say application/json
// With the right token any Host is taken: no page can know it, and proxies and services have names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "admin/message.hpp"

namespace weir::admin {

struct access_rules {
  std::string bound_host;   // literal; empty: a unix socket
  std::string token;        // empty: none is asked for
};

// What a route needs.
enum class need : std::uint8_t {
  open,    // /livez, /readyz, /metrics, /: nothing, they tell no more than that
  read,
  change,
  lease,   // a change whose bearer is a lease's secret, which the backend checks
};

// Nothing: go ahead. Else the answer to give.
std::optional<api_response> refuse(const access_rules&, need, const api_request&);

}  // namespace weir::admin
