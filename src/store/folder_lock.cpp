#include "store/folder_lock.hpp"

#include <filesystem>

#include "store/spool.hpp"

namespace weir::store {

outcome<void> make_folder(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (!failed) return {};
  const bool full = failed == std::errc::no_space_on_device;
  return failure{full ? trouble::full : trouble::io,
                 "making the folder " + path + ": " + failed.message()};
}

outcome<folder_lock> folder_lock::take(const std::string& folder) {
  if (auto made = make_folder(folder); !made) return made.error();
  auto opened = file::open(folder + "/" + name, file::mode::lock);
  if (opened) return folder_lock(std::move(*opened));
  if (opened.error() == boost::system::errc::operation_would_block)
    return failure{trouble::conflict, folder + " is locked: another weir uses it"};
  return file_failure(opened.error(), "locking " + folder);
}

}  // namespace weir::store
