// What the tests of the store share: batches with something in every member, ids by number, and
// files that fail on command.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "store/checksum.hpp"
#include "store/engine.hpp"
#include "store/file.hpp"

namespace weir::store::test {

inline batch_id id_of(unsigned n) {
  batch_id id{};
  for (std::size_t i = 0; i < 4; ++i) id[i] = static_cast<unsigned char>(n >> (8 * i));
  id[15] = 1;
  return id;
}

inline digest digest_of(unsigned n) {
  digest d{};
  for (std::size_t i = 0; i < 4; ++i) d[i] = static_cast<unsigned char>(n >> (8 * i));
  d[31] = 1;
  return d;
}

inline payload inline_body(std::string bytes) {
  payload p;
  p.size = bytes.size();
  p.crc = checksum().bytes(bytes).value();
  p.bytes = std::move(bytes);
  return p;
}

inline batch batch_of(unsigned n, std::string body = "row,1\n") {
  batch b;
  b.id = id_of(n);
  b.pool = "loaders", b.route = "orders", b.tenant = n % 2 ? "odd" : "even";
  b.key = "key-" + std::to_string(n);
  b.method = "POST", b.target = "/load/orders?n=" + std::to_string(n);
  b.fields = "Content-Type: text/csv\r\nX-Empty: \r\n";
  b.cost = 12.5, b.urgency = 1, b.callback = "https://client.example/done";
  b.deadline = 2'000'000;
  b.body = inline_body(std::move(body));
  b.created = b.changed = 1'000'000 + n;
  return b;
}

// What a call is answered.
template <class T, class Ask>
outcome<T> answer(Ask ask) {
  std::promise<outcome<T>> told;
  ask(done<T>([&](outcome<T> got) { told.set_value(std::move(got)); }));
  return told.get_future().get();
}

// All that waits, lane by lane, as a weir takes it up at its start.
inline std::vector<batch> queued(engine& from) {
  std::vector<batch> all;
  auto lanes = answer<std::vector<lane_state>>([&](auto t) { from.lanes(t); });
  if (!lanes) throw std::runtime_error(lanes.error().detail);
  for (const lane_state& l : *lanes) {
    auto page = answer<std::vector<batch>>([&](auto t) { from.load(l.lane, 0, 1000000, t); });
    if (!page) throw std::runtime_error(page.error().detail);
    std::move(page->begin(), page->end(), std::back_inserter(all));
  }
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.seq < b.seq; });
  return all;
}

// The nth file operation from here on fails with this error; 0: none. At its end nothing fails any
// more, but the seam stays in place: another thread may be looking at it.
class failing_files {
 public:
  explicit failing_files(unsigned nth, int error = EIO) {
    left() = nth, with() = error;
    before_file_call = [](file_call) {
      return file_plan{left() != 0 && --left() == 0 ? with().load() : 0, SIZE_MAX};
    };
  }
  ~failing_files() { left() = 0; }
  failing_files(const failing_files&) = delete;
  failing_files& operator=(const failing_files&) = delete;
  bool struck() const { return left() == 0; }

 private:
  static std::atomic<unsigned>& left() {
    static std::atomic<unsigned> n = 0;
    return n;
  }
  static std::atomic<int>& with() {
    static std::atomic<int> e = 0;
    return e;
  }
};

}  // namespace weir::store::test
