#include <boost/json.hpp>

#include "store/backup.hpp"

namespace weir::store {
namespace json = boost::json;

namespace {

constexpr const char* states[] = {"queued", "running", "succeeded", "failed", "cancelled",
                                  "damaged"};

template <class Counts>
auto by_state(Counts& n) {
  return std::array{&n.queued, &n.running, &n.succeeded, &n.failed, &n.cancelled, &n.damaged};
}

failure no_note(const std::string& why) {
  return {trouble::damaged, std::string(note_file) + " does not describe a copy: " + why};
}

}  // namespace

std::string to_json(const backup_note& n) {
  json::object batches;
  const auto counts = by_state(n.counts);
  for (std::size_t i = 0; i < counts.size(); ++i) batches[states[i]] = *counts[i];
  const json::object all{{"schema", n.schema},           {"unix_ms", n.taken_at},
                         {"batches", batches},           {"bytes", n.counts.bytes},
                         {"spool_files", n.spool_files}, {"database_crc32", n.database_crc}};
  return json::serialize(all) + "\n";
}

outcome<backup_note> parse_backup_note(const std::string& text) {
  boost::system::error_code failed;
  const json::value read = json::parse(text, failed);
  if (failed || !read.is_object()) return no_note("it is no JSON object");
  const auto number = [&](const json::value& of, const char* name) -> std::optional<std::uint64_t> {
    const json::value* const v = of.is_object() ? of.get_object().if_contains(name) : nullptr;
    if (!v) return {};
    boost::system::error_code none;
    const auto n = v->to_number<std::uint64_t>(none);
    return none ? std::nullopt : std::optional(n);
  };
  const auto schema = number(read, "schema"), taken = number(read, "unix_ms"),
             bytes = number(read, "bytes"), files = number(read, "spool_files"),
             crc = number(read, "database_crc32");
  if (!schema || !taken || !bytes || !files || !crc) return no_note("a number is missing");
  backup_note n{static_cast<std::int64_t>(*schema), static_cast<unix_ms>(*taken), {},
                static_cast<std::uint32_t>(*crc), *files};
  n.counts.bytes = *bytes;
  const json::value* const batches = read.get_object().if_contains("batches");
  const auto counts = by_state(n.counts);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto count = batches ? number(*batches, states[i]) : std::nullopt;
    if (!count) return no_note(std::string("the number of ") + states[i] + " batches is missing");
    *counts[i] = *count;
  }
  return n;
}

}  // namespace weir::store
