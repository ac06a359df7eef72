// What an attempt of a durable batch has in place of a client: its number in the store, and the
// answer that is kept. Owned by the dispatcher's coroutine, filled by the attempt.
#pragma once

#include <string>
#include <string_view>

#include "core/types.hpp"
#include "http/forward.hpp"
#include "proxy/body_gatherer.hpp"

namespace weir::proxy {

struct stored_run {
  stored_run(net::loop& l, net::offload& writers) : body(l, writers) {}

  std::uint32_t number = 0;        // Weir-Attempt
  net::body_source::file_part request;   // its body, when that lies in a file
  body_gatherer body;              // of the answer
  unsigned status = 0;             // of the answer; 0: none came
  std::string fields;              // of the answer, as a client gets them
  bool whole = false;              // all of the answer came

  core::attempt_end end = core::attempt_end::failed;
  core::verdict verdict;
  std::string detail;              // why the attempt failed

  // Before each attempt.
  void begin(store::spool& files, body_gatherer::limits most) {
    body.begin(files, most);
    status = 0;
    whole = false;
    end = core::attempt_end::failed;
    verdict = {};
    detail.clear();
  }
  void answer_begun(unsigned s, std::string_view head) {
    status = s;
    fields = http::end_to_end_lines(head);
  }
  void ended(core::attempt_end how, std::string_view why, const core::verdict& then) {
    end = how;
    detail = why;
    verdict = then;
  }
};

}  // namespace weir::proxy
