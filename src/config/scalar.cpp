#include "config/scalar.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/cidr.hpp"
#include "config/addresses.hpp"
#include "config/nearest.hpp"
#include "config/secrets.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

// What came of one text: the value, or why not. `what` is said of the text ("is out of range"), or
// empty when it simply is not what was expected.
struct outcome {
  std::optional<value> good;
  std::string what;
  std::string meant;
};

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

outcome refuse(std::string what, std::string meant = {}) {
  return {{}, std::move(what), std::move(meant)};
}

template <class T>
outcome in_range(const shape& type, const std::optional<T>& n, double compared, std::string meant) {
  if (!n) return refuse({}, std::move(meant));
  if (compared < type.min || compared > type.max) return refuse(" is out of range");
  return {value(*n), {}, {}};
}

outcome read_count(const shape& type, const std::string& text) {
  if (!type.zero_word.empty() && text == type.zero_word) return {value(std::uint64_t{0}), {}, {}};
  const auto n = parse_count(text);
  return in_range(type, n, static_cast<double>(n.value_or(0)), {});
}

outcome read_choice(const shape& type, const std::string& text) {
  const auto at = std::find(type.choices.begin(), type.choices.end(), text);
  if (at == type.choices.end()) return refuse({}, std::string(nearest(text, type.choices)));
  return {value(static_cast<std::uint64_t>(at - type.choices.begin())), {}, {}};
}

outcome read_boolean(const std::string& text) {
  if (text == "true" || text == "false") return {value(text == "true"), {}, {}};
  const auto word = lower(text);
  const bool yes = word == "yes" || word == "on" || word == "true";
  const bool no = word == "no" || word == "off" || word == "false";
  return refuse({}, yes ? "true" : no ? "false" : "");
}

outcome read_number(const shape& type, const std::string& text) {
  switch (type.what) {
    case kind::boolean:
      return read_boolean(text);
    case kind::count:
      return read_count(type, text);
    case kind::choice:
      return read_choice(type, text);
    case kind::time_span: {
      const auto d = parse_duration(text);
      return in_range(type, d, exact_seconds(d.value_or(duration{})), duration_meant(text));
    }
    case kind::size: {
      const auto n = parse_size(text);
      return in_range(type, n, static_cast<double>(n.value_or(0)), size_meant(text));
    }
    case kind::share: {
      const auto n = parse_share(text);
      return in_range(type, n, n.value_or(0), share_meant(text));
    }
    default: {
      const auto n = parse_number(text);
      return in_range(type, n, n.value_or(0), {});
    }
  }
}

outcome text_if(bool fine, const std::string& text, std::string meant = {}) {
  return fine ? outcome{value(text), {}, {}} : refuse({}, std::move(meant));
}

outcome read_cidr(const std::string& text) {
  if (base::cidr::parse(text)) return {value(text), {}, {}};
  const auto masked = base::cidr::parse_masked(text);
  return masked ? refuse(" has bits beyond its prefix", to_string(*masked)) : refuse({});
}

outcome read_method(const std::string& text) {
  const bool slip = method_in_wrong_case(text);
  return text_if(valid_token(text) && !slip, text, slip ? upper(text) : "");
}

// The port that a url without one would need is not guessed, but a missing scheme is.
outcome read_worker_url(const std::string& text) {
  if (const auto u = parse_worker_url(text)) return {value(*u), {}, {}};
  const bool only_scheme_missing = parse_worker_url("http://" + text).has_value();
  return refuse({}, only_scheme_missing ? "http://" + text : "");
}

outcome read_address(const std::string& text) {
  if (const auto a = parse_address(text)) return {value(*a), {}, {}};
  constexpr std::string_view local = "localhost:";
  const bool named =
      text.starts_with(local) && parse_address("127.0.0.1:" + text.substr(local.size()));
  return refuse({}, named ? "127.0.0.1:" + text.substr(local.size()) : "");
}

outcome read_text(const shape& type, const std::string& text) {
  switch (type.what) {
    case kind::address:
      return read_address(text);
    case kind::worker_url:
      return read_worker_url(text);
    case kind::hook_url:
      return text_if(valid_hook_url(text), text);
    case kind::name:
      return text_if(valid_name(text), text);
    case kind::http_path:
      return text_if(text.empty() || valid_path(text), text);
    case kind::host:
      return text_if(text.empty() || valid_host(text), text);
    case kind::host_pattern:
      return text_if(valid_host_pattern(text), lower(text));
    case kind::method:
      return read_method(text);
    case kind::field_name:
      return text_if(valid_token(text), text);
    case kind::field_value:
      return text_if(valid_field_value(text), text);
    case kind::cidr:
      return read_cidr(text);
    default:
      return text_if(text.find('\0') == text.npos && text.size() <= 4096, text);
  }
}

outcome read_file(const shape& type, const std::string& path, const file_loader& files) {
  if (path.empty() && type.what == kind::pem_file) return {value(path), {}, {}};
  auto held = type.what == kind::pem_file     ? read_pem(path, files)
              : type.what == kind::token_file ? read_token(path, files)
                                              : read_signing_key(path, files);
  if (!held.fault.empty()) return refuse(" " + held.fault);
  if (type.what == kind::pem_file) return {value(path), {}, {}};
  return {value(secret{path, std::move(held.text)}), {}, {}};
}

bool is_file(kind what) {
  return what == kind::pem_file || what == kind::token_file || what == kind::signing_file;
}
bool is_url(kind what) {
  return what == kind::worker_url || what == kind::hook_url;
}
// What a message shows of a text that was refused: never a secret, and of hooks no path.
std::string refused_text(const shape& type, const node& n) {
  if (is_file(type.what) && looks_secret(n.text)) return "a path (not shown)";
  if (type.what != kind::hook_url || n.from_environment) return describe(n);
  const std::string origin = hook_origin(n.text);
  if (origin == n.text) return describe(n);
  return origin.empty() ? "a url (not shown)" : quoted(origin + "/...");
}
// Kinds that YAML knows too: in quotes they would be texts.
bool is_bare(kind what) {
  return what == kind::boolean || what == kind::count || what == kind::number;
}
bool is_numeric(kind what) {
  return what <= kind::choice;
}

}  // namespace

std::optional<value> read_scalar(const shape& type, const node& n, reading& r) {
  if (n.faulty) return {};
  if (n.what != node::kind::scalar) {
    r.error(n, fmt::format("{}, expected {}", describe(n), expects_one(type)));
    return {};
  }
  const bool word = !type.zero_word.empty() && n.text == type.zero_word;
  const bool in_quotes = n.quoted && !n.from_environment && is_bare(type.what) && !word;
  auto got = is_file(type.what)      ? read_file(type, n.text, r.files())
             : is_numeric(type.what) ? read_number(type, n.text)
                                     : read_text(type, n.text);
  if (in_quotes) got = refuse(" in quotes", got.good ? n.text : "");
  if (got.good) return std::move(got.good);
  // What was meant is worked out from the text, which may be a variable's: then it is not shown.
  const bool show = !got.meant.empty() && !n.from_environment;
  if (is_url(type.what) && (holds_credentials(n.text) || holds_credentials(n.written)))
    r.error(n, fmt::format("a url with a user or password in it (not shown), expected {}: "
                           "credentials in urls are not taken",
                           expects_one(type)));
  else
    r.error(n,
            fmt::format("{}{}, expected {}{}", refused_text(type, n), got.what, expects_one(type),
                        show ? ", did you mean " + got.meant : ""));
  return {};
}

}  // namespace weir::config
