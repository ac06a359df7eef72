#include "settings.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>

namespace weir::load {
namespace {

constexpr const char* usage =
    "usage: load closed|open|connect|idle|bulk|hold PORT [--option VALUE]...\n"
    "  --connections N  --seconds S  --count N  --rate R  --warmup S  --limit S  --seed N\n"
    "  --body SIZES  --answer SIZES  --service-us TIMES   each N, fixed:N, exp:MEAN or\n"
    "                                                     pareto:SHAPE,LEAST,MOST\n"
    "  --tls 1  --key 1  --header 'Name: value'  --hold-after BYTES\n"
    "  --trace FILE  --speedup X  --shrink X  --start NANOSECONDS\n"
    "README.md says what the modes do.\n";

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "%s\n%s", why.c_str(), usage);
  std::exit(2);
}

double real(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !(number >= 0)) refuse("not a number: " + text);
  return number;
}

distribution spread(const std::string& text) {
  const auto d = distribution::parse(text);
  if (!d) refuse("not a distribution: " + text);
  return *d;
}

using setter = std::function<void(settings&, const std::string&)>;

template <typename T>
setter number(T settings::*member) {
  return [member](settings& s, const std::string& text) { s.*member = static_cast<T>(real(text)); };
}

setter shape(distribution settings::*member) {
  return [member](settings& s, const std::string& text) { s.*member = spread(text); };
}

const std::map<std::string_view, setter>& options() {
  static const std::map<std::string_view, setter> table{
      {"--connections", number(&settings::connections)},
      {"--seconds", number(&settings::seconds)},
      {"--count", number(&settings::count)},
      {"--rate", number(&settings::rate)},
      {"--warmup", number(&settings::warmup)},
      {"--start", number(&settings::start)},
      {"--limit", number(&settings::limit)},
      {"--hold-after", number(&settings::hold_after)},
      {"--seed", number(&settings::seed)},
      {"--speedup", number(&settings::speedup)},
      {"--shrink", number(&settings::shrink)},
      {"--tls", number(&settings::tls)},
      {"--key", number(&settings::key)},
      {"--body", shape(&settings::body)},
      {"--answer", shape(&settings::answer)},
      {"--service-us", shape(&settings::service_us)},
      {"--header", [](settings& s, const std::string& line) { s.headers.push_back(line); }},
      {"--trace", [](settings& s, const std::string& file) { s.trace = file; }},
  };
  return table;
}

void complete(settings& s) {
  s.close = s.mode == "connect";
  if (s.mode == "open" && s.trace.empty() && !(s.rate > 0)) refuse("open needs --rate or --trace");
  if (s.seconds == 0 && s.count == 0 && s.trace.empty()) s.seconds = 5;
  if (s.limit == 0) s.limit = s.seconds > 0 ? s.seconds + 10 : 120;
  if (s.connections == 0 || s.speedup == 0 || s.shrink == 0) refuse("0 makes no sense there");
}

}  // namespace

settings read_command_line(int count, char** words) {
  if (count < 3) refuse("a mode and a port are needed");
  settings s;
  s.mode = words[1];
  s.port = static_cast<std::uint16_t>(real(words[2]));
  for (int i = 3; i < count; i += 2) {
    const auto found = options().find(words[i]);
    if (found == options().end() || i + 1 == count) refuse(std::string("what is ") + words[i]);
    found->second(s, words[i + 1]);
  }
  complete(s);
  return s;
}

}  // namespace weir::load
