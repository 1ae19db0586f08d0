// Boosted trees of up to 32 leaves without walking them: each feature's bin names the leaves it leaves possible in every tree.
//
// A tree's leaves are numbered from left to right. A test that fails makes the leaves of its left subtree impossible, so the lowest
// leaf that all features leave possible is the one the walk would reach (QuickScorer: Lucchese et al., SIGIR 2015). Here the masks
// of all tests on one source (a number's bin between thresholds, or a column's code) are combined when the plan is loaded.
#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "rows.hpp"

// Several builds of the hot functions, chosen when the module is loaded; the arithmetic is the same in each.
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(FAIRWAY_SANITIZED)
#define FAIRWAY_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FAIRWAY_CLONES
#endif

namespace fairway {

constexpr size_t GROUP = 32;                     // trees whose masks lie side by side
constexpr size_t FEW = 4;                        // fewer rows have their masks fetched ahead; more hide the waiting themselves
constexpr size_t MOST_WORDS = size_t(1) << 24;   // 64 MB for one model's tables; beyond that its trees are walked

// 32 masks of 32 bits as four vectors; the compiler splits them where registers are smaller.
typedef uint32_t Mask8 __attribute__((vector_size(32)));
struct Masks {
  Mask8 part[4];
};

struct Source {
  bool coded;
  size_t index;        // of the feature or the coding
  size_t first_row;    // of its masks
  size_t bins;         // thresholds, padded to a power of two less one
  size_t thresholds;   // how many of them are real
  size_t first_bin;    // in `bins_`
};

class MaskTrees {
 public:
  // nullopt where these trees need a walk: too many leaves, a NaN threshold, or tables of more than `most` words of 32 bits.
  static std::optional<MaskTrees> build(const FeatureSet& set, const Trees& trees, size_t most);

  size_t words() const { return masks_.size() * GROUP + leaves_.size() * 2; }

  // The sums over the baseline of all trees by the divisor, (rows, outputs) by row.
  void score(const Features& features, size_t rows, double* out) const;

 private:
  struct Split {
    size_t node;
    size_t slot;     // of the tree among the groups
    uint32_t clear;  // the leaves of its left subtree
  };

  std::vector<Source> sources_;
  std::vector<double> bins_;
  std::vector<Masks> masks_;         // [group][row]
  std::vector<double> leaves_;       // [slot][32]
  std::vector<size_t> group_output_, group_trees_;
  std::vector<double> baseline_;
  double divisor_ = 1;
  size_t rows_ = 0;

