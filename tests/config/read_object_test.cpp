// Files that are not weir's configuration, read by tables of their own, as strictly.
#include <catch2/catch.hpp>

#include "config/reader.hpp"
#include "config/reading.hpp"
#include "config/reference.hpp"
#include "config/spec_bind.hpp"

namespace weir::config {
namespace {

using namespace bind;

struct leg {
  std::string to;
  std::uint32_t days = 1;
};
struct trip {
  std::string name;
  double share = 0.5;
  std::vector<leg> legs;
};

const section& leg_section() {
  static const section s{
      "legs",
      "Parts of the way.",
      {
          required(leaf<&leg::to>("to", of(kind::name), "Where it leads.")),
          leaf<&leg::days>("days", count(1, 30), "How long it takes.", "It is cut short."),
      },
      {}};
  return s;
}

const section& trip_section() {
  static const section s{
      "",
      "A trip.",
      {
          leaf<&trip::name>("name", of(kind::text), "What it is called."),
          leaf<&trip::share>("share", share(0, 1), "Who pays how much."),
          required(list_of<&trip::legs>("legs", leg_section(), "to", 1, 3)),
      },
      [](void* object, const node& at, reading& r) {
        if (static_cast<trip*>(object)->name == "nowhere") r.error(at, "nowhere, expected a trip");
      }};
  return s;
}

struct outcome_of_trip {
  trip what;
  std::string told;
};

outcome_of_trip read_trip(const std::string& text) {
  outcome_of_trip out;
  const auto none = [](const std::string&) -> std::optional<std::string> { return {}; };
  const auto city = [&](const std::string& name) {
    return name == "CITY" ? std::optional<std::string>("ulm") : none(name);
  };
  const auto mistakes = read_object(trip_section(), &out.what, text, city, load_file);
  out.told = text_of(mistakes, "trip.yaml");
  return out;
}

}  // namespace

TEST_CASE("a text is read into any object that has a table") {
  const auto [t, told] =
      read_trip("name: far\nshare: 25%\nlegs: [{to: a}, {to: \"${CITY}\", days: 4}]\n");
  CHECK(told == "");
  CHECK(t.name == "far");
  CHECK(t.share == 0.25);
  REQUIRE(t.legs.size() == 2);
  CHECK((t.legs[0].to == "a" && t.legs[0].days == 1));
  CHECK((t.legs[1].to == "ulm" && t.legs[1].days == 4));
}

TEST_CASE("every mistake has its line and column, and names keys of this table only") {
  struct row { const char* text; const char* told; };
  for (const row& r : {
           row{"", "trip.yaml:1:1: an empty file, expected at least legs\n"},
           row{"name: x\n", "trip.yaml:1:1: missing key `legs`, expected at least one entry\n"},
           row{"legs: []\n", "trip.yaml:1:7: legs: 0 entries, expected 1 to 3\n"},
           row{"legs: [{to: a, days: 31}]\n",
               "trip.yaml:1:22: legs[0].days: `31` is out of range"},
           row{"legs: [{days: 2}]\n", "trip.yaml:1:8: missing key `to` in legs[0]"},
           row{"legs: [{to: a}]\nshares: 5%\n",
               "trip.yaml:2:1: unknown key `shares`, expected one of name, share, legs, did you "
               "mean share\n"},
           row{"legs: [{to: a}]\ndays: 5\n",
               "trip.yaml:2:1: unknown key `days` (it belongs in legs), expected one of"},
           row{"legs: [{to: a}]\nlisteners: []\n",
               "trip.yaml:2:1: unknown key `listeners`, expected one of name, share, legs\n"},
           row{"legs: [{to: a}]\nname: nowhere\n", "trip.yaml:1:1: nowhere, expected a trip\n"},
           row{"legs: [{to: a}]\nname: ${TOWN}\n", "trip.yaml:2:7: "},
           row{"- a\n", "trip.yaml:1:1: a list, expected keys and values\n"},
           row{"legs: [\n", "trip.yaml:2:1: "},
       }) {
    const std::string told = read_trip(r.text).told;
    INFO(r.text << "gave\n" << told);
    CHECK(told.find(r.told) != std::string::npos);
  }
}

TEST_CASE("several mistakes come by position") {
  CHECK(read_trip("share: 5\nlegs: [{to: a, days: x}]\n").told ==
        "trip.yaml:1:8: share: `5`, expected a share from 0% to 100%, did you mean 5%\n"
        "trip.yaml:2:22: legs[0].days: `x`, expected a whole number from 1 to 30\n");
}

TEST_CASE("an empty file lacks what is required, whatever that is") {
  static const section nothing{"", "", {}, {}};
  trip t;
  const auto env = [](const std::string&) -> std::optional<std::string> { return {}; };
  CHECK(text_of(read_object(nothing, &t, "", env, load_file), "f") ==
        "f:1:1: an empty file, expected at least keys and values\n");
}

TEST_CASE("sections and reference are those of the table") {
  const auto sections = sections_of(trip_section());
  REQUIRE(sections.size() == 2);
  CHECK((sections[0] == &trip_section() && sections[1] == &leg_section()));
  const std::string text = reference_markdown(trip_section());
  CHECK(text.starts_with("### The top level\n\nA trip.\n"));
  CHECK(text.find("### `legs`\n\nParts of the way.\n") != std::string::npos);
  CHECK(text.find("| `days` | whole number, 1 to 30 | `1` | How long it takes. | It is cut short. "
                  "|\n") != std::string::npos);
}

}  // namespace weir::config
