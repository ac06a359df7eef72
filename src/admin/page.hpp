// The web page at / of the admin address: one HTML text without anything from elsewhere, which
// polls the admin API with the reader's token. Built once; any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir::admin {

std::string_view page();
// Content-Security-Policy: only this page's own style and script, by their hashes, and its own API.
const std::string& page_policy();

}  // namespace weir::admin
