// Messages that somebody outside has not got yet, one a name: rows of the transaction that the
// caller has begun. Only the store's thread calls it. Those that are not what was written are
// deleted by the call that meets them: nobody could be told what they said.
#pragma once

#include <string_view>
#include <vector>

#include "store/sqlite.hpp"

namespace weir::store {

class outbox {
 public:
  explicit outbox(database& db) : db_(db) {}

  outcome<void> keep(const message& m);       // in place of the name's older one
  outcome<void> forget(const message& m);     // unless another one has its name, or it is gone
  // Of the names that begin so: all of them, or those due first, without looking at the others.
  outcome<message_page> all(std::string_view prefix);
  outcome<message_page> due(std::string_view prefix, unsigned limit);

 private:
  outcome<message_page> read(const char* sql, std::string_view prefix, unsigned limit);
  outcome<void> erase(const std::vector<std::string>& names);

  database& db_;
};

}  // namespace weir::store
