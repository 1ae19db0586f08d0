// The short way from a request's bytes to its reply, for a body without any fault: it is read, held to the contract's limits,
// scored and answered in one go. Any doubt, and the body is not answered here: domain/contract/values.py has the words for its faults.
#pragma once
#include "csv.hpp"
#include "engine.hpp"
#include "json.hpp"
#include "reply.hpp"

namespace fairway {

// Thrown at the first value that is not within its limit, and where the answer would be larger than any that is given.
struct OutsideLimits {};

constexpr size_t MOST_ANSWERS = size_t(1) << 22;  // numbers in one reply: MOST_ANSWERS of model_code/answers/answering.py

inline void read_body(Form form, const Names& names, Rows& rows, std::string_view body) {
  if (form == Form::csv)
    CsvReader(names, rows, body).read(Header::if_it_names_columns);
  else if (form == Form::json_lines)
    JsonReader(names, rows, body).read_lines();
  else
    JsonReader(names, rows, body).read_instances();
}

// -> whether desk.reply is the answer to the whole body; its rows are desk.scores' rows
inline bool reply_within(const Engine& engine, Desk& desk, Form form, std::string_view body) {
  const Plan& plan = engine.scorer.plan();
  if (engine.limits.empty()) return false;
  const size_t most = MOST_ANSWERS * (engine.listed ? 1 : plan.width());
  try {
    score_all(engine.scorer, desk, [&](Call score) {
      auto checked = [&] {
        if (!is_within(engine.limits, plan, desk.block) || desk.scores.size() > most) throw OutsideLimits();
        score();
      };
      Rows rows(engine.names, desk.block, checked);
      read_body(form, engine.names, rows, body);
    });
  } catch (const BodyError&) {
    return false;
  } catch (const OutsideLimits&) {
    return false;
  }
  return !desk.block.odd && desk.block.refusals.empty() && write_scores(desk.reply, plan, desk.scores, engine.listed, form);
}

}  // namespace fairway
