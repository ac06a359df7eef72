// Where copies of bodies that are too long for memory go (replay_dir). Called once, at the start,
// on the control thread.
#pragma once

#include <string>

#include "config/config.hpp"

namespace weir::app {

struct replay_folder {
  std::string path;      // proven by a file made in it; empty: nobody named one, and the one that
                         // weir would take by itself cannot be used; the log says why
  std::string mistake;   // what is wrong with the one in the configuration; empty: nothing
};
replay_folder open_replay_folder(const config::settings& s);

}  // namespace weir::app
