// A client's byte stream: a plain socket, or TLS 1.3 over one. Calls never block; what cannot go on
// now says `blocked` and goes on at the descriptor's next event. Certificates are not verified and
// sessions not resumed: every connection is a full handshake, the same for every proxy.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include "sockets.hpp"

namespace weir::load {

/// How a call on a stream went; bytes were moved only with `moved`.
enum class flow { moved, blocked, ended, broken };

struct transfer {
  flow how = flow::blocked;
  std::size_t bytes = 0;
};

/// The one TLS context of a run.
class tls_client {
 public:
  tls_client();
  SSL_CTX* native() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

class stream {
 public:
  /// `tls` may be null, for a plain one.
  stream(descriptor socket, const tls_client* tls);
  ~stream();
  stream(stream&&) = delete;

  int number() const { return socket_.number(); }
  bool secure() const { return tls_ != nullptr; }

  /// moved: the TLS handshake is over, or none was needed.
  flow shake_hands();
  transfer read(char* to, std::size_t most);
  /// Reads and forgets up to `most` bytes; a plain stream does not even copy them.
  transfer discard(std::size_t most);
  /// Sends of `head`, then of `body`.
  transfer write(std::string_view head, std::string_view body);

 private:
  struct free_ssl {
    void operator()(SSL* s) const { SSL_free(s); }
  };

  transfer judge(int rc);

  descriptor socket_;
  std::unique_ptr<SSL, free_ssl> tls_;
};

}  // namespace weir::load
