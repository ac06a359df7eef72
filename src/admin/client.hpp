// A small synchronous HTTP client for the command line's verbs: one request, one answer, over TCP
// or a unix socket. Blocking; used by the CLI process, never inside a running weir.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace weir::admin {

struct client_request {
  std::string admin = "http://127.0.0.1:9900";   // also unix:/path
  std::string method = "GET";
  std::string target = "/v1/status";             // already percent-encoded
  std::string body;                              // JSON; may be empty
  std::string token;                             // sent as a bearer token unless empty
  base::duration timeout = std::chrono::seconds(30);
};

struct client_answer {
  unsigned status = 0;
  std::string content_type, body;
};

// Error, for people: the url is none of ours, no connection, a broken answer, or the time ran out.
base::result<client_answer, std::string> send(const client_request&);

// "http://HOST:PORT" or "unix:/PATH".
bool valid_admin_url(std::string_view admin);

// Percent-encodes one path segment or query value (RFC 3986 §2.3: all but unreserved).
std::string encode_component(std::string_view);

}  // namespace weir::admin
