#include "proxy/fingerprint.hpp"

#include <openssl/evp.h>

#include "base/check.hpp"

namespace weir::proxy {

void fingerprint::freed::operator()(evp_md_ctx_st* c) const noexcept { EVP_MD_CTX_free(c); }

fingerprint::fingerprint() : context_(EVP_MD_CTX_new()) {
  WEIR_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

fingerprint::~fingerprint() = default;

fingerprint& fingerprint::part(std::string_view text) {
  const std::uint64_t size = text.size();
  bytes({reinterpret_cast<const char*>(&size), sizeof size});
  bytes(text);
  return *this;
}

void fingerprint::bytes(std::string_view more) {
  WEIR_CHECK(EVP_DigestUpdate(context_.get(), more.data(), more.size()) == 1);
}

store::digest fingerprint::value() {
  store::digest d;
  WEIR_CHECK(EVP_DigestFinal_ex(context_.get(), d.data(), nullptr) == 1);
  return d;
}

store::digest key_scope(std::string_view route, std::string_view tenant, std::string_view key) {
  return fingerprint().part(route).part(tenant).part(key).value();
}

}  // namespace weir::proxy
