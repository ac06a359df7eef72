#include "net/relay.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "net/file.hpp"

namespace weir::net {
namespace {

constexpr std::size_t runs_max = 16;   // runs of body gathered into one write
constexpr unsigned rounds_per_turn = 8;   // reads and writes before other connections get a turn
constexpr std::uint64_t sendfile_bytes_max = 256 * 1024;   // at once; a cold disk blocks the loop
constexpr std::uint64_t splice_bytes_min = 64 * 1024;   // less is copied sooner than spliced

// What one write sends: the head once, then runs of body, each in its chunk if the sink is chunked.
class gathered {
 public:
  gathered(http::body_kind framing, std::string_view head, body_keeper* keeper)
      : chunked_(framing == http::body_kind::chunked), keeper_(keeper) {
    add(head);
  }
  void add_run(std::string_view run) {
    if (keeper_) keeper_->keep(run);
    add_replay(run);
  }
  void add_replay(std::string_view run) {
    if (chunked_) add((heads_[runs_] = http::make_chunk_head(run.size())).view());
    add(run);
    if (chunked_) add(http::chunk_tail);
    ++runs_;
  }
  void add_end() {
    if (chunked_) add(http::last_chunk);
  }
  bool full() const noexcept { return runs_ == runs_max; }
  bool empty() const noexcept { return count_ == 0; }
  std::span<const iovec> left() const noexcept {
    return {vectors_.data() + first_, count_ - first_};
  }
  bool all_sent() const noexcept { return first_ == count_; }

  void sent(std::size_t n) noexcept {
    while (first_ < count_ && n >= vectors_[first_].iov_len) n -= vectors_[first_++].iov_len;
    if (!n) return;
    iovec& v = vectors_[first_];
    v = {static_cast<char*>(v.iov_base) + n, v.iov_len - n};
  }

