#include "app/cli.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cli_kit.hpp"
#include "net/listener.hpp"
#include "net/test_certificates.hpp"

namespace {

using namespace weir;
using test::good_config;
using test::run;
using test::weir_with;

std::string nobody() {
  const int fd = *net::open_listener(net::socket_address::ip("127.0.0.1", 0).value(), false);
  const auto at = net::to_string(net::local_address(fd));
  ::close(fd);
  return "http://" + at;
}

}  // namespace

TEST_CASE("what is no command line of weir's ends with status 2 and says what is wrong") {
  const std::vector<std::string> rows[] = {
      {},
      {"fly"},
      {"serve"},
      {"check"},
      {"check", "--config"},
      {"check", "--config", "a", "--unknown"},
      {"status", "extra", "words"},
      {"drain"},
      {"undrain"},
      {"explain"},
      {"pause"},
      {"resume"},
      {"plan"},
      {"workers", "--admin"},
      {"--nonsense"},
  };
  for (const auto& arguments : rows) {
    std::string line;
    for (const auto& a : arguments) line += a + " ";
    INFO("weir " << line);
    const run r = weir_with(arguments);
    CHECK(r.status == 2);
    CHECK_FALSE(r.err.empty());
    CHECK(r.out.empty());
  }
}

TEST_CASE("help, version and schema go to standard output with status 0") {
  const run version = weir_with({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out == "weir " WEIR_VERSION "\n");
  const run help = weir_with({"--help"});
  CHECK(help.status == 0);
  for (const char* verb : {"serve", "check", "plan", "reload", "status", "workers", "queue",
                           "drain", "undrain", "pause", "resume", "explain", "events", "schema",
                           "simulate"}) {
    INFO(verb);
    CHECK_THAT(help.out, Catch::Contains(verb));
    CHECK(weir_with({verb, "--help"}).status == 0);
  }
  CHECK(weir_with({"schema"}).out.starts_with("{"));
}

TEST_CASE("check prints a summary of a good file and the place of each mistake in a bad one") {
  test::scratch_folder folder;
  const run good = weir_with({"check", "--config", folder.write("good.yaml", good_config)});
  CHECK(good.status == 0);
  CHECK_FALSE(good.out.empty());
  CHECK(good.err.empty());
  const auto file = folder.write("bad.yaml", "threads: many\nlistners: []\n");
  const run bad = weir_with({"check", "--config", file});
  CHECK(bad.status == 1);
  CHECK(bad.out.empty());
  CHECK_THAT(bad.err, Catch::Contains(file + ":1:"));
  CHECK_THAT(bad.err, Catch::Contains(file + ":2:"));
  CHECK_THAT(bad.err, Catch::Contains("listeners"));   // the nearest known name
  const run none = weir_with({"check", "-c", folder.path("absent.yaml")});
  CHECK(none.status == 1);
  CHECK_THAT(none.err, Catch::Contains("absent.yaml"));
}

TEST_CASE("serve and plan refuse what is no YAML before they do anything") {
  test::scratch_folder folder;
  const auto file = folder.write("bad.yaml", "pools: [7\n");
  for (const char* verb : {"serve", "plan"}) {
    INFO(verb);
    const run r = weir_with({verb, "--config", file});
    CHECK(r.status == 1);
    CHECK_THAT(r.err, Catch::Contains(file + ":"));
    CHECK_THAT(r.err, !Catch::Contains("connection"));
  }
}

TEST_CASE("a command that there is not is named, with all there are and the nearest") {
  const run typo = weir_with({"chekc", "--config", "x"});
  CHECK(typo.status == 2);
  CHECK_THAT(typo.err, Catch::StartsWith("weir: unknown command 'chekc', expected one of serve, "));
  CHECK_THAT(typo.err, Catch::EndsWith("; did you mean check\n"));
  CHECK_THAT(weir_with({"zzzzzzzz"}).err, !Catch::Contains("did you mean"));
}

TEST_CASE("help says of each command what it does, and does not begin with its name again") {
  std::istringstream help(weir_with({"--help"}).out);
  unsigned verbs = 0;
  for (std::string line, name, next; std::getline(help, line);) {
    std::istringstream words(line);
    if (!line.starts_with("  ") || !(words >> name >> next) || name.starts_with("-")) continue;
    INFO(line);
    CHECK(next != name + ":");
    ++verbs;
  }
  CHECK(verbs >= 15);
}

TEST_CASE("check says what may not be meant after what is wrong, marked as a warning") {
  test::scratch_folder folder;
  const std::string doubtful = std::string(good_config) + "  spare: {}\n";
  const run good = weir_with({"check", "--config", folder.write("a.yaml", doubtful)});
  CHECK(good.status == 0);
  CHECK_THAT(good.out, Catch::Contains("1 worker with 1 slot,"));
  CHECK_THAT(good.err, Catch::Contains("a.yaml:10:10: warning: pools.spare: "));
  const run bad =
      weir_with({"check", "--config", folder.write("b.yaml", doubtful + "threads: many\n")});
  CHECK(bad.status == 1);
  const auto mistake = bad.err.find(":11:"), warning = bad.err.find(": warning: ");
  REQUIRE((mistake != std::string::npos && warning != std::string::npos));
  CHECK(mistake < warning);
}

TEST_CASE("the environment names the admin API and its token for all commands") {
  test::scratch_folder folder;
  const std::string admin = nobody(), token = folder.path("absent");
  ::setenv("WEIR_ADMIN", admin.c_str(), 1);
  CHECK_THAT(weir_with({"status"}).err, Catch::Contains(admin));
  const std::string other = nobody();
  CHECK_THAT(weir_with({"status", "--admin", other}).err, Catch::Contains(other));
  ::setenv("WEIR_TOKEN_FILE", token.c_str(), 1);
  CHECK_THAT(weir_with({"status"}).err, Catch::Contains(token));
  ::unsetenv("WEIR_ADMIN"), ::unsetenv("WEIR_TOKEN_FILE");
}

TEST_CASE("a weir that does not answer is status 1, with its address") {
  const std::string admin = nobody();
  const std::vector<std::string> verbs[] = {{"status"},
                                            {"workers"},
                                            {"queue", "loaders"},
                                            {"events"},
                                            {"reload"},
                                            {"drain", "loaders/w1"},
                                            {"undrain", "loaders/w1"},
                                            {"pause", "loaders"},
                                            {"test-hooks", "loaders"},
                                            {"explain", "b1"}};
  for (auto arguments : verbs) {
    INFO(arguments[0]);
    arguments.insert(arguments.end(), {"--admin", admin});
    const run r = weir_with(arguments);
    CHECK(r.status == 1);
    CHECK(r.out.empty());
    CHECK(r.err == "weir: no connection to " + admin + " (Connection refused): is weir running? "
                   "--admin URL names another address\n");
  }
}

TEST_CASE("a worker is named POOL/WORKER, and a token file has to be there") {
  for (const char* worker : {"w1", "/w1", "loaders/", "/"}) {
    INFO(worker);
    for (const char* verb : {"drain", "undrain"}) {
      const run r = weir_with({verb, worker, "--admin", "http://127.0.0.1:1"});
      CHECK(r.status == 2);
      CHECK_THAT(r.err, Catch::Contains("expected POOL/WORKER"));
    }
  }
  const run r = weir_with({"status", "--token-file", "/nonexistent/token"});
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Catch::Contains("token file /nonexistent/token") &&
                        Catch::Contains("WEIR_TOKEN_FILE") && !Catch::Contains("admin"));
}

TEST_CASE("an address that is none is a usage error, from the environment too") {
  for (const char* admin : {"bogus", "https://127.0.0.1:9900", "http://h:9900/path"}) {
    INFO(admin);
    const run r = weir_with({"status", "--admin", admin});
    CHECK(r.status == 2);
    CHECK_THAT(r.err, Catch::Contains(std::string("'") + admin + "' is no admin address"));
  }
  ::setenv("WEIR_ADMIN", "bogus", 1);
  CHECK(weir_with({"queue"}).status == 2);
  ::unsetenv("WEIR_ADMIN");
}

TEST_CASE("plan needs nothing of weir's environment where it is asked") {
  test::scratch_folder folder;
  const auto file = folder.write("weir.yaml", "admin: {token_file: \"${NOT_SET_HERE_TOKEN}\"}\n");
  const std::string admin = nobody();
  const run r = weir_with({"plan", "--config", file, "--admin", admin});
  CHECK_THAT(r.err, Catch::Contains("no connection to " + admin));
}
