// Many ordered trees over one table of nodes: treaps (Seidel and Aragon, Algorithmica 1996) whose
// nodes are the ids of somebody's table, so nothing is allocated in the steady state. Each subtree
// knows the sum of its nodes' summaries, so ranks, prefix sums and "the first that" are O(log n).
// A tree is a root id that its owner keeps. Summary needs a default that adds nothing, and
// operator+. Equal keys stand in the order of their insertion. Single-threaded.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/random.hpp"

namespace weir::core {

template <class Key, class Summary>
class order_forest {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  explicit order_forest(std::uint64_t seed) noexcept : random_(seed) {}

  // `id` must not be in a tree.
  void insert(std::uint32_t& root, std::uint32_t id, Key key, Summary own) {
    if (id >= nodes_.size()) nodes_.resize(id + 1);
    nodes_[id] = {key,  own,  own, static_cast<std::uint32_t>(random_.next() >> 32),
                  none, none, none};
    if (root == none) {
      root = id;
      return;
    }
    link_below(root, id);
    while (parent(id) != none && nodes_[parent(id)].priority < nodes_[id].priority) {
      const std::uint32_t lowered = parent(id);
      raise(id);
      sum(lowered);
    }
    if (parent(id) == none) root = id;
    sum_upward(id);
  }

  // `id` must be in the tree of `root`.
  void erase(std::uint32_t& root, std::uint32_t id) {
    while (nodes_[id].left != none && nodes_[id].right != none) {
      const std::uint32_t up = higher_child(id);
      raise(up);
      if (root == id) root = up;
    }
    const std::uint32_t child = nodes_[id].left != none ? nodes_[id].left : nodes_[id].right;
    const std::uint32_t above = parent(id);
    if (child != none) nodes_[child].parent = above;
    if (above == none) {
      root = child;
      return;
    }
    replace_child(above, id, child);
    sum_upward(above);
  }

  // A node's own summary changed; its key did not.
  void update(std::uint32_t id, Summary own) {
    nodes_[id].own = own;
    sum_upward(id);
  }

  const Key& key(std::uint32_t id) const noexcept { return nodes_[id].key; }
  const Summary& own(std::uint32_t id) const noexcept { return nodes_[id].own; }
  Summary total(std::uint32_t root) const noexcept {
    return root == none ? Summary{} : nodes_[root].total;
  }

  std::uint32_t first(std::uint32_t root) const noexcept {
    while (root != none && nodes_[root].left != none) root = nodes_[root].left;
    return root;
  }

  // The next in order, or none.
  std::uint32_t next(std::uint32_t id) const noexcept {
    if (nodes_[id].right != none) return first(nodes_[id].right);
    while (parent(id) != none && nodes_[parent(id)].right == id) id = parent(id);
    return parent(id);
  }

  // The sum over everything that stands before `id` in its tree.
  Summary before(std::uint32_t id) const noexcept {
    Summary s = total(nodes_[id].left);
    for (std::uint32_t child = id; parent(child) != none; child = parent(child)) {
      const node& up = nodes_[parent(child)];
      if (up.right == child) s = total(up.left) + up.own + s;
    }
    return s;
  }

  // The sum over all with a key that is not above `key`.
  Summary up_to(std::uint32_t root, const Key& key) const noexcept {
    Summary s{};
    while (root != none) {
      const node& n = nodes_[root];
      if (key < n.key) {
        root = n.left;
      } else {
        s = s + total(n.left) + n.own;
        root = n.right;
      }
    }
    return s;
  }

  // The first node whose own summary satisfies `has`, which must hold for a sum exactly when it
  // holds for one of what was summed. none: there is no such node.
  template <class Has>
  std::uint32_t first_that(std::uint32_t root, Has has) const noexcept {
    if (root == none || !has(nodes_[root].total)) return none;
    for (;;) {
      const node& n = nodes_[root];
      if (n.left != none && has(nodes_[n.left].total)) {
        root = n.left;
      } else if (has(n.own)) {
        return root;
      } else {
        root = n.right;
      }
    }
  }

  // The node before which exactly `rank` others count, by `count(summary)`; none past the end.
  template <class Count>
  std::uint32_t nth(std::uint32_t root, std::uint64_t rank, Count count) const noexcept {
    while (root != none) {
      const node& n = nodes_[root];
      const std::uint64_t left = count(total(n.left));
      if (rank < left) {
        root = n.left;
      } else if (rank < left + count(n.own)) {
        return root;
      } else {
        rank -= left + count(n.own);
        root = n.right;
      }
    }
    return none;
  }

 private:
  struct node {
    Key key{};
    Summary own{}, total{};
    std::uint32_t priority = 0;
    std::uint32_t left = none, right = none, parent = none;
  };

  std::uint32_t parent(std::uint32_t id) const noexcept { return nodes_[id].parent; }

  void sum(std::uint32_t id) noexcept {
    node& n = nodes_[id];
    n.total = n.own;
    if (n.left != none) n.total = nodes_[n.left].total + n.total;
    if (n.right != none) n.total = n.total + nodes_[n.right].total;
  }

  void sum_upward(std::uint32_t id) noexcept {
    for (; id != none; id = parent(id)) sum(id);
  }

  void link_below(std::uint32_t at, std::uint32_t id) noexcept {
    for (;;) {
      node& n = nodes_[at];
      std::uint32_t& side = nodes_[id].key < n.key ? n.left : n.right;
      if (side == none) {
        side = id;
        nodes_[id].parent = at;
        return;
      }
      at = side;
    }
  }

  std::uint32_t higher_child(std::uint32_t id) const noexcept {
    const node& n = nodes_[id];
    return nodes_[n.left].priority < nodes_[n.right].priority ? n.right : n.left;
  }

  void replace_child(std::uint32_t above, std::uint32_t old_child, std::uint32_t child) noexcept {
    node& n = nodes_[above];
    (n.left == old_child ? n.left : n.right) = child;
  }

  // Rotates `id` above its parent; the caller mends sums and the root.
  void raise(std::uint32_t id) noexcept {
    const std::uint32_t down = parent(id), above = parent(down);
    node& up = nodes_[id];
    node& low = nodes_[down];
    const bool was_left = low.left == id;
    const std::uint32_t inner = was_left ? up.right : up.left;
    (was_left ? low.left : low.right) = inner;
    if (inner != none) nodes_[inner].parent = down;
    (was_left ? up.right : up.left) = down;
    low.parent = id;
    up.parent = above;
    if (above != none) replace_child(above, down, id);
  }

  std::vector<node> nodes_;
  base::random random_;
};

}  // namespace weir::core