 private:
  void add(std::string_view bytes) noexcept {
    if (!bytes.empty()) vectors_[count_++] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  bool chunked_;
  body_keeper* keeper_;
  std::size_t runs_ = 0, first_ = 0, count_ = 0;
  std::array<http::chunk_head, runs_max> heads_;
  std::array<iovec, 3 * runs_max + 2> vectors_;
};

enum class taking : std::uint8_t { more, ended, bad };

// Takes body bytes out of source.buffered into `out`; `more` when the buffer is used up.
taking take_length(body_source& s, gathered& out) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(s.left, s.buffered.size()));
  if (n) out.add_run(s.buffered.substr(0, n));
  s.buffered.remove_prefix(n);
  s.left -= n;
  s.taken += n;
  return s.left ? taking::more : taking::ended;
}

taking take_chunks(body_source& s, gathered& out) {
  while (!s.buffered.empty() && !out.full()) {
    const auto step = s.chunks.next(s.buffered);
    s.buffered.remove_prefix(step.consumed);
    if (step.what == http::chunk_decoder::step::kind::bad) return taking::bad;
    if (step.what == http::chunk_decoder::step::kind::done) return taking::ended;
    if (step.what != http::chunk_decoder::step::kind::data) continue;
    out.add_run(step.data);
    s.taken += step.data.size();
  }
  return taking::more;
}

taking take_rest(body_source& s, gathered& out) {
  if (!s.buffered.empty()) out.add_run(s.buffered);
  s.taken += s.buffered.size();
  s.buffered = {};
  return taking::more;
}

taking take(body_source& s, gathered& out) {
  switch (s.kind) {
    case http::body_kind::none: return taking::ended;
    case http::body_kind::length: return take_length(s, out);
    case http::body_kind::chunked: return take_chunks(s, out);
    case http::body_kind::until_close: return take_rest(s, out);
  }
  return taking::bad;
}

// A replayed prefix goes alone: keeping more of the body could move it in memory.
taking take_next(body_source& s, gathered& out) {
  const bool replays = !s.replay.empty();
  if (replays) out.add_replay(std::exchange(s.replay, {}));
  if (s.finished) return taking::ended;
  return replays ? taking::more : take(s, out);
}

task<relay_end> send(loop& l, body_sink& sink, gathered& out, relay_progress& progress) {
  while (!out.all_sent()) {
    if (!sink.to) co_return relay_end::done;
    const io w = sink.to->try_write(out.left());
    if (w.what == io::kind::done) {
      out.sent(w.bytes);
      sink.sent += w.bytes;
      progress.last_progress = l.now();
      continue;
    }
    if (w.what != io::kind::blocked) co_return relay_end::sink_failed;
    progress.waits_for_source = false;
    const wake woken = co_await sink.to->writable();
    if (woken == wake::interrupted) co_return relay_end::interrupted;
  }
  co_return relay_end::done;
}

// Reads at most what the body still needs, so that nothing of a next message is taken along.
std::span<char> room_for(const body_source& s, const buffer& b) {
  if (s.kind != http::body_kind::length) return b.span();
  return b.span().first(static_cast<std::size_t>(std::min<std::uint64_t>(s.left, b.size())));
}

// Fills source.buffered from the socket; done also at the end of an until_close body.
task<relay_end> fill(loop& l, body_source& s, buffer& b, buffer_pool& buffers,
                     relay_progress& progress) {
  if (!s.from) co_return relay_end::source_closed;
  for (;;) {
    if (!s.from->readable().await_ready()) {
      b.release();
      progress.waits_for_source = true;
    }
    // Also when it is ready: an interrupt counts as ready, and only the await uses it up.
    const wake woken = co_await s.from->readable();
    if (woken == wake::interrupted) co_return relay_end::interrupted;
    if (!b) b = buffers.take();
    const io r = s.from->try_read(room_for(s, b));
    if (r.what == io::kind::blocked) continue;
    if (r.what == io::kind::failed) co_return relay_end::source_failed;
    if (r.what == io::kind::end) {
      s.finished = s.kind == http::body_kind::until_close;
      co_return s.finished ? relay_end::done : relay_end::source_closed;
    }
    s.buffered = {b.data(), r.bytes};
    progress.last_progress = l.now();
    co_return relay_end::done;
  }
}

// What was read and not taken outlives the buffer it was read into.
void stash(body_source& s, const buffer& room) {
  const bool inside = room && s.buffered.data() >= room.data() &&
                      s.buffered.data() < room.data() + room.size();
  if (!inside || s.buffered.empty()) return;
  s.overread.assign(s.buffered);
  s.buffered = s.overread;
}

bool may_splice(const body_source& s, const body_sink& k, const body_keeper* keeper) noexcept {
  const bool plain = s.from && k.to && !s.from->is_tls() && !k.to->is_tls();
  const bool kept = keeper && keeper->keeping();
  return !kept && plain && s.buffered.empty() && s.kind == http::body_kind::length &&
         k.kind == http::body_kind::length &&
         s.left >= splice_bytes_min && s.taken + s.left <= s.taken_max && !s.wanted_pipe;
}

task<relay_end> drain_pipe(loop& l, pipe& through, body_sink& sink, relay_progress& progress) {
  while (through.held) {
    const io w = sink.to->try_splice_out(through);
    if (w.what == io::kind::done) {
      sink.sent += w.bytes;
      progress.last_progress = l.now();
      continue;
    }
    if (w.what != io::kind::blocked) co_return relay_end::sink_failed;
    progress.waits_for_source = false;
    const wake woken = co_await sink.to->writable();
    if (woken == wake::interrupted) co_return relay_end::interrupted;
  }
  co_return relay_end::done;
}

// The rest of a body of known length, through a pipe.
task<relay_end> splice_rest(loop& l, body_source& s, body_sink& sink, pipe& through,
                            relay_progress& progress) {
  for (unsigned round = 1; s.left > 0; ++round) {
    if (round % rounds_per_turn == 0) co_await yield{l};
    if (!s.from->readable().await_ready()) progress.waits_for_source = true;
    const wake woken = co_await s.from->readable();
    if (woken == wake::interrupted) co_return relay_end::interrupted;
    const io r = s.from->try_splice_in(through, static_cast<std::size_t>(s.left));
    if (r.what == io::kind::blocked) continue;
    if (r.what == io::kind::end) co_return relay_end::source_closed;
    if (r.what == io::kind::failed) co_return relay_end::source_failed;
    s.left -= r.bytes;
    s.taken += r.bytes;
    progress.last_progress = l.now();
    const relay_end drained = co_await drain_pipe(l, through, sink, progress);
    if (drained != relay_end::done) co_return drained;
  }
  s.finished = true;
  co_return relay_end::done;
}

// A chunk has to be announced, and TLS encrypts: those are copied, and so is what fits in a buffer.
bool may_send_file(const body_source& s, const body_sink& k, std::size_t copied_max) noexcept {
  return k.head.empty() && s.replay.empty() && s.file.left > copied_max && !k.to->is_tls() &&
         k.kind != http::body_kind::chunked;
}

bool pass(body_source::file_part& f, std::size_t n) noexcept {
  f.offset += n;
  f.left -= n;
  return n > 0;
}

// One step of the file's way through the kernel; done also when the sink has no room by now.
relay_end send_file_step(loop& l, body_source::file_part& f, body_sink& sink,
                         relay_progress& progress) {
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(f.left, sendfile_bytes_max));
  const io w = sink.to->try_send_file(f.fd, f.offset, bytes);
  if (w.what == io::kind::end) return relay_end::file_failed;
  if (w.what == io::kind::failed) return relay_end::sink_failed;
  if (pass(f, w.bytes)) progress.last_progress = l.now();
  sink.sent += w.bytes;
  return relay_end::done;
}

