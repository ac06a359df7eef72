// The ways to load a proxy.
//   closed  N connections, each asks again as soon as it is answered (`bulk`: the same with large
//           bodies and a count; `connect`: the same with a new connection for each request)
//   open    requests arrive as a Poisson process or by a trace, whatever the answers do
//   idle    N connections ask once each and stay; `ready` is printed and standard input waited for
//   hold    N requests whose bodies stop half-way (this end by --hold-after, or the worker by
//           X-Hold-After); printed and waited for likewise, once no byte has moved for a while
#pragma once

#include <deque>
#include <vector>

#include "crowd.hpp"

namespace weir::load {

class closed_mode : public mode {
 public:
  closed_mode(crowd& c, const settings& s) : crowd_(c), settings_(s), maker_(s) {}

  void begin(nanos now) override;
  void ready(connection& c) override;
  void refill() override;
  bool over(nanos now) const override;

 private:
  bool more(nanos now) const;

  crowd& crowd_;
  const settings& settings_;
  request_maker maker_;
  nanos end_ = 0;
  std::uint64_t begun_ = 0;
};

class open_mode : public mode {
 public:
  open_mode(crowd& c, const settings& s);

  void begin(nanos now) override;
  void ready(connection& c) override;
  void gone(connection& c) override;
  void refill() override { match(); }
  nanos due() const override { return next_; }
  void tick(nanos now) override;
  std::uint64_t waiting() const override { return queue_.size(); }
  bool over(nanos now) const override;

 private:
  void schedule();
  request arrive();
  void match();

  crowd& crowd_;
  const settings& settings_;
  request_maker maker_;
  std::vector<arrival> trace_;
  std::size_t traced_ = 0;
  nanos end_ = 0;
  nanos next_ = never;
  std::deque<request> queue_;
  std::vector<connection*> idle_;
};

class idle_mode : public mode {
 public:
  idle_mode(crowd& c, const settings& s) : crowd_(c), settings_(s), maker_(s) {}

  void begin(nanos now) override;
  void ready(connection& c) override;
  void refill() override { open_some(); }
  nanos due() const override { return look_; }
  void tick(nanos now) override;
  void released() override { released_ = true; }
  bool over(nanos now) const override;

 private:
  void open_some();
  bool settled();

  crowd& crowd_;
  const settings& settings_;
  request_maker maker_;
  nanos look_ = never;
  std::uint64_t moved_ = 0;
  bool told_ = false;
  bool released_ = false;
};

}  // namespace weir::load
