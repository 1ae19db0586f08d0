// A loaded plan scoring blocks of rows: features, models, links, and the mean over the members.
#pragma once
#include <memory>

#include "numpy_exp.hpp"
#include "walks.hpp"

namespace fairway {

inline double expit(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// numpy's sum of a contiguous row: eight running sums over blocks of up to 128, joined in pairs; in order below eight terms.
inline double numpy_sum(const double* x, size_t n) {
  if (n < 8) {
    double sum = -0.0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
  }
  if (n <= 128) {
    double part[8];
    for (size_t i = 0; i < 8; i++) part[i] = x[i];
    size_t i = 8;
    for (; i < n - n % 8; i += 8)
      for (size_t j = 0; j < 8; j++) part[j] += x[i + j];
    double sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    for (; i < n; i++) sum += x[i];
    return sum;
  }
  size_t half = n / 2 - n / 2 % 8;
  return numpy_sum(x, half) + numpy_sum(x + half, n - half);
}

inline double in_order_sum(const double* x, size_t n) {
  double sum = x[0];
  for (size_t i = 1; i < n; i++) sum += x[i];
  return sum;
}

// numpy.interp on points that ascend, held at both ends.
inline double interpolate(const Calibrator& calibrator, double value) {
  const auto &x = calibrator.x, &y = calibrator.y;
  if (x.size() == 1 || std::isnan(value)) return x.size() == 1 ? y[0] : value;
  if (value <= x.front()) return y.front();
  if (value >= x.back()) return y.back();
  auto j = size_t(std::upper_bound(x.begin(), x.end(), value) - x.begin()) - 1;
  if (x[j] == value) return y[j];
  double slope = (y[j + 1] - y[j]) / (x[j + 1] - x[j]);
  double found = slope * (value - x[j]) + y[j];
  if (std::isnan(found)) found = slope * (value - x[j + 1]) + y[j + 1];
  return std::isnan(found) && y[j] == y[j + 1] ? y[j] : found;
}

inline double calibrated(const Calibrator& calibrator, double raw) {
  return calibrator.isotonic ? interpolate(calibrator, raw) : expit(calibrator.x[0] * raw + calibrator.y[0]);
}

inline void softmax(double* row, size_t n, bool by_rows, const NumpyExp& exp) {
  double largest = *std::max_element(row, row + n);
  for (size_t k = 0; k < n; k++) row[k] = exp(row[k] - largest);
  double sum = by_rows ? numpy_sum(row, n) : in_order_sum(row, n);
  for (size_t k = 0; k < n; k++) row[k] /= sum;
}

inline void calibrate(const Link& link, const double* raw, double* out) {
  const size_t n = link.calibrators.size(), width = n == 1 ? 2 : n;
  for (size_t k = 0; k < n; k++) out[n == 1 ? 1 : k] = calibrated(link.calibrators[k], raw[k]);
  if (n == 1) {
    out[0] = 1.0 - out[1];
  } else {
    double sum = numpy_sum(out, n);
    for (size_t k = 0; k < n; k++) out[k] = sum != 0 ? out[k] / sum : 1.0 / double(n);
  }
  for (size_t k = 0; k < width; k++)
    if (out[k] > 1.0 && out[k] <= 1.0 + 1e-5) out[k] = 1.0;
}

// One link on one row; -> how many outputs the row has now.
inline size_t apply_link(const Link& link, size_t n, const double* raw, double* out, const NumpyExp& exp) {
  switch (link.op) {
    case LinkOp::expit:
    case LinkOp::expit_double:
      out[1] = expit(link.op == LinkOp::expit ? raw[0] : 2 * raw[0]);
      out[0] = 1 - out[1];
      return 2;
    case LinkOp::second:
      out[0] = raw[1];
      return 1;
    case LinkOp::calibrate:
      calibrate(link, raw, out);
      return outputs_after(link, n);
    case LinkOp::exp:
      for (size_t k = 0; k < n; k++) out[k] = exp(raw[k]);
      return n;
    default:
      std::copy(raw, raw + n, out);
      softmax(out, n, link.op == LinkOp::softmax_by_rows, exp);
      return n;
  }
}

// How one member's trees are executed: exactly one of the three where it has trees.
struct TreeEngine {
  std::optional<MaskTrees> masks;
  std::unique_ptr<WalkedTrees<float>> narrow;
  std::unique_ptr<WalkedTrees<double>> wide;
};

inline bool is_float32(double x) { return double(float(x)) == x || std::isnan(x); }

// Whether every value that the trees may meet is a float32, so that they can be walked in half the memory.
inline bool all_float32(const FeatureSet& set) {
  for (const auto& number : set.numbers) {
    auto last = std::find_if(number.steps.rbegin(), number.steps.rend(), [](const Step& step) { return step.op < Op::finite; });
    if (last == number.steps.rend() || last->op != Op::float32) return false;
  }
  return std::all_of(set.codings.begin(), set.codings.end(), [](const Coding& coding) {
    return std::all_of(coding.values.begin(), coding.values.end(), is_float32);
  });
}

constexpr size_t MOST_WORDS_OF_ALL = 4 * MOST_WORDS;  // of all models' tables together, however many a plan has
constexpr size_t LARGEST_BLOCK = size_t(64) << 20;   // bytes

class Scorer {
 public:
  explicit Scorer(Plan plan) : plan_(std::move(plan)) {
    if (needs_numpy_exp()) exp_ = NumpyExp::find();
    size_t words = MOST_WORDS_OF_ALL;
    for (const auto& member : plan_.members) {
      engines_.emplace_back();
      if (member.model.kind != ModelKind::trees) continue;
      const FeatureSet& set = plan_.feature_sets[member.features];
      auto& engine = engines_.back();
      engine.masks = MaskTrees::build(set, member.model.trees, std::min(words, MOST_WORDS));
      if (engine.masks)
        words -= engine.masks->words();
      else if (all_float32(set))
        engine.narrow = std::make_unique<WalkedTrees<float>>(member.model.trees);
      else
        engine.wide = std::make_unique<WalkedTrees<double>>(member.model.trees);
      if (!engine.masks) block_rows_ = std::clamp<size_t>((size_t(1) << 18) / (set.width + 1), BLOCK, 4096);
    }
    widest_ = plan_.width();
    for (const auto& member : plan_.members) widest_ = std::max({widest_, member.model.outputs, size_t(2)});
    block_rows_ = std::min(block_rows_, std::max(BLOCK, LARGEST_BLOCK / row_bytes()));
  }
  Scorer(const Scorer&) = delete;

  const Plan& plan() const { return plan_; }

  // Rows per block. A walked tree is read from memory once a block: more rows share that.
  size_t block_rows() const { return block_rows_; }

  // What one thread needs to score a block of at most `most` rows; made once and used again.
  struct Work {
    std::vector<Features> features;
    std::vector<double> raw, row, next;
    Work(const Scorer& scorer, size_t most) : raw(scorer.widest_ * most), row(scorer.widest_), next(scorer.widest_) {
      for (const auto& set : scorer.plan_.feature_sets) features.emplace_back(set, most);
    }
  };

  // (rows, width) by row; a refused row's numbers mean nothing.
  void score(Block& block, Work& work, double* out) const {
    const size_t width = plan_.width(), rows = block.rows, members = plan_.members.size();
    for (size_t s = 0; s < plan_.feature_sets.size(); s++) {
      make_features(plan_, plan_.feature_sets[s], block, work.features[s]);
      if (needs_values(s)) spread_codes(plan_.feature_sets[s], rows, work.features[s]);
    }
    if (members > 1) std::fill_n(out, rows * width, 0.0);
    for (size_t m = 0; m < members; m++) {
      score_member(m, rows, work);
      const size_t outputs = plan_.members[m].model.outputs;
      for (size_t i = 0; i < rows; i++) {
        const double* answer = linked(plan_.members[m], &work.raw[i * outputs], work);
        double* row = out + i * width;
        if (members > 1)
          for (size_t k = 0; k < width; k++) row[k] += answer[k];
        else
          std::copy(answer, answer + width, row);
      }
    }
    if (members > 1)
      for (size_t i = 0; i < rows * width; i++) out[i] /= double(members);
  }

 private:
  Plan plan_;
  std::vector<TreeEngine> engines_;
  NumpyExp exp_;
  size_t widest_ = 2, block_rows_ = BLOCK;

  // What a block takes for each of its rows.
  size_t row_bytes() const {
    size_t numbers = plan_.columns.size() + widest_, codes = plan_.columns.size();
    for (const auto& set : plan_.feature_sets) {
      numbers += set.width;
      codes += set.codings.size();
    }
    return numbers * sizeof(double) + codes * sizeof(int32_t);
  }

  // numpy costs a server memory and start-up time: only plans that need its exp load it
  bool needs_numpy_exp() const {
    for (const auto& member : plan_.members)
      for (const auto& link : member.links)
        if (link.op == LinkOp::exp || link.op == LinkOp::softmax_by_rows || link.op == LinkOp::softmax_by_columns) return true;
    return false;
  }

  bool needs_values(size_t set) const {
    for (size_t m = 0; m < plan_.members.size(); m++)
      if (plan_.members[m].features == set && !engines_[m].masks && plan_.members[m].model.kind != ModelKind::constant) return true;
    return false;
  }

  void score_member(size_t m, size_t rows, Work& work) const {
    const Member& member = plan_.members[m];
    const Features& features = work.features[member.features];
    const size_t features_wide = plan_.feature_sets[member.features].width;
    double* raw = work.raw.data();
    if (member.model.kind == ModelKind::constant)
      for (size_t i = 0; i < rows; i++) std::copy(member.model.values.begin(), member.model.values.end(), raw + i * member.model.outputs);
    else if (member.model.kind == ModelKind::linear)
      score_linear(member.model, features, features_wide, rows, raw);
    else if (engines_[m].masks)
      engines_[m].masks->score(features, rows, raw);
    else if (engines_[m].narrow)
      engines_[m].narrow->score(features, features_wide, rows, raw);
    else
      engines_[m].wide->score(features, features_wide, rows, raw);
  }

  // Added in the order of the features, so that a row's answer does not depend on the rows beside it (BLAS's does).
  static void score_linear(const Model& model, const Features& features, size_t width, size_t rows, double* raw) {
    std::array<double, BLOCK> sums;
    for (size_t from = 0; from < rows; from += BLOCK)
      for (size_t k = 0; k < model.outputs; k++) {
        const size_t count = std::min(BLOCK, rows - from);
        std::fill_n(sums.begin(), count, 0.0);
        for (size_t j = 0; j < width; j++) {
          const double *x = features.of(j) + from, coef = model.values[k * width + j];
          for (size_t i = 0; i < count; i++) sums[i] += x[i] * coef;
        }
        for (size_t i = 0; i < count; i++) raw[(from + i) * model.outputs + k] = sums[i] + model.intercept[k];
      }
  }

  const double* linked(const Member& member, const double* raw, Work& work) const {
    if (member.links.empty()) return raw;
    size_t n = member.model.outputs;
    const double* from = raw;
    for (const auto& link : member.links) {
      n = apply_link(link, n, from, work.next.data(), exp_);
      work.row.swap(work.next);
      from = work.row.data();
    }
    return from;
  }
};

}  // namespace fairway
