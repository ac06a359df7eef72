// What an Idempotency-Key is known by: whose it is, and what it was sent with (SHA-256). One per
// request, on its loop; the body's bytes are added as they come.
#pragma once

#include <memory>
#include <string_view>

#include "store/engine.hpp"

struct evp_md_ctx_st;

namespace weir::proxy {

class fingerprint {
 public:
  fingerprint();
  ~fingerprint();
  fingerprint(fingerprint&&) noexcept = default;
  fingerprint& operator=(fingerprint&&) noexcept = default;

  // A part that is told from the next: "ab","c" and "a","bc" differ.
  fingerprint& part(std::string_view text);
  void bytes(std::string_view more);   // of the last part, however they are cut
  store::digest value();               // used up by this

 private:
  struct freed {
    void operator()(evp_md_ctx_st* c) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, freed> context_;
};

// Keys of different tenants and routes never meet.
store::digest key_scope(std::string_view route, std::string_view tenant, std::string_view key);

}  // namespace weir::proxy
