#include "net/tls_server_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string_view>

namespace weir::net {
namespace {

using outcome = base::result<tls_context, std::string>;

std::string reason(const std::string& what, const std::string& file) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* text = code ? ERR_reason_error_string(code) : nullptr;
  return what + " " + file + ": " + (text ? text : "not usable");
}

// Only HTTP/1.1 is spoken; a client that offers ALPN without it gets no answer to it (RFC 7301 §3.2
// would let us refuse, but old clients list odd names and still speak HTTP/1.1).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// OpenSSL would ask for a passphrase on the terminal; a proxy has nobody to ask.
int no_passphrase(char*, int, int, void*) { return -1; }

void set_modes(SSL_CTX* c) {
  SSL_CTX_set_default_passwd_cb(c, no_passphrase);
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                             SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle sessions hold no record buffers.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Sessions resume by their ticket; nothing about them is kept here (RFC 8446 section 4.6.1).
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 1);   // the next connection gets its own
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
}

}  // namespace

outcome make_tls_server(const tls_server_options& o) {
  tls_context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* c = context.get();
  if (!c) return std::string("out of memory for a TLS context");
  set_modes(c);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(c, o.certificate.c_str()) != 1)
    return reason("certificate", o.certificate);
  if (SSL_CTX_use_PrivateKey_file(c, o.private_key.c_str(), SSL_FILETYPE_PEM) != 1)
    return reason("private_key", o.private_key);
  if (SSL_CTX_check_private_key(c) != 1)
    return reason("private_key does not belong to the certificate:", o.private_key);
  if (o.ask == client_certificates::none) return context;
  if (SSL_CTX_load_verify_locations(c, o.client_ca.c_str(), nullptr) != 1)
    return reason("client_ca", o.client_ca);
  SSL_CTX_set_client_CA_list(c, SSL_load_client_CA_file(o.client_ca.c_str()));
  SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>("weir"), 4);
  const bool must = o.ask == client_certificates::require;
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return context;
}

ssl_st* accept_session(const tls_context& context, int fd) {
  SSL* s = SSL_new(context.get());
  if (!s) return nullptr;
  SSL_set_fd(s, fd);
  SSL_set_accept_state(s);
  return s;
}

}  // namespace weir::net
