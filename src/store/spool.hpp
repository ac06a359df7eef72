// Long bodies, one file each, in a folder of their own: written to "N.part" as they arrive, synced,
// and renamed to "N", so that a file under its number is whole. A record in the database that names
// N comes after that; a file that no record names is left over from a crash and is swept at the
// start. Every call blocks: never on a loop. Different bodies may be handled by different threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "store/checksum.hpp"
#include "store/file.hpp"
#include "store/sqlite.hpp"

namespace weir::store {

class spool {
 public:
  class writer;

  // `folder` exists. Numbers are given from `next` on: above all that were ever used.
  spool(std::string folder, std::uint64_t next) : folder_(std::move(folder)), next_(next) {}

  outcome<writer> create();
  outcome<file> open(const payload& body) const;
  // Bytes of `body` from `offset` on, fewer only at its end; `damaged` when the file is shorter.
  outcome<std::size_t> read(const file& from, const payload& body, std::uint64_t offset,
                            std::span<char> into) const;
  outcome<void> verify(const payload& body) const;   // reads all of it
  outcome<void> remove(std::uint64_t number) const;
  // Removes files of this room's naming that no record names; how many were removed.
  outcome<std::size_t> sweep(const std::function<outcome<bool>(std::uint64_t)>& named) const;
  std::string path(std::uint64_t number) const;

 private:

  std::string folder_;
  std::atomic<std::uint64_t> next_;
};

// One body on its way in. What was not finished is removed with the writer.
class spool::writer {
 public:
  writer(writer&&) noexcept;
  writer& operator=(writer&&) = delete;
  ~writer();

  outcome<void> write(std::string_view bytes);
  outcome<payload> finish();   // durable from here on; the writer is used up
  std::uint64_t size() const noexcept { return size_; }

 private:
  friend class spool;
  writer(const spool& owner, std::uint64_t number) : owner_(&owner), number_(number) {}
  std::string part() const;

  const spool* owner_;
  std::uint64_t number_;
  file file_;
  std::uint64_t size_ = 0;
  checksum sum_;
};

failure file_failure(const base::error_code& e, const std::string& doing);

}  // namespace weir::store
