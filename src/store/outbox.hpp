// Messages that somebody outside has not got yet, one a name: rows of the transaction that the
// caller has begun. Only the store's thread calls it.
#pragma once

#include <string_view>
#include <vector>

#include "store/sqlite.hpp"

namespace weir::store {

class outbox {
 public:
  explicit outbox(database& db) : db_(db) {}

  outcome<void> keep(const message& m);              // in place of the name's older one
  outcome<void> forget(std::string_view name);       // one that is gone already is no error
  outcome<std::vector<message>> all();               // oldest first; damaged ones are left out

 private:
  database& db_;
};

}  // namespace weir::store
