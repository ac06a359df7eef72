// For tests: requests as they go over the wire.
#pragma once

#include <string>

namespace weir::admin {

inline const std::string host = "Host: 127.0.0.1\r\n";
inline const std::string get_live = "GET /livez HTTP/1.1\r\n" + host + "\r\n";

inline std::string post(const std::string& path, const std::string& body,
                        const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\n" + host + "Content-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

}  // namespace weir::admin
