#include "http/names.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "http/scan.hpp"

namespace weir::http {

namespace {

struct known_name {
  std::string_view text;  // lower case
  field_name known;
};

constexpr known_name known_names[] = {
    {"", field_name::other},  // index 0: nothing hashes here
    {"connection", field_name::connection},
    {"content-length", field_name::content_length},
    {"content-type", field_name::content_type},
    {"date", field_name::date},
    {"expect", field_name::expect},
    {"forwarded", field_name::forwarded},
    {"host", field_name::host},
    {"idempotency-key", field_name::idempotency_key},
    {"keep-alive", field_name::keep_alive},
    {"prefer", field_name::prefer},
    {"priority", field_name::priority},
    {"proxy-authenticate", field_name::proxy_authenticate},
    {"proxy-authorization", field_name::proxy_authorization},
    {"proxy-connection", field_name::proxy_connection},
    {"proxy-status", field_name::proxy_status},
    {"retry-after", field_name::retry_after},
    {"server-timing", field_name::server_timing},
    {"te", field_name::te},
    {"traceparent", field_name::traceparent},
    {"trailer", field_name::trailer},
    {"transfer-encoding", field_name::transfer_encoding},
    {"upgrade", field_name::upgrade},
    {"via", field_name::via},
    {"weir-agent", field_name::weir_agent},
    {"weir-deadline", field_name::weir_deadline},
    {"weir-group", field_name::weir_group},
    {"x-forwarded-for", field_name::x_forwarded_for},
    {"x-forwarded-host", field_name::x_forwarded_host},
    {"x-forwarded-proto", field_name::x_forwarded_proto},
    {"endpoint-load-metrics", field_name::endpoint_load_metrics},
    {"endpoint-load-metrics-bin", field_name::endpoint_load_metrics_bin},
};

// The multipliers were found by search; the static_assert below says that they still serve.
constexpr std::size_t hash_size = 128;
constexpr std::size_t hash(std::size_t size, char first, char last) {
  const unsigned a = static_cast<unsigned char>(first), b = static_cast<unsigned char>(last);
  return (size + 3 * (a | 0x20u) + 35 * (b | 0x20u)) % hash_size;
}

constexpr std::array<std::uint8_t, hash_size> make_slots() {
  std::array<std::uint8_t, hash_size> slots{};
  for (std::size_t i = 1; i < std::size(known_names); ++i) {
    const std::string_view text = known_names[i].text;
    slots[hash(text.size(), text.front(), text.back())] = static_cast<std::uint8_t>(i);
  }
  return slots;
}
constexpr auto slots = make_slots();
static_assert(std::count_if(slots.begin(), slots.end(), [](auto i) { return i != 0; }) ==
                  std::size(known_names) - 1,
              "two known names share a slot: search for other multipliers");

// Exact for tokens: among token characters only letters become letters by `| 0x20`.
bool same_token(const char* token, std::string_view lower) noexcept {
  constexpr std::uint64_t case_bits = 0x2020202020202020ull;
  const std::size_t size = lower.size();
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i)
      if ((token[i] | 0x20) != lower[i]) return false;
    return true;
  }
  const auto differ = [&](std::size_t i) {
    return (load8(token + i) | case_bits) != load8(lower.data() + i);
  };
  for (std::size_t i = 0; i + 8 < size; i += 8)
    if (differ(i)) return false;
  return !differ(size - 8);
}

}  // namespace

field_name classify(std::string_view name) noexcept {
  if (name.empty()) return field_name::other;
  const known_name& guess = known_names[slots[hash(name.size(), name.front(), name.back())]];
  if (guess.text.size() == name.size() && same_token(name.data(), guess.text)) return guess.known;
  const bool of_weir = name.size() >= 5 && name[4] == '-' && same_token(name.data(), "weir-");
  return of_weir ? field_name::weir_other : field_name::other;
}

field_name classify_as_cgi(std::string_view name) noexcept {
  constexpr std::size_t longest = 64;  // longer than every name above
  if (name.size() > longest) name = name.substr(0, longest);
  std::array<char, longest> text{};
  std::replace_copy(name.begin(), name.end(), text.begin(), '_', '-');
  return classify({text.data(), name.size()});
}

bool is_hop_by_hop(field_name known) noexcept {
  switch (known) {
    case field_name::connection:
    case field_name::keep_alive:
    case field_name::proxy_authenticate:
    case field_name::proxy_authorization:
    case field_name::proxy_connection:
    case field_name::te:
    case field_name::trailer:
    case field_name::transfer_encoding:
    case field_name::upgrade:
      return true;
    default:
      return false;
  }
}

bool is_end_to_end(field_name known) noexcept {
  switch (known) {
    case field_name::content_length:
    case field_name::content_type:
    case field_name::date:
    case field_name::forwarded:
    case field_name::host:
    case field_name::idempotency_key:
    case field_name::traceparent:
    case field_name::via:
    case field_name::weir_agent:
    case field_name::weir_deadline:
    case field_name::weir_group:
    case field_name::weir_other:
    case field_name::x_forwarded_for:
    case field_name::x_forwarded_host:
    case field_name::x_forwarded_proto:
      return true;
    default:
      return false;
  }
}

bool may_edit(field_name known) noexcept {
  switch (known) {
    case field_name::content_length:
    case field_name::expect:
    case field_name::weir_agent:
    case field_name::weir_deadline:
    case field_name::weir_group:
    case field_name::weir_other:
      return false;
    default:
      return !is_hop_by_hop(known);
  }
}

}  // namespace weir::http
