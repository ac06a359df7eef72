#include "probe/agent.hpp"

#include <algorithm>
#include <charconv>

namespace weir::probe {
namespace {

using health = agent_report::health;
using duty = agent_report::duty;

constexpr std::string_view between = " \t,";

std::string lower(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// What may stand in a log line.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, agent_report::description_max));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

std::optional<std::uint32_t> number(std::string_view digits, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc{} || end != digits.data() + digits.size() || value > most) return {};
  return value;
}

bool take_word(agent_report& r, std::string_view word) {
  if (word == "up") return r.state = health::up, true;
  if (word == "down" || word == "failed" || word == "stopped") return r.state = health::down, true;
  if (word == "ready") return r.wish = duty::ready, true;
  if (word == "drain") return r.wish = duty::drain, true;
  if (word == "maint") return r.wish = duty::maintain, true;
  return false;
}

bool take_number(agent_report& r, std::string_view word) {
  constexpr std::string_view prefix = "maxconn:";
  if (word.ends_with('%')) {
    const auto said = number(word.substr(0, word.size() - 1), agent_report::percent_max);
    if (said) r.percent = said;
    return said.has_value();
  }
  if (!word.starts_with(prefix)) return false;
  const auto said = number(word.substr(prefix.size()), agent_report::slots_max);
  if (said) r.maxconn = said;
  return said.has_value();
}

void take(agent_report& r, std::string_view word) {
  const std::string plain = lower(word);
  if (take_word(r, plain) || take_number(r, plain) || !r.unknown.empty()) return;
  r.unknown = printable(word);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(between);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(between) - first + 1);
}

}  // namespace

agent_report parse_agent(std::string_view text) {
  agent_report r;
  const auto hash = text.find('#');
  if (hash != text.npos) r.description = printable(trim(text.substr(hash + 1)));
  text = trim(text.substr(0, hash));
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(between), text.size());
    take(r, text.substr(0, end));
    text = trim(text.substr(end));
  }
  return r;
}

}  // namespace weir::probe
