// The client side of TLS for https:// workers, probes and hooks: one immutable SSL_CTX that any
// thread may make SSL objects from (OpenSSL counts references atomically). Made on the control
// thread when a configuration is published; files are read then and never again.
// TLS 1.2 or newer, ALPN http/1.1, and modes fit for non-blocking sockets:
// SSL_MODE_RELEASE_BUFFERS, SSL_MODE_ENABLE_PARTIAL_WRITE and SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
// are on.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace weir::net {

struct tls_client_options {
  std::string ca;                        // PEM path; empty: the system's
  std::string certificate, private_key;  // PEM paths, shown to peers that ask; both or neither
  bool verify = true;
};

class tls_client_context {
 public:
  // Reads the files; the error says which one and why. Encrypted keys are refused, never prompted
  // for.
  static base::result<std::shared_ptr<const tls_client_context>, std::string> make(
      const tls_client_options& options);
  ~tls_client_context();
  tls_client_context(const tls_client_context&) = delete;
  tls_client_context& operator=(const tls_client_context&) = delete;

  // Alive as long as this object or any SSL made from it.
  ssl_ctx_st* handle() const noexcept { return handle_; }

 private:
  explicit tls_client_context(ssl_ctx_st* handle) noexcept : handle_(handle) {}
  ssl_ctx_st* handle_;
};

// Before the handshake: sets SNI (RFC 6066 §3; not for IP literals) and the name or address that
// the peer's certificate must carry (RFC 9110 §4.3.4). False: out of memory or a name nobody can
// have.
bool prepare_client_ssl(ssl_st* ssl, const std::string& server_name);

// Why the peer's certificate was refused, such as "self-signed certificate"; empty when it was not.
std::string verify_failure(const ssl_st* ssl);

// The thread's OpenSSL error queue as one text ("unknown error" when empty); empties it.
std::string take_tls_error();

}  // namespace weir::net
