// `weir serve`: reads the configuration, runs an instance until a signal ends it. Called by the
// command line on the main thread, which becomes the control thread.
#pragma once

#include <string>

namespace weir::app {

// The exit status: 0 after a drain, 1 when the configuration or a listener is no good.
int serve(const std::string& config_file);

}  // namespace weir::app
