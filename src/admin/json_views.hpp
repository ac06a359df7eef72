// The admin API's JSON, field by field: what scripts, the web page and the command line read. Names
// are those of the views; durations are seconds, times milliseconds since 1970.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "admin/backend.hpp"

namespace weir::admin {

boost::json::object to_json(const process_status&, const readiness&);
boost::json::object to_json(const core::pool_view&);
boost::json::object to_json(const worker_status&, std::string_view pool);
boost::json::object to_json(const core::queue_item&, std::string_view pool);
boost::json::object to_json(const scale_view&);
boost::json::object to_json(const hook_status&);
boost::json::object to_json(const event_entry&);
boost::json::object to_json(const change_report&);

// One line of JSON with its newline; numbers as people write them (12, 1.25), where Boost.JSON's
// own serializer writes 1.2E1.
std::string to_text(const boost::json::object&);

}  // namespace weir::admin
