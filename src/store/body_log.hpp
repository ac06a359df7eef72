// Bodies of middling size, one behind the other in files of fixed size ("segments"), written once:
// in the database they would be written twice, to its log and then to its pages. A body is whole on
// the disk when sync() returned; a record in the database that names its place comes after that.
// A segment whose bodies are all gone is written anew, which costs the file system nothing.
// Invariants: what is written never touches a body that a committed record names; a place is
// counted as live by commits alone. Only the store's thread uses it; read_body() is for any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/file.hpp"
#include "store/records.hpp"

namespace weir::store {

struct log_place {
  std::uint64_t segment = 0;
  std::uint64_t at = 0, size = 0;   // bytes
};

class body_log {
 public:
  static constexpr const char* folder_name = "bodies";
  static constexpr std::uint64_t segment_size = 32ull << 20;
  static constexpr std::size_t spare_max = 16;   // empty segments that are kept; others go

  explicit body_log(std::string folder, std::uint64_t segment_bytes = segment_size)
      : folder_(std::move(folder)), segment_bytes_(segment_bytes) {}

  outcome<void> open();                       // makes the folder, or takes over its segments
  // What the database names, told when it was opened: recount, found for each segment, release.
  void recount();
  void found(std::uint64_t number, std::uint64_t live_bytes, std::uint64_t end);

  // Where it stands; at most a segment is written. full: no room on the disk.
  outcome<log_place> append(std::string_view body);
  outcome<void> sync();                       // what was appended
  void drop(const log_place& place);          // its record goes with this transaction
  void committed();                           // the transaction around these counts
  void rolled_back();                         // or it does not

  outcome<std::string> read(const log_place& place);

  // While a copy is made: segments that get empty stay as they are.
  void hold() noexcept { held_ = true; }
  void release();
  // The segment whose bodies should be moved, so that it can be used again: most of what the log
  // takes on the disk is bodies that have gone.
  std::optional<std::uint64_t> wasteful();
  void keep_as_it_is(std::uint64_t number);  // its bodies cannot be moved
  std::uint64_t bytes() const noexcept { return segments_.size() * segment_bytes_; }
  // The disk is short of room: empty segments go, all of them.
  void give_back();

 private:
  struct segment {
    std::uint64_t live = 0;   // bytes of bodies, each rounded up to blocks
    std::uint64_t end = 0;    // behind the last of them, as found
    bool stuck = false;       // its bodies cannot be moved
    bool missing = false;     // its file was not there at the start: nothing is written to it
  };
  outcome<void> turn();
  outcome<void> continue_or_take();
  outcome<void> use(std::uint64_t number, std::uint64_t from, bool fresh);
  outcome<void> put(std::string_view body);
  bool written_now(std::uint64_t number) const;
  void drop_spares(std::size_t most);

  const std::string folder_;
  const std::uint64_t segment_bytes_;
  std::map<std::uint64_t, segment> segments_;
  std::vector<log_place> appended_, dropped_;   // in this transaction
  std::uint64_t next_ = 1;
  std::uint64_t open_ = 0;                      // 0: none
  file writing_, written_;                      // written_: the segment before
  std::uint64_t at_ = 0, committed_at_ = 0, begun_at_ = 0;
  bool unsynced_ = false;
  bool held_ = false;
  bool thinner_ = false;                        // bodies went since wasteful() said no
  std::uint64_t read_number_ = 0;
  file reading_;
};

// `damaged` when the segment is missing or too short. The bytes are the caller's to check.
outcome<std::string> read_body(const file& from, const log_place& place);
// What a body takes of a segment: it begins and ends at whole blocks of the disk, none of which has
// to be read before it is written over.
constexpr std::uint64_t log_block = 4096;
constexpr std::uint64_t whole_blocks(std::uint64_t bytes) noexcept {
  return (bytes + log_block - 1) & -log_block;
}
std::string segment_path(const std::string& folder, std::uint64_t number);

}  // namespace weir::store
