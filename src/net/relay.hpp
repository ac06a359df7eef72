// Moves one message's body from a socket to a socket with bounded memory: takes the framing off on
// one side and puts the right one on at the other. Used by sessions for both directions, on one
// loop. The caller interrupts the sockets to stop it, and watches `moved` and `last_progress` for
// deadlines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/chunked.hpp"
#include "http/head.hpp"
#include "net/buffers.hpp"
#include "net/socket.hpp"
#include "net/task.hpp"

namespace weir::net {

// Keeps a copy of a body's bytes as they pass, so that it can be sent again.
class body_keeper {
 public:
  virtual void keep(std::string_view bytes) = 0;
  // False: it gave up, and the rest may go by uncopied.
  virtual bool keeping() const noexcept { return true; }
  // Not null: it has no room for more bytes now, and what is told when that may have changed.
  virtual signal* full() noexcept { return nullptr; }

 protected:
  ~body_keeper() = default;
};

// A body as it arrives. State lives here, so that a relay that stopped can go on elsewhere.
struct body_source {
  // A part that lies in a file: body bytes, no framing. The descriptor is the caller's.
  struct file_part {
    int fd = -1;
    std::uint64_t offset = 0, left = 0;
  };

  socket* from = nullptr;            // may be null when all of it is in the parts below
  http::body_kind kind = http::body_kind::none;
  std::uint64_t left = 0;            // kind length: bytes of body still to come
  http::chunk_decoder chunks{};      // kind chunked
  std::string_view replay;           // body bytes (no framing) to send before all others
  file_part file;                    // sent after `replay`, and before what follows
  std::string_view buffered;         // bytes read already, framing included; may hold more than
                                     // the body (then the rest stays here)
  std::string overread;              // what a relay read beyond a chunked body's end
  bool finished = false;             // all of it was taken from the socket
  std::uint64_t taken = 0;           // body bytes taken from buffered or socket
  std::uint64_t taken_max = ~std::uint64_t{0};   // one more ends the relay with too_large
  bool wanted_pipe = false;          // it was copied because all pipes were taken

  bool complete() const noexcept { return finished && replay.empty() && file.left == 0; }
};

struct body_sink {
  socket* to = nullptr;              // null: the body is read and thrown away
  http::body_kind kind = http::body_kind::none;   // length, chunked or until_close; none: no bytes
  std::string_view head;             // sent before anything else, in the same write when possible
  std::uint64_t sent = 0;            // bytes written, head and framing included
  bool started() const noexcept { return sent > 0; }
};

enum class relay_end : std::uint8_t {
  done,            // the body is through, its end said to the sink
  source_closed,   // before the body's end
  source_failed,   // read error
  file_failed,     // the source's file cannot be read, or is shorter than was said
  source_bad,      // broken chunked framing
  too_large,       // taken_max passed
  sink_failed,     // write error, or the peer closed
  interrupted,     // by the caller
};

struct relay_progress {
  instant last_progress{};           // of either side
  bool waits_for_source = false;     // what a stall would be blamed on
};

// What relays borrow while they run; one for all of a loop.
struct relay_stock {
  buffer_pool buffers;
  pipe_pool pipes;
};

// A message whose rest is at hand, in one write and without waiting. Nothing: it takes more than
// that; what was sent has left `source` and `sink`, and relay() goes on from there.
std::optional<relay_end> relay_at_once(loop& l, body_source& source, body_sink& sink,
                                       relay_progress& progress, body_keeper* keeper);

// Sends sink.head and then the body. `keeper` may be null. A long rest of known length between two
// plain sockets moves through a pipe, uncopied, and so does a long part in a file to a plain one.
task<relay_end> relay(loop& l, body_source& source, body_sink& sink, relay_stock& stock,
                      relay_progress& progress, body_keeper* keeper);

// Writes all of `bytes`.
task<relay_end> write_all(loop& l, socket& to, std::string_view bytes, relay_progress& progress);

}  // namespace weir::net
