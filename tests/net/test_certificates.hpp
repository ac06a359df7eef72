// Certificates for tests, made on the spot with the OpenSSL API: self-signed, or signed by a test
// authority, for names and addresses.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "scratch.hpp"

namespace weir::test {

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using x509_ptr = std::unique_ptr<X509, decltype(&X509_free)>;

struct identity {
  key_ptr key{nullptr, EVP_PKEY_free};
  x509_ptr certificate{nullptr, X509_free};

  template <class Write>
  static std::string pem(Write write) {
    std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
    write(out.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
  }
  std::string certificate_pem() const {
    return pem([&](BIO* out) { PEM_write_bio_X509(out, certificate.get()); });
  }
  std::string key_pem(const char* passphrase = nullptr) const {
    const EVP_CIPHER* cipher = passphrase ? EVP_aes_128_cbc() : nullptr;
    return pem([&](BIO* out) {
      PEM_write_bio_PKCS8PrivateKey(out, key.get(), cipher, passphrase,
                                    passphrase ? static_cast<int>(std::strlen(passphrase)) : 0,
                                    nullptr, nullptr);
    });
  }
};

struct certificate_wish {
  std::string alternatives;                      // "DNS:worker.test,IP:127.0.0.1"; empty: none
  long from_seconds = -3600, to_seconds = 3600;  // validity, from now
  const identity* authority = nullptr;           // null: self-signed
  bool is_authority = false;
};

inline void add_extension(X509* to, int nid, const std::string& value) {
  X509_EXTENSION* x = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(to, x, -1);
  X509_EXTENSION_free(x);
}

inline identity make_identity(const certificate_wish& wish) {
  static long serial = 0;
  identity made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* x = made.certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), wish.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(x), wish.to_seconds);
  X509_set_pubkey(x, made.key.get());
  const std::string common = "weir test " + std::to_string(serial);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
  const identity& signer = wish.authority ? *wish.authority : made;
  X509_set_issuer_name(x, X509_get_subject_name(signer.certificate.get()));
  if (wish.is_authority) add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
  if (!wish.alternatives.empty()) add_extension(x, NID_subject_alt_name, wish.alternatives);
  X509_sign(x, signer.key.get(), EVP_sha256());
  return made;
}

// A server's context with that identity; `client_ca` asks for and demands a client's certificate.
inline std::shared_ptr<boost::asio::ssl::context> server_context(
    const identity& who, const std::string& client_ca = {}) {
  namespace ssl = boost::asio::ssl;
  auto made = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_use_certificate(made->native_handle(), who.certificate.get());
  SSL_CTX_use_PrivateKey(made->native_handle(), who.key.get());
  if (client_ca.empty()) return made;
  made->load_verify_file(client_ca);
  made->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  return made;
}

}  // namespace weir::test
