// A request to the admin API as its handlers see it, and their answer: plain data between the
// server, which knows sockets, and the api, which knows none. Control thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::admin {

struct api_request {
  std::string method, path, query;   // path and query as sent, still percent-encoded
  bool has_host = false;
  std::string host, origin, authorization, content_type;   // field values; empty when absent
  std::string body;
  std::string peer;                  // the caller's address, "unix" for a unix socket

  bool changes() const { return method != "GET" && method != "HEAD"; }
  // What stands after "Bearer " (RFC 6750 §2.1; the scheme's case is free); empty when nothing
  // does.
  std::string_view bearer() const;
};

struct api_response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;   // further ones
};

// problem+json (RFC 9457). `word` is the last part of the type, `lines` are further diagnostics.
api_response make_problem(unsigned status, std::string_view word, std::string_view detail,
                          const std::vector<std::string>& lines = {});

// Percent-decodes (RFC 3986 §2.1). False: a broken escape, or a NUL.
bool percent_decode(std::string_view in, std::string& out);

// The segments of an absolute path, each decoded. False: not absolute, or a broken escape.
bool split_path(std::string_view path, std::vector<std::string>& segments);

// The decoded value of a key in a query; empty when it is not there or broken.
std::string query_value(std::string_view query, std::string_view key);

}  // namespace weir::admin
