// The body that answers a request, as `model_code/answers/bodies.py` writes it.
#pragma once
#include "rows.hpp"

namespace fairway {

enum class Form { json, json_lines, csv };

inline void append_number(std::string& out, double value) {
  char text[40];
  out.append(text, size_t(write_number(text, value) - text));
}

inline void append_row(std::string& out, const double* scores, size_t count, bool brackets) {
  if (brackets) out.push_back('[');
  for (size_t k = 0; k < count; k++) {
    if (k) out.push_back(',');
    append_number(out, scores[k]);
  }
  if (brackets) out.push_back(']');
}

// The scores of rows, each row's as a list where they are `listed`, else the last of them.
// -> false where one is not finite, which JSON cannot say
inline bool write_scores(std::string& out, const Plan& plan, const std::vector<double>& scores, bool listed, Form form) {
  const size_t width = plan.width(), from = listed ? 0 : width - 1;
  const bool json = form == Form::json;
  out = json ? "{\"predictions\":[" : "";
  for (size_t row = 0; row < scores.size(); row += width) {
    if (json && row) out.push_back(',');
    for (size_t k = from; k < width; k++)
      if (!std::isfinite(scores[row + k])) return false;
    append_row(out, &scores[row + from], width - from, listed && form != Form::csv);
    if (!json) out.push_back('\n');
  }
  if (!json) return true;
  out.push_back(']');
  for (size_t k = 0; listed && k < plan.classes.size(); k++) out += (k ? "," : ",\"classes\":[") + plan.classes[k];
  out += listed && !plan.classes.empty() ? "]}" : "}";
  return true;
}

}  // namespace fairway