// What comes in front of the file, and as much of it as fits in a buffer, unless the file is worth
// sending through the kernel.
task<relay_end> copy_file_step(loop& l, body_source& s, body_sink& sink, buffer_pool& buffers,
                               relay_progress& progress) {
  gathered out(sink.kind, std::exchange(sink.head, {}), nullptr);
  if (!s.replay.empty()) out.add_replay(std::exchange(s.replay, {}));
  buffer b;
  if (!may_send_file(s, sink, buffers.bytes())) {
    b = buffers.take();
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(s.file.left, b.size()));
    const std::int64_t n = read_at(s.file.fd, s.file.offset, b.span().first(room));
    if (n <= 0) co_return relay_end::file_failed;
    pass(s.file, static_cast<std::size_t>(n));
    out.add_replay({b.data(), static_cast<std::size_t>(n)});
  }
  if (s.complete()) out.add_end();
  const relay_end end = co_await send(l, sink, out, progress);
  co_return end;
}

task<relay_end> file_step(loop& l, body_source& s, body_sink& sink, buffer_pool& buffers,
                          relay_progress& progress) {
  if (!may_send_file(s, sink, buffers.bytes()))
    return copy_file_step(l, s, sink, buffers, progress);
  return task<relay_end>::ready(send_file_step(l, s.file, sink, progress));
}

// The head, the replayed prefix and the file's part, up to what comes from the socket; the body's
// end too when nothing does.
task<relay_end> move_file(loop& l, body_source& s, body_sink& sink, buffer_pool& buffers,
                          relay_progress& progress) {
  progress.waits_for_source = false;
  for (unsigned round = 1; s.file.left > 0; ++round) {
    if (round % rounds_per_turn == 0) co_await yield{l};
    const wake woken = co_await sink.to->writable();
    if (woken == wake::interrupted) co_return relay_end::interrupted;
    const relay_end end = co_await file_step(l, s, sink, buffers, progress);
    if (end != relay_end::done) co_return end;
  }
  co_return relay_end::done;
}

// Nobody wants it.
void drop_stored(body_source& s) noexcept {
  s.replay = {};
  s.file.left = 0;
}

// Bytes that a keeper has no room for stay where they are; the sender waits in the end.
task<relay_end> wait_for_room(loop& l, body_keeper& keeper, body_source& s, body_sink& sink,
                              relay_progress& progress) {
  while (signal* const room = keeper.full()) {
    if ((s.from && s.from->interrupted()) || (sink.to && sink.to->interrupted()))
      co_return relay_end::interrupted;
    co_await *room;
  }
  progress.last_progress = l.now();
  co_return relay_end::done;
}

