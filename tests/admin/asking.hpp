// For tests: an api over a fake backend, asked without sockets, as from loopback with JSON.
#pragma once

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "admin/api.hpp"
#include "fake_backend.hpp"

namespace weir::admin {

struct asking {
  fake_backend back;
  server_options options;
  explicit asking(surface s = surface::full, std::string token = "") {
    options.surface = s;
    options.bind = {"127.0.0.1", 9900, {}};
    options.token = std::move(token);
  }

  api_response ask(std::string method, std::string target, std::string body = "",
                   std::string bearer = "") {
    api_request r;
    r.method = std::move(method);
    const auto mark = target.find('?');
    r.path = target.substr(0, mark);
    if (mark != target.npos) r.query = target.substr(mark + 1);
    r.host = "127.0.0.1:9900", r.has_host = true, r.peer = "127.0.0.1";
    r.content_type = "application/json", r.body = std::move(body);
    if (!bearer.empty()) r.authorization = "Bearer " + bearer;
    std::optional<api_response> got;
    const auto a = api::make(back, options);
    REQUIRE(a.has_value());
    a->handle(r, [&](api_response answer) {
      CHECK_FALSE(got.has_value());
      got = std::move(answer);
    });
    REQUIRE(got.has_value());
    return *got;
  }
  boost::json::object get(std::string target) {
    const auto a = ask("GET", std::move(target));
    INFO(a.body);
    REQUIRE(a.status == 200);
    CHECK(a.content_type == "application/json");
    return boost::json::parse(a.body).as_object();
  }
};

inline std::string field(const api_response& a, std::string_view name) {
  for (const auto& [n, v] : a.fields)
    if (n == name) return v;
  return {};
}

}  // namespace weir::admin
