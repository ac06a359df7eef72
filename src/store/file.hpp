// A file with checked operations, each of which tests can make fail or fall short: all of this
// room's own file access goes through here. One thread at a time. Interrupted and partial calls are
// carried on; an error is the operating system's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::store {

enum class file_call : std::uint8_t {
  open, write, sync, read, rename, remove, link, reserve, room
};
struct file_plan {
  int error = 0;                               // errno to fail with
  std::size_t bytes_max = SIZE_MAX;            // of one read or write; free, of a disk
};
using file_hook = file_plan (*)(file_call);
extern file_hook before_file_call;             // for tests; set while no thread uses files

class file {
 public:
  // create: must not exist yet. change: is written over from its front. update: is made if it is
  // missing, and is read and written anywhere. lock: so too, and it is locked until it is closed;
  // errc::operation_would_block: by somebody else.
  enum class mode : std::uint8_t { read, create, change, update, lock };

  file() = default;
  ~file();
  file(file&& other) noexcept;
  file& operator=(file&& other) noexcept;

  static base::result<file> open(const std::string& path, mode how);
  base::error_code write(std::string_view bytes);
  base::error_code write_at(std::uint64_t offset, std::string_view bytes);
  // Room for that many bytes from its front on, so that writing them changes nothing but them.
  base::error_code reserve(std::uint64_t bytes);
  // Fills `into` from `offset` on; fewer bytes only at the end of the file.
  base::result<std::size_t> read(std::uint64_t offset, std::span<char> into) const;
  void begin_sync(std::uint64_t offset, std::uint64_t bytes) noexcept;   // sync() has less to do
  void forget_cached() noexcept;               // its memory in the system goes to others
  base::error_code sync();                     // the data and what is needed to find it
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int descriptor() const noexcept { return fd_; }   // stays this file's

 private:
  explicit file(int fd) : fd_(fd) {}
  int fd_ = -1;
};

base::error_code rename_file(const std::string& from, const std::string& to);
base::error_code remove_file(const std::string& path);   // one that is gone already is no error
base::error_code link_file(const std::string& from, const std::string& to);   // one file, two names
struct disk_room {
  std::uint64_t free = 0, all = 0;             // bytes; free: to this process
};
base::result<disk_room> room_of_disk(const std::string& folder);
base::error_code sync_folder(const std::string& path);   // makes names in it durable

}  // namespace weir::store
