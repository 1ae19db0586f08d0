// The body that answers a request, in the shape of domain/answers.py; a refused row's entry says why.
#pragma once
#include "rows.hpp"

namespace fairway {

inline void append_json_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (uint8_t(c) < 0x20) {
      const char* hex = "0123456789abcdef";
      out += "\\u00";
      out += {hex[uint8_t(c) >> 4], hex[c & 15]};
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

inline void append_number(std::string& out, double value) {
  char text[40];
  out.append(text, size_t(write_number(text, value) - text));
}

// A class label as the name of a JSON member: a text label as it is, any other between quotes.
inline void append_label(std::string& out, const std::string& label) {
  if (label.front() == '"')
    out += label;
  else
    out += "\"" + label + "\"";
}

inline void append_answer(std::string& out, const Plan& plan, const double* score, double threshold) {
  out += "{\"prediction\":";
  if (!plan.classification) {
    append_number(out, score[0]);
    out += ",\"probability\":null}";
    return;
  }
  const size_t n = plan.classes.size();
  size_t best = size_t(std::max_element(score, score + n) - score);
  out += n != 2 ? plan.classes[best] : score[1] >= threshold ? "true" : "false";
  out += ",\"probability\":";
  append_number(out, score[n == 2 ? 1 : best]);
  if (n != 2)
    for (size_t k = 0; k < n; k++) {
      out += k ? "," : ",\"probabilities\":{";
      append_label(out, plan.classes[k]);
      out.push_back(':');
      append_number(out, score[k]);
    }
  out += n != 2 ? "}}" : "}";
}

// The scores of rows as `model_code/answering.py` writes them: each row's as a list, or the last of them.
// -> false where one is not finite, which JSON cannot say
inline bool append_scores(std::string& out, const Plan& plan, const std::vector<double>& scores, bool listed, bool lines) {
  const size_t width = plan.width();
  out = lines ? "" : "{\"predictions\":[";
  for (size_t row = 0; row < scores.size(); row += width) {
    if (row && !lines) out.push_back(',');
    if (listed) out.push_back('[');
    for (size_t k = listed ? 0 : width - 1; k < width; k++) {
      if (!std::isfinite(scores[row + k])) return false;
      append_number(out, scores[row + k]);
      if (k + 1 < width) out.push_back(',');
    }
    if (listed) out.push_back(']');
    if (lines) out.push_back('\n');
  }
  if (lines) return true;
  out.push_back(']');
  for (size_t k = 0; listed && k < width; k++) out += (k ? "," : ",\"classes\":[") + plan.classes[k];
  out += listed ? "]}" : "}";
  return true;
}

// How Python writes RowRefused.
inline std::string refusal_text(const Refusal& refusal) {
  std::string where = "row " + std::to_string(refusal.row);
  if (!refusal.name.empty()) where += ", column '" + refusal.name + "'";
  return where + ": " + refusal.message;
}

inline void append_refusal(std::string& out, const Refusal& refusal) {
  out += "{\"error\":\"row_refused\",\"message\":";
  append_json_text(out, refusal_text(refusal));
  out.push_back('}');
}

}  // namespace fairway
