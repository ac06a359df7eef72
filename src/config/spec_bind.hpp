// Ties rows of the key tables to members of config::settings and of what it holds, or of another
// object that is read by such a table. Included by the spec_*.cpp files only. A path of member
// pointers says where a value lives; optionals on the way are made when a value is stored.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "config/spec.hpp"
#include "config/units.hpp"

namespace weir::config::bind {

template <class T>
struct member;
template <class Owner, class T>
struct member<T Owner::*> {
  using owner = Owner;
};
template <auto M>
using owner_of = typename member<decltype(M)>::owner;

template <class T>
T& unwrap(T& v) {
  return v;
}
template <class T>
T& unwrap(std::optional<T>& v) {
  return v ? *v : v.emplace();
}
template <class T>
const T& unwrap(const std::optional<T>& v) {
  return *v;
}

template <auto First, auto... Rest, class Object>
auto& follow(Object& object) {
  if constexpr (sizeof...(Rest) == 0) {
    return object.*First;
  } else {
    return follow<Rest...>(unwrap(object.*First));
  }
}

template <class T>
value to_value(const T& v) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, double>) {
    return v;
  } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    return static_cast<std::uint64_t>(v);
  } else if constexpr (std::is_same_v<T, std::vector<std::uint16_t>>) {
    return std::vector<std::uint64_t>(v.begin(), v.end());
  } else {
    return v;
  }
}

template <class T>
void from_value(T& to, value&& v) {
  if constexpr (std::is_same_v<T, bool>) {
    const auto* index = std::get_if<std::uint64_t>(&v);  // a bool shown as one of two choices
    to = index ? *index != 0 : std::get<bool>(v);
  } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    to = static_cast<T>(std::get<std::uint64_t>(v));
  } else if constexpr (std::is_same_v<T, std::vector<std::uint16_t>>) {
    const auto& from = std::get<std::vector<std::uint64_t>>(v);
    to.assign(from.begin(), from.end());
  } else {
    to = std::get<T>(std::move(v));
  }
}

// A row for one value.
template <auto... Path>
key leaf(std::string_view name, shape type, std::string_view doc, std::string_view at_limit = {}) {
  using owner = owner_of<std::get<0>(std::tuple(Path...))>;
  key k;
  k.name = name;
  k.type = std::move(type);
  k.doc = doc;
  k.at_limit = at_limit;
  k.store = [](void* o, value v) {
    from_value(follow<Path...>(*static_cast<owner*>(o)), std::move(v));
  };
  k.load = [](const void* o) { return to_value(follow<Path...>(*static_cast<const owner*>(o))); };
  owner fresh{};
  k.fallback = to_value(follow<Path...>(fresh));
  return k;
}

// A row for a file whose content is secret: the text and the path it came from.
template <class Owner>
key secret_file(std::string_view name, kind what, std::string Owner::*text,
                std::string Owner::*path, std::string_view doc, std::string_view at_limit = {}) {
  key k;
  k.name = name;
  k.type.what = what;
  k.doc = doc;
  k.at_limit = at_limit;
  k.fallback = secret{};
  k.store = [=](void* o, value v) {
    auto& from = std::get<secret>(v);
    static_cast<Owner*>(o)->*text = std::move(from.text);
    static_cast<Owner*>(o)->*path = std::move(from.file);
  };
  k.load = [=](const void* o) {
    const auto* object = static_cast<const Owner*>(o);
    return value(secret{object->*path, object->*text});
  };
  k.given = [=](const void* o) { return !(static_cast<const Owner*>(o)->*path).empty(); };
  return k;
}

// A row for a section whose keys live in a member, or in the owner itself.
template <auto... Path>
key nested(std::string_view name, const section& inside) {
  using owner = owner_of<std::get<0>(std::tuple(Path...))>;
  key k;
  k.name = name;
  k.what = key::form::section;
  k.doc = inside.doc;
  k.inside = &inside;
  k.optional = requires(owner o) {
    follow<Path...>(o).has_value();
  };
  k.open = [](void* o) -> void* { return &unwrap(follow<Path...>(*static_cast<owner*>(o))); };
  k.peek = [](const void* o) -> const void* {
    const auto& m = follow<Path...>(*static_cast<const owner*>(o));
    if constexpr (requires { m.has_value(); }) {
      return m ? &*m : nullptr;
    } else {
      return &m;
    }
  };
  return k;
}

inline key same_object(std::string_view name, const section& inside) {
  key k;
  k.name = name;
  k.what = key::form::section;
  k.doc = inside.doc;
  k.inside = &inside;
  k.open = [](void* o) { return o; };
  k.peek = [](const void* o) { return o; };
  return k;
}

// A row for a list of sections in a vector member.
template <auto Member>
key list_of(std::string_view name, const section& inside, std::string_view item_key,
            std::size_t items_min, std::size_t items_max) {
  using owner = owner_of<Member>;
  key k;
  k.name = name;
  k.what = key::form::list;
  k.doc = inside.doc;
  k.inside = &inside;
  k.item_key = item_key;
  k.type.items_min = items_min;
  k.type.items_max = items_max;
  k.append = [](void* o, const std::string&) -> void* {
    return &(static_cast<owner*>(o)->*Member).emplace_back();
  };
  k.items = [](const void* o) {
    std::vector<const void*> out;
    for (const auto& item : static_cast<const owner*>(o)->*Member) out.push_back(&item);
    return out;
  };
  return k;
}

inline key required(key k) {
  k.required = true;
  return k;
}
inline key discreet(key k) {
  k.discreet = true;
  return k;
}
inline key needs_restart(key k) {
  k.restart = true;
  return k;
}

// Shapes, for readable rows.
inline shape of(kind what) {
  return {what, many::one, 0, 0, {}, {}, 0, 0};
}
inline shape boolean() {
  return of(kind::boolean);
}
inline shape count(double min, double max) {
  return {kind::count, many::one, min, max, {}, {}, 0, 0};
}
inline shape number(double min, double max) {
  return {kind::number, many::one, min, max, {}, {}, 0, 0};
}
inline shape bytes(double min, double max) {
  return {kind::size, many::one, min, max, {}, {}, 0, 0};
}
inline shape share(double min, double max) {
  return {kind::share, many::one, min, max, {}, {}, 0, 0};
}
inline shape span(duration min, duration max) {
  return {kind::time_span, many::one, exact_seconds(min), exact_seconds(max), {}, {}, 0, 0};
}
inline shape choice(std::vector<std::string_view> words) {
  return {kind::choice, many::one, 0, 0, {}, std::move(words), 0, 0};
}
inline shape or_word(shape s, std::string_view zero_word) {
  s.zero_word = zero_word;
  return s;
}
inline shape list(shape s, std::size_t items_min, std::size_t items_max) {
  s.how = many::list;
  s.items_min = items_min;
  s.items_max = items_max;
  return s;
}
inline shape one_or_list(shape s, std::size_t items_max) {
  s = list(std::move(s), 0, items_max);
  s.how = many::one_or_list;
  return s;
}
inline shape fields(std::size_t items_max) {  // header names to values
  auto s = list(of(kind::field_value), 0, items_max);
  s.how = many::map;
  return s;
}
inline shape statuses(double min, double max) {
  return list(count(min, max), 0, 64);
}

inline constexpr double kib = 1024, mib = kib * 1024, gib = mib * 1024, tib = gib * 1024;

}  // namespace weir::config::bind
