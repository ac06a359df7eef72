#include "proxy/batch_json.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "store/batch_ids.hpp"
#include "telemetry/json_text.hpp"

namespace weir::proxy {
namespace {

constexpr std::array<std::string_view, 6> names{"queued",    "running",   "succeeded",
                                                "failed",    "cancelled", "damaged"};

class object {
 public:
  explicit object(std::string& out) : out_(out) { out_ += '{'; }
  ~object() { out_ += '}'; }
  object(const object&) = delete;
  object& operator=(const object&) = delete;

  object& text(std::string_view key, std::string_view value) {
    begin(key);
    telemetry::append_json_string(out_, value);
    return *this;
  }
  object& number(std::string_view key, double value) {
    begin(key);
    std::array<char, 32> digits;
    out_.append(digits.data(),
                std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    return *this;
  }
  object& whole(std::string_view key, std::int64_t value) {
    begin(key);
    out_ += std::to_string(value);
    return *this;
  }
  std::string& begin(std::string_view key) {
    if (out_.back() != '{') out_ += ',';
    return out_.append("\"").append(key).append("\":");
  }

 private:
  std::string& out_;
};

std::string_view view(const std::array<char, 32>& hex) noexcept { return {hex.data(), hex.size()}; }

void append_history(std::string& out, std::span<const store::attempt_note> history) {
  out += '[';
  for (const store::attempt_note& n : history) {
    if (&n != history.data()) out += ',';
    object o(out);
    o.whole("attempt", n.number).text("worker", n.worker).whole("began_unix_ms", n.began);
    if (n.ended) o.whole("ended_unix_ms", n.ended).text("outcome", n.outcome);
    if (!n.detail.empty()) o.text("detail", n.detail);
  }
  out += ']';
}

}  // namespace

std::string_view name(store::batch_state s) noexcept { return names[static_cast<std::size_t>(s)]; }

std::optional<store::batch_state> parse_batch_state(std::string_view text) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return static_cast<store::batch_state>(i);
  return std::nullopt;
}

std::string accepted_json(const store::batch_id& id, store::batch_state state) {
  const auto hex = store::hex_of(id);
  std::string out;
  {
    object o(out);
    o.text("id", view(hex)).text("state", name(state));
    o.text("location", std::string("/_weir/batches/").append(view(hex)));
  }
  return out += '\n';
}

std::string batch_lines_json(std::span<const store::batch_line> lines, bool more) {
  std::string out = "{\"batches\":[";
  for (const store::batch_line& b : lines) {
    if (&b != lines.data()) out += ',';
    const auto hex = store::hex_of(b.id);
    object o(out);
    o.text("id", view(hex)).text("state", name(b.state)).text("pool", b.pool);
    o.text("route", b.route).text("tenant", b.tenant).whole("attempts", b.attempts);
    o.whole("created_unix_ms", b.created).whole("changed_unix_ms", b.changed);
    o.whole("body_bytes", static_cast<std::int64_t>(b.body_bytes));
  }
  out += "],\"next\":";
  out += more ? std::to_string(lines.back().seq) : "null";
  return out += "}\n";
}

std::string batch_json(const store::batch& b, std::span<const store::attempt_note> history,
                       const std::optional<core::queue_place>& place) {
  const auto hex = store::hex_of(b.id);
  std::string out;
  {
    object o(out);
    o.text("id", view(hex)).text("state", name(b.state)).text("pool", b.pool);
    o.text("route", b.route).text("tenant", b.tenant).text("method", b.method);
    o.text("target", b.target);
    if (b.cost > 0) o.number("cost", b.cost);
    o.whole("urgency", b.urgency);
    o.whole("body_bytes", static_cast<std::int64_t>(b.body.size)).whole("attempts", b.attempts);
    o.whole("created_unix_ms", b.created).whole("changed_unix_ms", b.changed);
    if (b.not_before > 0) o.whole("not_before_unix_ms", b.not_before);
    if (place) {
      o.whole("position", static_cast<std::int64_t>(place->position));
      if (std::isfinite(place->eta_seconds)) o.number("eta_seconds", place->eta_seconds);
    }
    append_history(o.begin("history"), history);
  }
  return out += '\n';
}

}  // namespace weir::proxy
