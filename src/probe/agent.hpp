// What a worker says of itself in the Weir-Agent field of a probe's reply: the words of HAProxy's
// agent-check ("maxconn:8 drain", "up 75%", "down#disk full"), separated by blanks or commas, in
// any order and case; of words that contradict each other the last counts, unknown ones are left
// out. Pure; called by check.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::probe {

struct agent_report {
  enum class health : std::uint8_t { unsaid, up, down };              // down, failed, stopped
  enum class duty : std::uint8_t { unsaid, ready, drain, maintain };  // ready, drain, maint
  health state = health::unsaid;
  duty wish = duty::unsaid;
  std::optional<std::uint32_t> maxconn;  // slots it wants to have, at most slots_max
  std::optional<std::uint32_t> percent;  // of its weight, at most percent_max
  std::string description;               // after '#', printable, at most description_max bytes
  std::string unknown;                   // the first word that is none, cut likewise

  static constexpr std::uint32_t slots_max = 1'000'000;
  static constexpr std::uint32_t percent_max = 1000;
  static constexpr std::size_t description_max = 200;

  bool operator==(const agent_report&) const = default;
};

// Nothing said gives a default report.
agent_report parse_agent(std::string_view text);

}  // namespace weir::probe
