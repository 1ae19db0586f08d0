// Trees that are walked node by node: forests, and boosted trees too large for masks.
#pragma once
#include "masks.hpp"

namespace fairway {

// The left child is the next node, so a step is a comparison and one load. T is float where thresholds and features are float32.
// A leaf is a node that no value leaves: its threshold is NaN, to which every comparison is false, and its right child is itself.
template <class T>
struct Node {
  T threshold;
  uint32_t right;
  uint32_t test;  // MISSING_LEFT, SET, and the feature
};
constexpr uint32_t MISSING_LEFT_BIT = 31, SET = 1u << 30, FEATURE = SET - 1;
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
    x.resize(rows * width + 1);  // a tree that is a leaf looks at the first feature, even where there is none
    for (size_t j = 0; j < width; j++)
      for (size_t i = 0; i < rows; i++) x[i * width + j] = T(features.of(j)[i]);
    const size_t outputs = trees_.outputs();
    for (size_t i = 0; i < rows; i++) std::copy(trees_.baseline.begin(), trees_.baseline.end(), out + i * outputs);
    if (sets_.empty())
      score_all<false>(x.data(), width, rows, out);
    else
      score_all<true>(x.data(), width, rows, out);
    for (size_t i = 0; i < rows * outputs; i++) out[i] /= trees_.divisor;
  }

 private:
  const Trees& trees_;
  std::vector<Node<T>> nodes_;
  std::vector<uint32_t> roots_, leaves_;  // leaves_: by node, the row of a leaf's values
  std::vector<uint32_t> sets_;            // by node, empty where no split is on categories

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
      leaves_.push_back(trees_.left[node]);
      if (trees_.is_leaf(node)) {
        nodes_.push_back({std::numeric_limits<T>::quiet_NaN(), place, 0});
        continue;
      }
      bool set = trees_.category_set[node] >= 0;
      uint32_t flags = (trees_.missing_left[node] ? 1u << MISSING_LEFT_BIT : 0) | (set ? SET : 0);
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

  // Without a branch on the answer: half of all tests would be predicted wrongly.
  template <bool SETS>
  uint32_t step(uint32_t at, const T* x) const {
    const Node<T>& node = nodes_[at];
    T value = x[node.test & FEATURE];
    uint32_t left = uint32_t(value <= node.threshold) | (uint32_t(value != value) & (node.test >> MISSING_LEFT_BIT));
    if (SETS && (node.test & SET) && !std::isnan(value)) left = trees_.in_set(int32_t(sets_[at]), double(value));
    return node.right ^ ((node.right ^ (at + 1)) & (0 - left));
  }

  // All lanes down to their leaves; those that are there wait for the deepest.
  template <bool SETS>
  void descend(uint32_t (&at)[LANES], const T* const (&x)[LANES]) const {
    for (uint32_t moved = 1; moved;) {
      moved = 0;
      for (int steps = 0; steps < 2; steps++)
        for (size_t l = 0; l < LANES; l++) at[l] = step<SETS>(at[l], x[l]);
      for (size_t l = 0; l < LANES; l++) {
        uint32_t next = step<SETS>(at[l], x[l]);
        moved |= next ^ at[l];
        at[l] = next;
      }
    }
  }

  // Many rows go tree by tree, so that a tree is read once for all of them; few rows go with all trees at once. Either way
  // the leaves of a row are added in the order of the trees.
  template <bool SETS>
  void score_all(const T* x, size_t width, size_t rows, double* out) const {
    const size_t trees = roots_.size(), outputs = trees_.outputs();
    uint32_t at[LANES];
    const T* from[LANES];
    if (rows >= LANES) {
      for (size_t t = 0; t < trees; t++)
        for (size_t i = 0; i < rows; i += LANES) {
          for (size_t l = 0; l < LANES; l++) at[l] = roots_[t], from[l] = x + std::min(i + l, rows - 1) * width;
          descend<SETS>(at, from);
          for (size_t l = 0; l < LANES && i + l < rows; l++) add(t, at[l], out + (i + l) * outputs);
        }
      return;
    }
    for (size_t i = 0; i < rows; i++)
      for (size_t t = 0; t < trees; t += LANES) {
        for (size_t l = 0; l < LANES; l++) at[l] = roots_[std::min(t + l, trees - 1)], from[l] = x + i * width;
        descend<SETS>(at, from);
        for (size_t l = 0; l < LANES && t + l < trees; l++) add(t + l, at[l], out + i * outputs);
      }
  }

  void add(size_t tree, uint32_t node, double* out) const {
    const size_t leaf_width = trees_.leaf_width;
    const double* values = &trees_.values[size_t(leaves_[node]) * leaf_width];
    if (leaf_width == 1)
      out[tree % trees_.outputs()] += values[0];
    else
      for (size_t k = 0; k < leaf_width; k++) out[k] += values[k];
  }
};

}  // namespace fairway