  std::vector<Split> number_leaves(const Trees& trees);
  void add_number(const Trees& trees, const std::vector<Split>& splits);
  void add_coding(const FeatureSet& set, const Trees& trees, size_t index, const std::vector<std::vector<Split>>& by_feature);
  static bool is_tested(const Coding& coding, const std::vector<std::vector<Split>>& by_feature) {
    return std::any_of(coding.made.begin(), coding.made.end(), [&](uint32_t feature) { return !by_feature[feature].empty(); });
  }
  void clear(size_t row, const Split& split) {
    auto& masks = masks_[split.slot / GROUP * rows_ + row];
    masks.part[split.slot % GROUP / 8][split.slot % 8] &= ~split.clear;
  }
  static void fetch(const Masks& masks) {
    __builtin_prefetch(&masks.part[0]);
    __builtin_prefetch(&masks.part[2]);
  }
  void find_rows(const Features& features, size_t from, size_t rows, uint32_t* found) const;
  void score_block(const Features& features, size_t from, size_t rows, double* out) const;
};

// Slots: the trees of output 0, padded to whole groups, then those of output 1, ...; each group adds to one output, in order.
inline std::vector<MaskTrees::Split> MaskTrees::number_leaves(const Trees& trees) {
  std::vector<Split> splits;
  const size_t outputs = trees.outputs(), per_output = trees.roots.size() / outputs, groups = (per_output + GROUP - 1) / GROUP;
  leaves_.assign(outputs * groups * GROUP * 32, 0.0);
  for (size_t g = 0; g < outputs * groups; g++) {
    group_output_.push_back(g / groups);
    group_trees_.push_back(std::min(GROUP, per_output - g % groups * GROUP));
  }
  for (size_t t = 0; t < trees.roots.size(); t++) {
    size_t slot = t % outputs * groups * GROUP + t / outputs, leaf = 0;
    size_t root = trees.roots[t], end = t + 1 < trees.roots.size() ? trees.roots[t + 1] : trees.feature.size();
    std::vector<size_t> pending{root};
    std::vector<uint32_t> below(end - root);  // the leaves under each node
    std::vector<size_t> inner;
    while (!pending.empty()) {
      size_t node = pending.back();
      pending.pop_back();
      if (trees.is_leaf(node)) {
        if (leaf == 32) return {};
        leaves_[slot * 32 + leaf] = trees.values[trees.left[node]];
        below[node - root] = uint32_t(1) << leaf++;
      } else {
        inner.push_back(node);
        pending.push_back(trees.right[node]);
        pending.push_back(trees.left[node]);
      }
    }
    for (auto node = inner.rbegin(); node != inner.rend(); ++node) {
      uint32_t left = below[trees.left[*node] - root];
      below[*node - root] = left | below[trees.right[*node] - root];
      splits.push_back({*node, slot, left});
    }
  }
  return splits;
}

inline std::optional<MaskTrees> MaskTrees::build(const FeatureSet& set, const Trees& trees, size_t most) {
  if (trees.leaf_width != 1 || trees.roots.empty()) return std::nullopt;
  const size_t outputs = trees.outputs(), groups = outputs * ((trees.roots.size() / outputs + GROUP - 1) / GROUP);
  if (groups * GROUP * 64 > most) return std::nullopt;
  MaskTrees out;
  out.baseline_ = trees.baseline;
  out.divisor_ = trees.divisor;
  auto splits = out.number_leaves(trees);
  bool any_split = std::any_of(trees.feature.begin(), trees.feature.end(), [](int32_t feature) { return feature >= 0; });
  if (splits.empty() && any_split) return std::nullopt;
  std::vector<std::vector<Split>> by_feature(set.width);
  for (const auto& split : splits) by_feature[size_t(trees.feature[split.node])].push_back(split);

  std::vector<uint8_t> coded(set.width, 0);
  size_t rows = 0;
  for (const auto& coding : set.codings) {
    for (auto feature : coding.made) coded[feature] = 1;
    if (is_tested(coding, by_feature)) rows += coding.codes();
  }
  for (size_t feature = 0; feature < set.width; feature++) {
    if (coded[feature] || by_feature[feature].empty()) continue;
    rows += by_feature[feature].size() + 2;
    for (const auto& split : by_feature[feature])
      if (std::isnan(trees.threshold[split.node]) || trees.category_set[split.node] >= 0) return std::nullopt;
  }
  if ((rows + 64) * groups * GROUP > most) return std::nullopt;
  out.rows_ = rows;
  Masks all;
  for (auto& part : all.part) part = ~Mask8{};
  out.masks_.assign(rows * groups, all);
  size_t used = 0;
  auto next = [&](size_t count) {
    out.sources_.back().first_row = used;
    used += count;
  };
  for (size_t feature = 0; feature < set.width; feature++) {
    if (coded[feature] || by_feature[feature].empty()) continue;
    out.sources_.push_back({false, feature, 0, 0, 0, 0});
    next(by_feature[feature].size() + 2);
    out.add_number(trees, by_feature[feature]);
  }
  for (size_t index = 0; index < set.codings.size(); index++) {
    if (!is_tested(set.codings[index], by_feature)) continue;
    out.sources_.push_back({true, index, 0, 0, 0, 0});
    next(set.codings[index].codes());
    out.add_coding(set, trees, index, by_feature);
  }
  return out;
}

// Row r of a number's masks: exactly r of its thresholds are below the value; the row after the last is a missing value's.
inline void MaskTrees::add_number(const Trees& trees, const std::vector<Split>& splits) {
  std::vector<double> thresholds;
  for (const auto& split : splits) thresholds.push_back(trees.threshold[split.node]);
  std::sort(thresholds.begin(), thresholds.end());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  Source& source = sources_.back();
  source.thresholds = thresholds.size();
  source.bins = 1;
  while (source.bins - 1 < thresholds.size()) source.bins *= 2;
  source.first_bin = bins_.size();
  bins_.insert(bins_.end(), thresholds.begin(), thresholds.end());
  bins_.resize(source.first_bin + source.bins, INFINITY);
  for (const auto& split : splits) {
    auto place = size_t(std::lower_bound(thresholds.begin(), thresholds.end(), trees.threshold[split.node]) - thresholds.begin());
    for (size_t row = place + 1; row <= thresholds.size(); row++) clear(source.first_row + row, split);
    if (!trees.missing_left[split.node]) clear(source.first_row + thresholds.size() + 1, split);
  }
}

inline void MaskTrees::add_coding(const FeatureSet& set, const Trees& trees, size_t index,
                                  const std::vector<std::vector<Split>>& by_feature) {
  const Coding& coding = set.codings[index];
  for (size_t code = 0; code < coding.codes(); code++) {
    std::vector<double> value(coding.made.size(), 0.0);
    for (size_t k = coding.starts[code]; k < coding.starts[code + 1]; k++)
      value[size_t(std::lower_bound(coding.made.begin(), coding.made.end(), coding.features[k]) - coding.made.begin())] = coding.values[k];
    for (size_t j = 0; j < coding.made.size(); j++)
      for (const auto& split : by_feature[coding.made[j]])
        if (!trees.goes_left(split.node, value[j])) clear(sources_.back().first_row + code, split);
  }
}

// found[row][source] = the row of masks that the value selects.
FAIRWAY_CLONES static void find_bins(const double* x, size_t rows, const double* bins, size_t width, uint32_t* place) {
  for (size_t i = 0; i < rows; i++) place[i] = 0;
  // the same steps for every row: the loop over rows has no branches and no waiting for the row before
  for (size_t half = width / 2; half; half /= 2)
    for (size_t i = 0; i < rows; i++) place[i] += bins[place[i] + half - 1] < x[i] ? uint32_t(half) : 0;
}

inline void MaskTrees::find_rows(const Features& features, size_t from, size_t rows, uint32_t* found) const {
  std::array<uint32_t, BLOCK> place;
  const size_t count = sources_.size();
  for (size_t s = 0; s < count; s++) {
    const Source& source = sources_[s];
    if (source.coded) {
      const int32_t* codes = features.codes_of(source.index) + from;
      for (size_t i = 0; i < rows; i++) found[i * count + s] = uint32_t(source.first_row) + uint32_t(codes[i]);
      continue;
    }
    const double* x = features.of(source.index) + from;
    find_bins(x, rows, &bins_[source.first_bin], source.bins, place.data());
    for (size_t i = 0; i < rows; i++)
      found[i * count + s] = uint32_t(source.first_row + (std::isnan(x[i]) ? source.thresholds + 1 : place[i]));
  }
}

// One group's trees added to the sums of all rows; `found` is [row][source], `leaves` [tree][32].
template <size_t ROWS>
__attribute__((always_inline)) inline void sum_rows(const Masks* masks, const uint32_t* found, size_t count, const double* leaves,
                                                    size_t trees, double* sums) {
  uint32_t possible[ROWS][GROUP];
  for (size_t r = 0; r < ROWS; r++) {
    Mask8 a = ~Mask8{}, b = a, c = a, d = a;
    for (size_t s = 0; s < count; s++) {
      const Masks& mask = masks[found[r * count + s]];
      a &= mask.part[0];
      b &= mask.part[1];
      c &= mask.part[2];
      d &= mask.part[3];
    }
    std::memcpy(&possible[r][0], &a, 32);
    std::memcpy(&possible[r][8], &b, 32);
    std::memcpy(&possible[r][16], &c, 32);
    std::memcpy(&possible[r][24], &d, 32);
  }
  // each row's sum is sequential, as scikit-learn's; the rows beside it fill the time that an addition takes
  double sum[ROWS];
  for (size_t r = 0; r < ROWS; r++) sum[r] = sums[r];
  for (size_t t = 0; t < trees; t++)
    for (size_t r = 0; r < ROWS; r++) sum[r] += leaves[t * 32 + size_t(__builtin_ctz(possible[r][t]))];
  for (size_t r = 0; r < ROWS; r++) sums[r] = sum[r];
}

FAIRWAY_CLONES static void sum_group_of(const Masks* masks, const uint32_t* found, size_t count, const double* leaves, size_t trees,
                                        size_t rows, double* sums) {
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) sum_rows<4>(masks, found + i * count, count, leaves, trees, sums + i);
  for (; i < rows; i++) sum_rows<1>(masks, found + i * count, count, leaves, trees, sums + i);
}

inline void MaskTrees::score_block(const Features& features, size_t from, size_t rows, double* out) const {
  static thread_local std::vector<uint32_t> found;
  std::array<double, BLOCK> sums;
  found.resize(rows * sources_.size());
  find_rows(features, from, rows, found.data());
  if (rows < FEW)
    for (uint32_t row : found)
      for (size_t g = 0; g < group_output_.size(); g++) fetch(masks_[g * rows_ + row]);
  const size_t outputs = baseline_.size(), groups = group_output_.size() / outputs;
  for (size_t k = 0; k < outputs; k++) {
    std::fill_n(sums.begin(), rows, baseline_[k]);
    for (size_t g = k * groups; g < (k + 1) * groups; g++)
      sum_group_of(masks_.data() + g * rows_, found.data(), sources_.size(), &leaves_[g * GROUP * 32], group_trees_[g], rows, sums.data());
    for (size_t i = 0; i < rows; i++) out[i * outputs + k] = sums[i] / divisor_;
  }
}

inline void MaskTrees::score(const Features& features, size_t rows, double* out) const {
  for (size_t from = 0; from < rows; from += BLOCK)
    score_block(features, from, std::min(BLOCK, rows - from), out + from * baseline_.size());
}

}  // namespace fairway
