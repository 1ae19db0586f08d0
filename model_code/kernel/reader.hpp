// What the readers of JSON, CSV and Arrow share: names and levels found by their bytes, and blocks that fill and are scored.
#pragma once
#include <type_traits>
#include <utility>

#include "rows.hpp"

namespace fairway {

constexpr size_t LONGEST_TEXT = 1024;  // bytes; what a contract takes has at most as many characters
constexpr const char* ALLOWED[] = {"a number or null", "true, false or null", "text or null"};

// The plan's names and levels, and the names that rows may carry unread.
struct Names {
  const Plan& plan;
  Lookup columns, ignored;
  std::vector<Lookup> levels;
  std::vector<uint8_t> plain;  // the column's name is written in JSON without escapes
  std::string listed;

  Names(const Plan& of, const std::vector<std::string>& unread) : plan(of), levels(of.columns.size()) {
    std::vector<std::string> names;
    for (size_t c = 0; c < plan.columns.size(); c++) {
      const std::string& name = plan.columns[c].name;
      names.push_back(name);
      levels[c].build(plan.columns[c].levels);
      plain.push_back(std::none_of(name.begin(), name.end(), [](char x) { return x == '"' || x == '\\' || uint8_t(x) < 0x20; }));
      listed += (c ? ", '" : "'") + name + "'";
    }
    columns.build(names);
    ignored.build(unread);
  }

  int32_t code(size_t column, std::string_view text) const {
    int32_t found = levels[column].find(text);
    return found >= 0 ? found : plan.columns[column].unknown();
  }
};

// What is called with each full block: a reference to a function object that outlives it. It allocates nothing.
class Call {
 public:
  template <class Function, class = std::enable_if_t<!std::is_same_v<Function, Call>>>
  Call(Function& function) : function_(&function), run_([](void* it) { (*static_cast<Function*>(it))(); }) {}
  void operator()() const { run_(function_); }

 private:
  void* function_;
  void (*run_)(void*);
};

// Rows one after the other into a block; a full block goes to `score`, and so does the last one.
class Rows {
 public:
  Rows(const Names& names, Block& block, Call score) : names_(names), block_(block), score_(score) {
    block_.rows = block_.first = 0;
    block_.refusals.clear();
    block_.odd = false;
    std::fill(block_.odd_integers.begin(), block_.odd_integers.end(), uint8_t(0));
  }

  void begin() {
    row_ = block_.rows++;
    block_.clear_row(names_.plan, row_);
    refused_ = false;
    block_.rows_seen++;
  }
  void end() {
    // nothing of a refused row is scored by accident
    if (refused_) block_.clear_row(names_.plan, row_);
    if (block_.rows == block_.capacity) finish();
  }
  void finish() {
    if (block_.rows) score_();
    block_.first += block_.rows;
    block_.rows = 0;
  }

  size_t row() const { return block_.first + row_; }
  // false where the row had this column before
  bool first_time(size_t column) { return std::exchange(block_.seen[column], block_.rows_seen) != block_.rows_seen; }
  void number(size_t column, double value) { block_.number(column)[row_] = value; }
  void boolean(size_t column, bool value) { block_.code(column)[row_] = value; }
  void text(size_t column, std::string_view value) {
    int32_t code = names_.code(column, value);
    block_.code(column)[row_] = code;
    // the only thing about a value that its code does not tell
    if (code == names_.plan.columns[column].unknown() && !(value.size() <= LONGEST_TEXT && is_utf8(value.data(), value.size())))
      doubt();
  }

  // Something that no value tells of: another way of reading may refuse the body for it.
  void doubt() { block_.odd = true; }

  // A number that is whole, though its text is not that of an integer.
  void doubt_integer(size_t column) { block_.odd_integers[column] = true; }

  // Only the first refusal of a row is told, unless the row as a whole is none.
  void refuse_row(const std::string& message) {
    if (refused_) block_.refusals.pop_back();
    refused_ = false;
    add("", message);
  }
  void refuse(std::string_view name, const std::string& message) { add(std::string(name), message); }
  void refuse_value(size_t column, std::string_view found) {
    const Column& of = names_.plan.columns[column];
    add(of.name, std::string("must be ") + ALLOWED[size_t(of.kind)] + ", not " + shown(found));
  }
  void refuse_stranger(std::string_view name) { refuse(name, "must be a column of the model, one of " + names_.listed); }

 private:
  const Names& names_;
  Block& block_;
  Call score_;
  size_t row_ = 0;
  bool refused_ = false;

  void add(std::string name, const std::string& message) {
    if (!refused_) block_.refusals.push_back({row(), BEFORE_COLUMNS, std::move(name), message});
    refused_ = true;
  }
};

}  // namespace fairway
