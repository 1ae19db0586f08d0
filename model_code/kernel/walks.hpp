// Trees that are walked node by node: forests, and boosted trees too large for masks.
#pragma once
#include "masks.hpp"

namespace fairway {

// The left child is the next node, so a step is a comparison and one load. T is float where thresholds and features are float32.
template <class T>
struct Node {
  T threshold;
  uint32_t right;  // the right child; in a leaf the row of its values
  uint32_t test;   // LEAF, MISSING_LEFT, SET, and the feature
};
constexpr uint32_t LEAF = 1u << 31, MISSING_LEFT = 1u << 30, SET = 1u << 29, FEATURE = SET - 1;
constexpr size_t LANES = 8;  // walks in flight: each waits for memory, together they do not

template <class T>
class WalkedTrees {
 public:
  explicit WalkedTrees(const Trees& trees) : trees_(trees) {
    for (size_t t = 0; t < trees.roots.size(); t++) add_tree(trees.roots[t]);
  }

  // The sums over the baseline of all trees by the divisor, (rows, outputs) by row.
  void score(const Features& features, size_t width, size_t rows, double* out) const {
    static thread_local std::vector<T> x;
    x.resize(rows * width);
    for (size_t j = 0; j < width; j++)
      for (size_t i = 0; i < rows; i++) x[i * width + j] = T(features.of(j)[i]);
    const size_t outputs = trees_.outputs();
    for (size_t i = 0; i < rows; i++) std::copy(trees_.baseline.begin(), trees_.baseline.end(), out + i * outputs);
    if (rows < LANES)
      for (size_t i = 0; i < rows; i++) score_row(&x[i * width], out + i * outputs);
    else
      score_rows(x.data(), width, rows, out);
    for (size_t i = 0; i < rows * outputs; i++) out[i] /= trees_.divisor;
  }

 private:
  const Trees& trees_;
  std::vector<Node<T>> nodes_;
  std::vector<uint32_t> roots_, sets_;  // sets_: by node, only where a split is on categories

  // Depth first, left before right, without recursion: a plan may hold a tree as deep as it has nodes.
  void add_tree(uint32_t root) {
    roots_.push_back(uint32_t(nodes_.size()));
    struct Pending {
      uint32_t node, parent;
    };
    std::vector<Pending> pending{{root, UINT32_MAX}};
    while (!pending.empty()) {
      auto [node, parent] = pending.back();
      pending.pop_back();
      auto place = uint32_t(nodes_.size());
      if (parent != UINT32_MAX) nodes_[parent].right = place;
      if (trees_.is_leaf(node)) {
        nodes_.push_back({T(0), trees_.left[node], LEAF});
        continue;
      }
      bool set = trees_.category_set[node] >= 0;
      uint32_t flags = (trees_.missing_left[node] ? MISSING_LEFT : 0) | (set ? SET : 0);
      nodes_.push_back({below(trees_.threshold[node]), 0, flags | uint32_t(trees_.feature[node])});
      if (set) {
        sets_.resize(nodes_.size());
        sets_[place] = uint32_t(trees_.category_set[node]);
      }
      pending.push_back({trees_.right[node], place});
      pending.push_back({trees_.left[node], UINT32_MAX});
    }
  }

  // x <= threshold for every x of type T exactly where it holds for the float64 threshold.
  static T below(double threshold) {
    T rounded = T(threshold);
    return double(rounded) > threshold ? std::nextafter(rounded, -std::numeric_limits<T>::infinity()) : rounded;
  }

  uint32_t step(uint32_t at, const Node<T>& node, const T* x) const {
    T value = x[node.test & FEATURE];
    bool left = value <= node.threshold;
    if (__builtin_expect(std::isnan(value), 0))
      left = node.test & MISSING_LEFT;
    else if (__builtin_expect(node.test & SET, 0))
      left = trees_.in_set(int32_t(sets_[at]), double(value));
    return left ? at + 1 : node.right;
  }

  // `begin(path)` gives the root and the features of one walk, `done(path, leaf)` takes its end; a lane that ends takes the next.
  template <class Begin, class Done>
  void walk(size_t paths, Begin begin, Done done) const {
    struct Lane {
      uint32_t at;
      const T* x;
      size_t path;
    } lanes[LANES];
    size_t next = 0, live = 0;
    for (; live < LANES && next < paths; live++, next++) lanes[live] = {begin(next).first, begin(next).second, next};
    while (live)
      for (size_t l = 0; l < live;) {
        const Node<T>& node = nodes_[lanes[l].at];
        if (__builtin_expect(!(node.test & LEAF), 1)) {
          lanes[l].at = step(lanes[l].at, node, lanes[l].x);
          l++;
          continue;
        }
        done(lanes[l].path, node.right);
        if (next < paths) {
          auto [at, x] = begin(next);
          lanes[l++] = {at, x, next++};
        } else {
          lanes[l] = lanes[--live];
        }
      }
  }

  // tree by tree, so that a tree's nodes are read once for the whole block
  void score_rows(const T* x, size_t width, size_t rows, double* out) const {
    const size_t outputs = trees_.outputs(), leaf_width = trees_.leaf_width;
    for (size_t t = 0; t < roots_.size(); t++) {
      size_t output = leaf_width == 1 ? t % outputs : 0;
      walk(
          rows, [&](size_t row) { return std::pair(roots_[t], x + row * width); },
          [&](size_t row, uint32_t leaf) {
            const double* values = &trees_.values[size_t(leaf) * leaf_width];
            for (size_t k = 0; k < leaf_width; k++) out[row * outputs + output + k] += values[k];
          });
    }
  }

  // all trees of one row at once, added in order afterwards
  void score_row(const T* x, double* out) const {
    static thread_local std::vector<uint32_t> leaves;
    leaves.resize(roots_.size());
    walk(
        roots_.size(), [&](size_t tree) { return std::pair(roots_[tree], x); },
        [&](size_t tree, uint32_t leaf) { leaves[tree] = leaf; });
    const size_t outputs = trees_.outputs(), leaf_width = trees_.leaf_width;
    for (size_t t = 0; t < roots_.size(); t++) {
      size_t output = leaf_width == 1 ? t % outputs : 0;
      for (size_t k = 0; k < leaf_width; k++) out[output + k] += trees_.values[size_t(leaves[t]) * leaf_width + k];
    }
  }
};

}  // namespace fairway
