#include "requests.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

namespace weir::load {
namespace {

constexpr double swim_bytes_per_us = 100;

bool read_plain(const std::string& line, const settings& s, arrival& a) {
  double at, body, answer, service;
  const char* form = "%lf,%lf,%lf,%lf";
  if (std::sscanf(line.c_str(), form, &at, &body, &answer, &service) != 4) return false;
  a.at = static_cast<nanos>(at / s.speedup * 1e9);
  a.body = static_cast<std::uint64_t>(body / s.shrink);
  a.answer = static_cast<std::uint64_t>(answer / s.shrink);
  a.service_us = static_cast<std::uint64_t>(service / s.speedup);
  return true;
}

bool read_swim(const std::string& line, const settings& s, arrival& a) {
  double at, in, shuffle, out;
  const char* form = "%*s %lf %*s %lf %lf %lf";
  if (std::sscanf(line.c_str(), form, &at, &in, &shuffle, &out) != 4) return false;
  const double service_us = std::clamp((in + shuffle + out) / swim_bytes_per_us, 1e4, 6e8);
  a.at = static_cast<nanos>(at / s.speedup * 1e9);
  a.body = static_cast<std::uint64_t>(in / s.shrink);
  a.answer = static_cast<std::uint64_t>(out / s.shrink);
  a.service_us = static_cast<std::uint64_t>(service_us / s.speedup);
  return true;
}

}  // namespace

std::vector<arrival> read_trace(const settings& s) {
  std::ifstream file(s.trace);
  std::vector<arrival> found;
  for (std::string line; std::getline(file, line);) {
    arrival a;
    const bool swim = line.find('\t') != std::string::npos;
    if (!(swim ? read_swim(line, s, a) : read_plain(line, s, a))) die(s.trace + ": " + line);
    found.push_back(a);
  }
  if (found.empty()) die(s.trace + ": no arrivals");
  return found;
}

request_maker::request_maker(const settings& s) : settings_(s), random_(s.seed) {
  tail_ = " HTTP/1.1\r\nHost: weir.example\r\n";
  if (s.close) tail_ += "Connection: close\r\n";
  for (const std::string& line : s.headers) tail_ += line + "\r\n";
}

request request_maker::draw(nanos due) {
  arrival a;
  a.body = settings_.body.draw(random_);
  a.answer = settings_.answer.draw(random_);
  a.service_us = settings_.service_us.draw(random_);
  return make(a, due);
}

request request_maker::make(const arrival& a, nanos due) {
  request r;
  r.body = a.body;
  r.due = due;
  r.head = a.body > 0 ? "POST /load" : "GET /load";
  if (a.answer > 0) r.head += "?bytes=" + std::to_string(a.answer);
  r.head += tail_;
  if (a.body > 0) r.head += "Content-Length: " + std::to_string(a.body) + "\r\n";
  if (a.service_us > 0) r.head += "X-Service-Us: " + std::to_string(a.service_us) + "\r\n";
  if (settings_.key) {
    const std::uint64_t id = settings_.seed * 1'000'000'000 + made_++;
    r.head += "Idempotency-Key: \"" + std::to_string(id) + "\"\r\n";
  }
  r.head += "\r\n";
  return r;
}

}  // namespace weir::load
