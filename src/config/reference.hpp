// The reference of all keys as Markdown, written from the key tables; the tables in
// config/README.md are this text, kept so by a test.
#pragma once

#include <string>

namespace weir::config {

struct section;

// A heading and a table a section: key, type with unit and range, default, meaning, what happens at
// its limit.
std::string reference_markdown();
// The same of another file that is described by such tables.
std::string reference_markdown(const section& root);

}  // namespace weir::config
