// What a contract allows of each column, so that a request without fault is known as one while it is read. It names no fault: a
// body with any goes to domain/contract/values.py, which has the words for it. In doubt there is one.
#pragma once
#include "reader.hpp"

namespace fairway {

struct Limit {
  bool nullable, whole;
  double minimum, maximum;       // of numbers
  std::vector<uint8_t> allowed;  // of other columns, by code: the known ones, missing, unknown
};

constexpr double LARGEST_WHOLE = 9007199254740992.0;  // 2^53 itself may be the rounding of a larger one

inline bool is_within(const Limit& limit, const double* values, size_t rows) {
  for (size_t i = 0; i < rows; i++) {
    const double x = values[i];
    if (std::isnan(x) ? !limit.nullable : !(x >= limit.minimum && x <= limit.maximum)) return false;
    if (limit.whole && !std::isnan(x) && !(std::fabs(x) < LARGEST_WHOLE && x == std::floor(x))) return false;
  }
  return true;
}

inline bool is_within(const Limit& limit, const int32_t* codes, size_t rows) {
  for (size_t i = 0; i < rows; i++)
    if (!limit.allowed[size_t(codes[i])]) return false;
  return true;
}

inline bool is_within(const std::vector<Limit>& limits, const Plan& plan, Block& block) {
  if (block.odd || !block.refusals.empty()) return false;
  for (size_t c = 0; c < limits.size(); c++) {
    if (limits[c].whole && block.odd_integers[c]) return false;
    bool number = plan.columns[c].kind == Kind::number;
    if (!(number ? is_within(limits[c], block.number(c), block.rows) : is_within(limits[c], block.code(c), block.rows))) return false;
  }
  return true;
}

}  // namespace fairway