task<relay_end> move_body(loop& l, body_source& source, body_sink& sink, relay_stock& stock,
                          buffer& room, relay_progress& progress, body_keeper* keeper) {
  if (!sink.to) drop_stored(source);
  if (source.file.left > 0) {
    const relay_end stored = co_await move_file(l, source, sink, stock.buffers, progress);
    if (stored != relay_end::done || source.finished) co_return stored;
  }
  std::string_view head = std::exchange(sink.head, {});
  for (unsigned round = 1;; ++round) {
    if (round % rounds_per_turn == 0) co_await yield{l};
    if (keeper && keeper->full()) {
      const relay_end room_made = co_await wait_for_room(l, *keeper, source, sink, progress);
      if (room_made != relay_end::done) co_return room_made;
    }
    gathered out(sink.kind, head, keeper);
    const taking got = take_next(source, out);
    if (got == taking::bad) co_return relay_end::source_bad;
    if (source.taken > source.taken_max) co_return relay_end::too_large;
    source.finished = got == taking::ended;
    if (source.finished) out.add_end();
    const relay_end sent = co_await send(l, sink, out, progress);
    head = {};
    if (sent != relay_end::done) co_return sent;
    if (source.finished) co_return relay_end::done;
    if (!source.buffered.empty()) continue;
    if (may_splice(source, sink, keeper)) {
      taken_pipe through(stock.pipes);
      source.wanted_pipe = !through;
      if (through) {
        room.release();
        const relay_end end = co_await splice_rest(l, source, sink, *through, progress);
        co_return end;
      }
    }
    const relay_end filled = co_await fill(l, source, room, stock.buffers, progress);
    if (filled != relay_end::done) co_return filled;
  }
}

iovec run_of(std::string_view bytes) noexcept {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// What is left of a body that needs no further read and no framing; nothing: it does.
std::optional<std::string_view> rest_at_hand(const body_source& s, const body_sink& k) noexcept {
  const bool stored = !s.replay.empty() || s.file.left > 0;
  if (!k.to || stored || k.kind == http::body_kind::chunked) return std::nullopt;
  if (s.finished) return std::string_view{};
  const bool whole = s.kind == http::body_kind::length && s.left <= s.buffered.size() &&
                     s.taken + s.left <= s.taken_max;
  if (!whole) return std::nullopt;
  return s.buffered.substr(0, static_cast<std::size_t>(s.left));
}

}  // namespace

std::optional<relay_end> relay_at_once(loop& l, body_source& source, body_sink& sink,
                                       relay_progress& progress, body_keeper* keeper) {
  const auto body = rest_at_hand(source, sink);
  if (!body || sink.head.size() + body->size() == 0) return std::nullopt;
  const std::array<iovec, 2> runs{run_of(sink.head), run_of(*body)};
  const std::size_t first = sink.head.empty(), last = body->empty() ? 1 : 2;
  const io w = sink.to->try_write({runs.data() + first, last - first});
  if (w.what == io::kind::blocked) return std::nullopt;
  if (w.what != io::kind::done) return relay_end::sink_failed;
  progress.last_progress = l.now();
  sink.sent += w.bytes;
  const std::size_t of_head = std::min(w.bytes, sink.head.size()), of_body = w.bytes - of_head;
  sink.head.remove_prefix(of_head);
  if (of_body && keeper) keeper->keep(body->substr(0, of_body));
  source.buffered.remove_prefix(of_body);
  source.left -= of_body;
  source.taken += of_body;
  if (!sink.head.empty() || of_body < body->size()) return std::nullopt;
  source.finished = true;
  return relay_end::done;
}

task<relay_end> write_all(loop& l, socket& to, std::string_view bytes, relay_progress& progress) {
  body_sink sink{&to, http::body_kind::none, bytes, 0};
  gathered out(sink.kind, bytes, nullptr);
  const relay_end end = co_await send(l, sink, out, progress);
  co_return end;
}

task<relay_end> relay(loop& l, body_source& source, body_sink& sink, relay_stock& stock,
                      relay_progress& progress, body_keeper* keeper) {
  buffer room;
  progress.last_progress = l.now();
  const relay_end end = co_await move_body(l, source, sink, stock, room, progress, keeper);
  stash(source, room);
  co_return end;
}

}  // namespace weir::net
