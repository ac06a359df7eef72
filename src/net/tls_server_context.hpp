// The TLS side of a listener: certificate, key and what is asked of clients. Made anew on every
// reload (files are read again); sessions under way keep the context they began with.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace weir::net {

enum class client_certificates : unsigned char { none, request, require };

struct tls_server_options {
  std::string certificate, private_key;   // PEM paths; the certificate file may hold its chain
  std::string client_ca;                  // PEM path
  client_certificates ask = client_certificates::none;
};

using tls_context = std::shared_ptr<ssl_ctx_st>;

// Error: what is wrong, naming the file.
base::result<tls_context, std::string> make_tls_server(const tls_server_options& options);

// A session object for an accepted descriptor; freed by socket::close.
ssl_st* accept_session(const tls_context& context, int fd);

}  // namespace weir::net
