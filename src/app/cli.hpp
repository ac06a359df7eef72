// The command line: one verb, its options, what it prints. Main thread of a process of its own,
// save for `serve`.
#pragma once

namespace weir::app {

// The exit status: 0 done, 1 it failed and standard error says why, 2 wrong usage.
int run_command_line(int argc, char** argv);

}  // namespace weir::app
