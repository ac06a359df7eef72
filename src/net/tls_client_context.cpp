#include "net/tls_client_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <cstring>

namespace weir::net {
namespace {

using ctx_holder = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// OpenSSL would ask for a passphrase on the terminal; a proxy has nobody to ask.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

void set_protocol(SSL_CTX* ctx) {
  static constexpr unsigned char http_1_1[] = "\x08http/1.1";  // RFC 7301 §3.1: length, then name
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_protos(ctx, http_1_1, sizeof http_1_1 - 1);
  SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

std::string load_trust(SSL_CTX* ctx, const tls_client_options& o) {
  SSL_CTX_set_verify(ctx, o.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!o.ca.empty()) {
    if (SSL_CTX_load_verify_file(ctx, o.ca.c_str()) == 1) return {};
    return "cannot use CA file " + o.ca + ": " + take_tls_error();
  }
  if (SSL_CTX_set_default_verify_paths(ctx) == 1) return {};
  return "cannot use the system's CA certificates: " + take_tls_error();
}

std::string load_identity(SSL_CTX* ctx, const tls_client_options& o) {
  if (o.certificate.empty() && o.private_key.empty()) return {};
  if (o.certificate.empty())
    return "private key " + o.private_key + " has no certificate beside it";
  if (o.private_key.empty())
    return "certificate " + o.certificate + " has no private key beside it";
  if (SSL_CTX_use_certificate_chain_file(ctx, o.certificate.c_str()) != 1)
    return "cannot use certificate " + o.certificate + ": " + take_tls_error();
  if (SSL_CTX_use_PrivateKey_file(ctx, o.private_key.c_str(), SSL_FILETYPE_PEM) == 1) return {};
  return "cannot use private key " + o.private_key + " with certificate " + o.certificate + ": " +
         take_tls_error();
}

std::string reason_text(unsigned long code) {
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "error " + std::to_string(code);
}

}  // namespace

base::result<std::shared_ptr<const tls_client_context>, std::string> tls_client_context::make(
    const tls_client_options& options) {
  ERR_clear_error();
  ctx_holder ctx(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!ctx) return "cannot set up TLS: " + take_tls_error();
  set_protocol(ctx.get());
  std::string problem = load_trust(ctx.get(), options);
  if (problem.empty()) problem = load_identity(ctx.get(), options);
  if (!problem.empty()) return problem;
  return std::shared_ptr<const tls_client_context>(new tls_client_context(ctx.release()));
}

tls_client_context::~tls_client_context() {
  SSL_CTX_free(handle_);
}

bool prepare_client_ssl(ssl_st* ssl, const std::string& server_name) {
  X509_VERIFY_PARAM* check = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(server_name, not_an_address);
  if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(check, server_name.c_str()) == 1;
  std::string name = server_name;
  if (name.ends_with('.')) name.pop_back();  // RFC 6066 §3: without the trailing dot
  if (name.empty() || name.find('\0') != std::string::npos) return false;
  return SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 &&
         X509_VERIFY_PARAM_set1_host(check, name.data(), name.size()) == 1;
}

std::string verify_failure(const ssl_st* ssl) {
  const long why = SSL_get_verify_result(ssl);
  return why == X509_V_OK ? std::string() : X509_verify_cert_error_string(why);
}

std::string take_tls_error() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const std::string reason = reason_text(code);
    if (text.ends_with(reason)) continue;
    if (!text.empty()) text += ", ";
    text += reason;
  }
  return text.empty() ? "unknown error" : text;
}

}  // namespace weir::net
