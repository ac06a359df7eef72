#include "stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace weir::load {

static char scratch[1 << 16];

static transfer judged(ssize_t n) {
  if (n > 0) return {flow::moved, static_cast<std::size_t>(n)};
  if (n == 0) return {flow::ended};
  return {errno == EAGAIN || errno == EINTR ? flow::blocked : flow::broken};
}

tls_client::tls_client() : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
  if (!context_) die("SSL_CTX_new");
  SSL_CTX_set_min_proto_version(native(), TLS1_3_VERSION);
  SSL_CTX_set_mode(native(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(native(), SSL_SESS_CACHE_OFF);
}

stream::stream(descriptor socket, const tls_client* tls) : socket_(std::move(socket)) {
  if (tls == nullptr) return;
  tls_.reset(SSL_new(tls->native()));
  if (!tls_ || SSL_set_fd(tls_.get(), number()) != 1) die("SSL_new");
  SSL_set_connect_state(tls_.get());
}

stream::~stream() = default;

transfer stream::judge(int rc) {
  if (rc > 0) return {flow::moved, static_cast<std::size_t>(rc)};
  const int why = SSL_get_error(tls_.get(), rc);
  ERR_clear_error();
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return {flow::blocked};
  return {why == SSL_ERROR_ZERO_RETURN ? flow::ended : flow::broken};
}

flow stream::shake_hands() {
  return tls_ ? judge(SSL_do_handshake(tls_.get())).how : flow::moved;
}

transfer stream::read(char* to, std::size_t most) {
  if (tls_) return judge(SSL_read(tls_.get(), to, static_cast<int>(most)));
  return judged(recv(number(), to, most, 0));
}

transfer stream::discard(std::size_t most) {
  if (tls_) return read(scratch, std::min(most, sizeof scratch));
  return judged(forget_bytes(number(), most));
}

transfer stream::write(std::string_view head, std::string_view body) {
  if (tls_) {
    const std::string_view next = head.empty() ? body : head;
    return judge(SSL_write(tls_.get(), next.data(), static_cast<int>(next.size())));
  }
  iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                   {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return judged(sendmsg(number(), &message, MSG_NOSIGNAL));
}

}  // namespace weir::load
