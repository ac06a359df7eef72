#include "app/replay_folder.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "net/file.hpp"
#include "telemetry/log.hpp"

namespace weir::app {
namespace {

std::string folder_of(const config::settings& s) {
  if (!s.replay_dir.empty()) return s.replay_dir;
  if (!s.state_dir.empty()) return s.state_dir + "/replay";
  const char* const temporary = std::getenv("TMPDIR");
  return temporary && *temporary ? temporary : "/var/tmp";
}

// Made if it is missing, for weir's eyes only. Empty: it takes files.
std::string what_is_wrong_with(const std::string& folder) {
  std::error_code failed;
  if (std::filesystem::create_directories(folder, failed))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  const int fd = net::open_unnamed(folder);
  if (fd < 0) return std::strerror(errno);
  ::close(fd);
  return {};
}

}  // namespace

replay_folder open_replay_folder(const config::settings& s) {
  const std::string folder = folder_of(s);
  const std::string why = what_is_wrong_with(folder);
  if (why.empty()) return {folder, {}};
  if (!s.replay_dir.empty())
    return {{}, "replay_dir " + folder + ": no file can be made there: " + why};
  telemetry::log(telemetry::level::warning,
                 "no copies of long bodies are kept: set replay_dir to a folder that takes files",
                 {{"folder", folder}, {"error", why}});
  return {};
}

}  // namespace weir::app
