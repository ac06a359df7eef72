#include "telemetry/access_log.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <sstream>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "parse_json.hpp"
#include "telemetry/metrics.hpp"

using namespace weir;
using namespace weir::telemetry;
namespace fs = std::filesystem;

namespace {

class folder {
 public:
  folder() {
    std::string name = fs::temp_directory_path() / "weir-access-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~folder() {
    std::error_code ec;
    fs::remove_all(path_, ec);
  }
  std::string file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Files of this process can be at most so long, for as long as this lives.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~file_size_limit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

std::unique_ptr<access_log> open_log(const std::string& file, unsigned shards = 1,
                                     std::uint32_t records = 8192) {
  auto log = access_log::open({file, shards, records});
  REQUIRE(log);
  return std::move(*log);
}

access_record numbered(unsigned n, std::string_view worker = "w") {
  access_record r;
  r.status = n, r.worker = worker;
  return r;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// The numbers of the lines, each of which has to be whole JSON.
std::vector<unsigned> numbers_of(const std::string& file) {
  std::vector<unsigned> out;
  for (const auto& line : lines_of(file))
    out.push_back(static_cast<unsigned>(std::stoul(parse_flat_json(line).at("status"))));
  return out;
}

std::vector<unsigned> range(unsigned from, unsigned to) {
  std::vector<unsigned> out;
  for (unsigned i = from; i < to; ++i) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("every record offered is a line, in order, after flush") {
  const folder f;
  const auto log = open_log(f.file("a.log"));
  for (unsigned i = 1; i <= 1000; ++i) REQUIRE(log->offer(0, numbered(i)));
  log->flush();
  CHECK(numbers_of(f.file("a.log")) == range(1, 1001));
  CHECK(log->dropped() == 0);
  CHECK(log->write_errors() == 0);
}

TEST_CASE("what is left when the log goes is written first") {
  const folder f;
  {
    const auto log = open_log(f.file("a.log"));
    for (unsigned i = 1; i <= 100; ++i) log->offer(0, numbered(i));
  }
  CHECK(numbers_of(f.file("a.log")) == range(1, 101));
}

TEST_CASE("an existing file is appended to and is not readable by others") {
  const folder f;
  open_log(f.file("a.log"))->offer(0, numbered(1));
  open_log(f.file("a.log"))->offer(0, numbered(2));
  CHECK(numbers_of(f.file("a.log")) == range(1, 3));
  const auto allowed = fs::status(f.file("a.log")).permissions();
  CHECK((allowed & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE("each shard's lines keep their order, whatever the others do") {
  const folder f;
  constexpr unsigned shards = 4, each = 3000;
  const std::string names[shards] = {"a", "b", "c", "d"};
  const auto log = open_log(f.file("a.log"), shards);
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < shards; ++shard)
    threads.emplace_back([&, shard] {
      for (unsigned i = 1; i <= each;)
        if (log->offer(shard, numbered(i, names[shard]))) ++i;
    });
  for (auto& t : threads) t.join();
  log->flush();
  std::map<std::string, unsigned> last;
  bool in_order = true;
  for (const auto& line : lines_of(f.file("a.log"))) {
    const auto record = parse_flat_json(line);
    in_order = in_order && std::stoul(record.at("status")) == ++last[record.at("worker")];
  }
  CHECK(in_order);
  for (const auto& name : names) CHECK(last[name] == each);
}

TEST_CASE("offering allocates nothing") {
  const folder f;
  const auto log = open_log(f.file("a.log"));
  const access_record r = numbered(1);
  const std::uint64_t before = test::allocations;
  for (int i = 0; i < 100; ++i) log->offer(0, r);
  CHECK(test::allocations == before);
}

TEST_CASE("a full ring drops records, counts them and never blocks") {
  const auto log = open_log("/dev/full", 1, 1);
  unsigned taken = 0;
  std::uint64_t lost = 0;
  const std::string long_name(500, 'x');
  for (unsigned i = 0; i < 1000; ++i) log->offer(0, numbered(i, long_name)) ? ++taken : ++lost;
  CHECK(taken > 10);
  CHECK(lost > 0);
  CHECK(log->dropped() == lost);
  log->flush();
  CHECK(log->write_errors() > 0);

  registry r(1);
  r.add_collector([&](sink& to) { log->collect(to); });
  CHECK(r.text().find("weir_limit_hits_total{limit=\"access_log.buffer_records\"} " +
                      std::to_string(lost)) != std::string::npos);
  CHECK(r.text().find("weir_access_log_errors_total ") != std::string::npos);
}

TEST_CASE("a file that cannot be opened is an error at once") {
  const folder f;
  const auto log = access_log::open({f.file("missing/a.log"), 1, 16});
  REQUIRE_FALSE(log);
  CHECK(log.error() == boost::system::errc::no_such_file_or_directory);
}

TEST_CASE("after a rotation reopen continues in a new file and loses nothing") {
  const folder f;
  const auto log = open_log(f.file("a.log"));
  for (unsigned i = 1; i <= 50; ++i) log->offer(0, numbered(i));
  log->flush();
  fs::rename(f.file("a.log"), f.file("a.log.1"));
  for (unsigned i = 51; i <= 60; ++i) log->offer(0, numbered(i));
  log->flush();
  log->reopen();
  for (unsigned i = 61; i <= 100; ++i) log->offer(0, numbered(i));
  log->flush();
  auto all = numbers_of(f.file("a.log.1"));
  const auto fresh = numbers_of(f.file("a.log"));
  CHECK(all.size() >= 60);
  CHECK_FALSE(fresh.empty());
  all.insert(all.end(), fresh.begin(), fresh.end());
  CHECK(all == range(1, 101));
}

TEST_CASE("when reopening fails the old file stays in use and the failure is counted") {
  const folder f;
  fs::create_directory(f.file("d"));
  const auto log = open_log(f.file("d/a.log"));
  fs::rename(f.file("d"), f.file("e"));
  log->reopen();
  log->offer(0, numbered(1));
  log->flush();
  CHECK(numbers_of(f.file("e/a.log")) == range(1, 2));
  CHECK(log->write_errors() == 1);
}

TEST_CASE("a line cut by a full disk is finished, not torn, when there is room again") {
  const folder f;
  const auto log = open_log(f.file("a.log"), 2);
  {
    const file_size_limit limit(5001);
    for (unsigned i = 1; i <= 100; ++i) log->offer(0, numbered(i));
    log->flush();
    CHECK(fs::file_size(f.file("a.log")) == 5001);
    CHECK(log->write_errors() > 0);
    log->offer(1, numbered(101));
    log->flush();
    CHECK(fs::file_size(f.file("a.log")) == 5001);
  }
  log->flush();
  CHECK(numbers_of(f.file("a.log")) == range(1, 102));
}

TEST_CASE("a line cut by a full disk is given up when the file changes, the rest goes on") {
  const folder f;
  const auto log = open_log(f.file("a.log"));
  {
    const file_size_limit limit(5001);
    for (unsigned i = 1; i <= 100; ++i) log->offer(0, numbered(i));
    log->flush();
    CHECK(fs::file_size(f.file("a.log")) == 5001);
  }
  fs::rename(f.file("a.log"), f.file("a.log.1"));
  log->reopen();
  log->flush();
  const auto old_lines = lines_of(f.file("a.log.1"));
  const auto fresh = numbers_of(f.file("a.log"));
  REQUIRE(old_lines.size() > 1);
  REQUIRE_FALSE(fresh.empty());
  CHECK_THROWS(parse_flat_json(old_lines.back()));
  CHECK(fresh == range(static_cast<unsigned>(old_lines.size()) + 1, 101));
}

TEST_CASE("a pipe gets every line, however slowly it is read") {
  const folder f;
  const std::string path = f.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(fd >= 0);
  ::fcntl(fd, F_SETFL, 0);
  std::string got;
  {
    const auto log = open_log(path);
    for (unsigned i = 1; i <= 5000; ++i) REQUIRE(log->offer(0, numbered(i)));
    char piece[700];
    while (std::count(got.begin(), got.end(), '\n') < 5000) {
      const ssize_t n = ::read(fd, piece, sizeof piece);
      if (n > 0) got.append(piece, static_cast<std::size_t>(n));
    }
  }
  ::close(fd);
  unsigned next = 1;
  std::istringstream in(got);
  bool in_order = true;
  for (std::string line; std::getline(in, line); ++next)
    in_order = in_order && parse_flat_json(line).at("status") == std::to_string(next);
  CHECK(in_order);
  CHECK(next == 5001);
}

TEST_CASE("a pipe that nobody reads does not keep the log from closing") {
  const folder f;
  const std::string path = f.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(fd >= 0);
  {
    const auto log = open_log(path);
    for (unsigned i = 1; i <= 5000; ++i) log->offer(0, numbered(i));
  }
  ::close(fd);
  SUCCEED();   // the destructor came back
}

TEST_CASE("a pipe whose reader left is an error that is counted, not a signal") {
  const folder f;
  const std::string path = f.file("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const auto log = open_log(path);
  ::close(fd);
  log->offer(0, numbered(1));
  log->flush();
  CHECK(log->write_errors() > 0);
}

TEST_CASE("rotations while all shards write lose nothing and tear nothing") {
  const folder f;
  constexpr unsigned shards = 2, each = 4000, rotations = 20;
  const std::string names[shards] = {"a", "b"};
  const auto log = open_log(f.file("a.log"), shards);
  std::atomic<unsigned> done{0};
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < shards; ++shard)
    threads.emplace_back([&, shard] {
      for (unsigned i = 1; i <= each;)
        if (log->offer(shard, numbered(i, names[shard]))) ++i;
      ++done;
    });
  unsigned files = 0;
  while (done < shards || files < rotations) {
    fs::rename(f.file("a.log"), f.file(("a.log." + std::to_string(files++)).c_str()));
    log->reopen();
    log->flush();
  }
  for (auto& t : threads) t.join();
  log->flush();
  std::map<std::string, unsigned> last;
  bool in_order = true;
  for (unsigned i = 0; i <= files; ++i) {
    const std::string path =
        i < files ? f.file(("a.log." + std::to_string(i)).c_str()) : f.file("a.log");
    for (const auto& line : lines_of(path)) {
      const auto record = parse_flat_json(line);
      in_order = in_order && std::stoul(record.at("status")) == ++last[record.at("worker")];
    }
  }
  CHECK(in_order);
  for (const auto& name : names) CHECK(last[name] == each);
  CHECK(log->write_errors() == 0);
}

TEST_CASE("after a disk that was full again and again every record is there, whole and in order") {
  const folder f;
  const auto log = open_log(f.file("a.log"), 3);
  const std::string names[3] = {"a", "b", "c"};
  unsigned next = 1;
  for (unsigned round = 1; round <= 15; ++round) {
    {
      const file_size_limit limit(round * 1777);
      for (unsigned i = 0; i < 10; ++i, ++next)
        for (unsigned shard = 0; shard < 3; ++shard)
          REQUIRE(log->offer(shard, numbered(next, names[shard])));
      log->flush();
    }
    if (round % 4 == 0) log->flush();
  }
  log->flush();
  std::map<std::string, unsigned> last;
  bool in_order = true;
  for (const auto& line : lines_of(f.file("a.log"))) {
    const auto record = parse_flat_json(line);
    in_order = in_order && std::stoul(record.at("status")) == ++last[record.at("worker")];
  }
  CHECK(in_order);
  for (const auto& name : names) CHECK(last[name] == next - 1);
  CHECK(log->write_errors() > 0);
  CHECK(log->dropped() == 0);
}

TEST_CASE("flush returns to each of several callers after what they offered was written") {
  const folder f;
  const auto log = open_log(f.file("a.log"), 2);
  std::vector<std::thread> threads;
  std::atomic<bool> right{true};
  for (unsigned shard = 0; shard < 2; ++shard)
    threads.emplace_back([&, shard] {
      const std::string mine(1, static_cast<char>('a' + shard));
      for (unsigned i = 1; i <= 50; ++i) {
        log->offer(shard, numbered(i, mine));
        log->flush();
        unsigned seen = 0;
        for (const auto& line : lines_of(f.file("a.log")))
          seen += line.find("\"worker\":\"" + mine + "\"") != line.npos;
        if (seen != i) right = false;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(right);
}
