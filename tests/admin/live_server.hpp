// For tests: an admin server that runs on a thread of its own over a fake backend, on a port that
// the kernel picked, and a raw client that blocks, with a deadline, on the test's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "admin/server.hpp"
#include "fake_backend.hpp"

namespace weir::admin {

class live_server {
 public:
  explicit live_server(server_options options = {});
  ~live_server();   // closes and joins; afterwards nothing runs

  const std::string& address() const;   // as server::address()
  void on_server(std::function<void(server&, fake_backend&)>);   // on its thread; waits for it
  void stop();

  fake_backend back;   // touch before the first request, or through on_server, or after stop

 private:
  struct state;
  std::unique_ptr<state> s_;
};

server_options on_loopback(std::string token = "");

struct response {
  unsigned status = 0;   // 0: the connection ended before a whole answer
  std::string head, body;
  std::string field(std::string_view name) const;
};

class raw_client {
 public:
  explicit raw_client(const std::string& address);   // fails the test when it cannot connect
  ~raw_client();
  raw_client(const raw_client&) = delete;

  void send(std::string_view bytes);        // an error is for the reads to find out
  void finish();                            // no more to send; the server sees the end
  response read(bool to_head = false);      // one answer
  std::string read_to_end();                // until the server closes
  bool at_end() { return read_to_end().empty(); }

 private:
  bool more();
  int fd_;
  std::string in_;
};

// One request on a connection of its own.
response ask(const std::string& address, std::string_view request);

}  // namespace weir::admin
