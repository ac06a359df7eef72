#include "store/spool.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

namespace weir::store {
namespace {

constexpr std::string_view part_suffix = ".part";

// The number in a name of ours, "N" or "N.part".
struct own_name {
  std::uint64_t number = 0;
  bool whole = false;
};
std::optional<own_name> parse_name(std::string_view name) {
  own_name n;
  n.whole = !name.ends_with(part_suffix);
  if (!n.whole) name.remove_suffix(part_suffix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n.number);
  if (error != std::errc{} || end != name.data() + name.size()) return {};
  return n;
}

}  // namespace

failure file_failure(const base::error_code& e, const std::string& doing) {
  const bool full = e == boost::system::errc::no_space_on_device || e.value() == EDQUOT;
  return {full ? trouble::full : trouble::io, doing + ": " + e.message()};
}

std::string spool::path(std::uint64_t number) const {
  return folder_ + "/" + std::to_string(number);
}

outcome<spool::writer> spool::create() {
  writer made(*this, next_.fetch_add(1, std::memory_order_relaxed));
  auto opened = file::open(made.part(), file::mode::create);
  if (!opened) return file_failure(opened.error(), "making a spool file");
  made.file_ = std::move(*opened);
  return made;
}

outcome<file> spool::open(const payload& body) const {
  auto opened = file::open(path(body.spool), file::mode::read);
  if (opened) return std::move(*opened);
  if (opened.error() == boost::system::errc::no_such_file_or_directory)
    return failure{trouble::damaged, "spool file " + std::to_string(body.spool) + " is missing"};
  return file_failure(opened.error(), "opening spool file " + std::to_string(body.spool));
}

outcome<std::size_t> spool::read(const file& from, const payload& body, std::uint64_t offset,
                                 std::span<char> into) const {
  const std::uint64_t left = body.size - std::min(offset, body.size);
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size())));
  const auto n = from.read(offset, into);
  if (!n) return file_failure(n.error(), "reading spool file " + std::to_string(body.spool));
  if (*n < into.size())
    return failure{trouble::damaged, "spool file " + std::to_string(body.spool) + " is too short"};
  return *n;
}

outcome<void> spool::verify(const payload& body) const {
  const auto from = open(body);
  if (!from) return from.error();
  std::array<char, 65536> piece;
  checksum sum;
  for (std::uint64_t at = 0; at < body.size;) {
    const auto n = read(*from, body, at, piece);
    if (!n) return n.error();
    sum.bytes({piece.data(), *n});
    at += *n;
  }
  if (sum.value() == body.crc) return {};
  return failure{trouble::damaged,
                 "spool file " + std::to_string(body.spool) + " has another checksum"};
}

outcome<void> spool::remove(std::uint64_t number) const {
  if (const auto failed = remove_file(path(number)))
    return file_failure(failed, "removing spool file " + std::to_string(number));
  return {};
}

outcome<std::size_t> spool::sweep(
    const std::function<outcome<bool>(std::uint64_t)>& named) const {
  std::error_code failed;
  std::size_t removed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, failed)) {
    const auto name = parse_name(entry.path().filename().string());
    if (!name) continue;
    const outcome<bool> stays = name->whole ? named(name->number) : outcome<bool>(false);
    if (!stays) return stays.error();
    if (*stays) continue;
    if (const auto kept = remove_file(entry.path().string()))
      return file_failure(kept, "removing what a crash left in the spool");
    ++removed;
  }
  if (failed)
    return failure{trouble::io, "reading the spool's folder " + folder_ + ": " + failed.message()};
  return removed;
}

// --- a body on its way in -----------------------------------------------------------------------

spool::writer::writer(writer&& other) noexcept
    : owner_(other.owner_),
      number_(std::exchange(other.number_, 0)),
      file_(std::move(other.file_)),
      size_(other.size_),
      sum_(other.sum_) {}

spool::writer::~writer() {
  if (file_) (void)remove_file(part());
}

std::string spool::writer::part() const {
  return owner_->path(number_) + std::string(part_suffix);
}

outcome<void> spool::writer::write(std::string_view bytes) {
  if (const auto failed = file_.write(bytes))
    return file_failure(failed, "writing a body to the spool");
  size_ += bytes.size();
  sum_.bytes(bytes);
  return {};
}

outcome<payload> spool::writer::finish() {
  base::error_code failed = file_.sync();
  if (!failed) failed = rename_file(part(), owner_->path(number_));
  if (!failed) {
    file_ = file();   // it is not a part any more: the destructor leaves it
    failed = sync_folder(owner_->folder_);
  }
  if (failed) return file_failure(failed, "making a spooled body durable");
  payload body;
  body.size = size_;
  body.crc = sum_.value();
  body.spool = number_;
  return body;
}

}  // namespace weir::store
