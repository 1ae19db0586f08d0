// A block of rows by column, what is refused of them, and the features that a plan makes of them.
#pragma once
#include <cmath>
#include <string>

#include "plan.hpp"

namespace fairway {

constexpr size_t BLOCK = 256;  // rows taken together through one step: what they need stays in the nearest caches

constexpr int BEFORE_COLUMNS = -1;  // readers refuse a row before the model does

// Why a row is not scored: `name` is its column's, empty where the row itself is at fault; the least `order` of a row is told.
struct Refusal {
  size_t row;
  int order;
  std::string name, message;
};

struct Block {
  size_t rows = 0;
  size_t first = 0;                // the number of its first row in the body
  size_t capacity;
  std::vector<double> numbers;     // [column][capacity], only number columns are used
  std::vector<int32_t> codes;      // [column][capacity], the others
  std::vector<Refusal> refusals;   // of the whole body
  // What `limits.hpp` cannot see in the values: an unknown category is too long or no text, or a number that no column reads
  // is beyond float64; by column, a whole number is not written as an integer.
  bool odd = false;
  std::vector<uint8_t> odd_integers;
  std::vector<uint64_t> seen;      // by column, the last row that had it, counted over all bodies
  uint64_t rows_seen = 0;

  Block(const Plan& plan, size_t most)
      : capacity(most), numbers(plan.columns.size() * most), codes(plan.columns.size() * most),
        odd_integers(plan.columns.size(), 0), seen(plan.columns.size(), 0) {}

  double* number(size_t column) { return &numbers[column * capacity]; }
  int32_t* code(size_t column) { return &codes[column * capacity]; }

  void clear_row(const Plan& plan, size_t row) {
    for (size_t c = 0; c < plan.columns.size(); c++) {
      if (plan.columns[c].kind == Kind::number)
        number(c)[row] = NAN;
      else
        code(c)[row] = plan.columns[c].missing();
    }
  }
  void refuse(size_t row, size_t column, const Plan& plan, std::string message) {
    refusals.push_back({first + row, int(column), plan.columns[column].name, std::move(message)});
  }
};

// The features of one block for one feature set: numbers by feature, and for each coding the rows' codes.
struct Features {
  size_t capacity;
  std::vector<double> x;       // [feature][capacity]
  std::vector<int32_t> codes;  // [coding][capacity]

  Features(const FeatureSet& set, size_t most) : capacity(most), x(set.width * most, 0.0), codes(set.codings.size() * most) {}

  double* of(size_t feature) { return &x[feature * capacity]; }
  const double* of(size_t feature) const { return &x[feature * capacity]; }
  int32_t* codes_of(size_t coding) { return &codes[coding * capacity]; }
  const int32_t* codes_of(size_t coding) const { return &codes[coding * capacity]; }
};

inline bool is_marker(double x, double marker) { return std::isnan(marker) ? std::isnan(x) : x == marker; }

inline void refuse_where(Block& block, const Plan& plan, const NumberFeature& number, Op check, const double* x) {
  const double* given = block.number(number.column);
  for (size_t i = 0; i < block.rows; i++) {
    if (check == Op::finite ? !std::isinf(x[i]) : !std::isnan(x[i])) continue;
    block.refuse(i, number.column, plan,
                 check == Op::present ? "must be a number, not null"
                                      : "must be finite as the model takes it, not " + number_text(given[i]));
  }
}

// The order and the roundings of scikit-learn: one operation on all rows, then the next.
inline void apply(const Step& step, double* x, size_t rows) {
  const double a = step.a, b = step.b;
  switch (step.op) {
    case Op::replace:
      for (size_t i = 0; i < rows; i++) x[i] = is_marker(x[i], a) ? b : x[i];
      break;
    case Op::indicate:
      for (size_t i = 0; i < rows; i++) x[i] = is_marker(x[i], a) ? 1.0 : 0.0;
      break;
    case Op::subtract:
      for (size_t i = 0; i < rows; i++) x[i] -= a;
      break;
    case Op::divide:
      for (size_t i = 0; i < rows; i++) x[i] /= a;
      break;
    case Op::multiply:
      for (size_t i = 0; i < rows; i++) x[i] *= a;
      break;
    case Op::add:
      for (size_t i = 0; i < rows; i++) x[i] += a;
      break;
    case Op::clip:
      for (size_t i = 0; i < rows; i++) x[i] = x[i] < a ? a : x[i] > b ? b : x[i];
      break;
    case Op::float32:
      for (size_t i = 0; i < rows; i++) x[i] = double(float(x[i]));
      break;
    default:
      break;
  }
}

inline void make_number(const Plan& plan, const NumberFeature& number, Block& block, double* x) {
  std::memcpy(x, block.number(number.column), block.rows * sizeof(double));
  for (const Step& step : number.steps) {
    if (step.op == Op::finite || step.op == Op::present) {
      bool bad = false;
      if (step.op == Op::finite)
        for (size_t i = 0; i < block.rows; i++) bad |= std::isinf(x[i]);
      else
        for (size_t i = 0; i < block.rows; i++) bad |= std::isnan(x[i]);
      if (bad) refuse_where(block, plan, number, step.op, x);
    } else {
      apply(step, x, block.rows);
    }
  }
}

inline int32_t key_code(const Coding& coding, double x) {
  if (std::isnan(x)) return int32_t(coding.keys.size());
  auto place = std::lower_bound(coding.keys.begin(), coding.keys.end(), x);
  bool known = place != coding.keys.end() && *place == x;
  return int32_t(known ? place - coding.keys.begin() : int64_t(coding.keys.size()) + 1);
}

inline void make_codes(const Plan& plan, const Coding& coding, Block& block, int32_t* out) {
  if (coding.has_keys) {
    const double* x = block.number(coding.column);
    for (size_t i = 0; i < block.rows; i++) {
      out[i] = key_code(coding, x[i]);
      if (std::isinf(x[i]))
        block.refuse(i, coding.column, plan, "must be a finite number, not " + number_text(x[i]));
    }
  } else {
    std::memcpy(out, block.code(coding.column), block.rows * sizeof(int32_t));
  }
  auto missing = int32_t(coding.codes()) - 2;
  for (size_t i = 0; i < block.rows; i++)
    if (!coding.allowed[size_t(out[i])])
      block.refuse(i, coding.column, plan,
                   std::string("must be a value that the model was fitted on") + (out[i] == missing ? ", not null" : ""));
}

inline void make_features(const Plan& plan, const FeatureSet& set, Block& block, Features& out) {
  for (const auto& number : set.numbers) make_number(plan, number, block, out.of(number.feature));
  for (size_t c = 0; c < set.codings.size(); c++) make_codes(plan, set.codings[c], block, out.codes_of(c));
}

// Puts the codings' values among the numbers: for models that look at single features.
inline void spread_codes(const FeatureSet& set, size_t rows, Features& out) {
  for (size_t c = 0; c < set.codings.size(); c++) {
    const Coding& coding = set.codings[c];
    for (auto feature : coding.made) std::fill_n(out.of(feature), rows, 0.0);
    for (size_t i = 0; i < rows; i++) {
      auto code = size_t(out.codes_of(c)[i]);
      for (size_t k = coding.starts[code]; k < coding.starts[code + 1]; k++) out.of(coding.features[k])[i] = coding.values[k];
    }
  }
}

}  // namespace fairway
