// Text for people from the admin API's JSON: tables with aligned columns for the command line.
// Pure; JSON that is not what the API sends comes back as it is.
#pragma once

#include <string>
#include <string_view>

namespace weir::admin {

std::string print_status(std::string_view json);    // GET /v1/status
std::string print_workers(std::string_view json);   // GET /v1/workers
std::string print_queue(std::string_view json);     // GET /v1/queue
std::string print_batches(std::string_view json);   // GET /v1/batches
std::string print_batch(std::string_view json);     // GET /v1/batches/ID
std::string print_explain(std::string_view json);   // GET /v1/explain
std::string print_events(std::string_view json);    // GET /v1/events
std::string print_report(std::string_view json);    // POST /v1/reload, /v1/plan, …/scale/test
// A problem+json body as one or more lines: title, detail, diagnostics.
std::string print_problem(unsigned status, std::string_view json);

}  // namespace weir::admin
