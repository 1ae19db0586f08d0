// CSV bodies straight into blocks: RFC 4180, quoted cells may hold commas, line ends and doubled quotes.
#pragma once
#include "reader.hpp"

namespace fairway {

enum class Header { none, first_line, if_it_names_columns };

constexpr size_t LONGEST_CELL = 131072;  // characters, as in Python's csv

// What domain/contract/text.py takes as the text of an integer; any other number is in doubt where one is wanted.
inline bool is_integer_text(std::string_view text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+'), digits = 0;
  for (; at < text.size() && is_digit(text[at]); at++) digits++;
  if (digits == 0 || digits > 17) return false;
  if (at < text.size() && text[at] == '.') at = std::min(text.find_first_not_of('0', at + 1), text.size());
  return at == text.size();
}

class CsvReader {
 public:
  CsvReader(const Names& names, Rows& rows, std::string_view body)
      : names_(names), rows_(rows), at_(body.data()), end_(at_ + body.size()) {
    if (!is_utf8(at_, body.size())) throw BodyError("the body is not CSV: it is not UTF-8");
    if (body.substr(0, 3) == "\xEF\xBB\xBF") at_ += 3;  // the mark that some programs begin a file with
  }

  void read(Header header) {
    for (size_t c = 0; c < names_.plan.columns.size(); c++) order_.push_back(int32_t(c));
    if (header != Header::none && next_line() && (header == Header::first_line || names_columns())) read_header();
    while (next_line()) read_row();
    rows_.finish();
  }

 private:
  const Names& names_;
  Rows& rows_;
  const char *at_, *end_;
  std::vector<int32_t> order_;  // the column of each cell, -1 for one that is not read
  std::string unquoted_;
  bool line_ended_ = false;

  bool next_line() {
    while (at_ < end_ && (*at_ == '\n' || *at_ == '\r')) at_++;
    line_ended_ = false;
    return at_ < end_;
  }

  // Whether the line at the cursor holds nothing but names; the cursor stays.
  bool names_columns() {
    const char* from = at_;
    bool all = true;
    while (!line_ended_) {
      std::string_view name = cell();
      all = all && (names_.columns.find(name) >= 0 || names_.ignored.find(name) >= 0);
    }
    at_ = from;
    line_ended_ = false;
    return all;
  }

  void read_header() {
    order_.clear();
    std::set<std::string> names;
    while (!line_ended_) {
      std::string name(cell());
      int32_t column = names_.columns.find(name);
      if (!names.insert(name).second || (column < 0 && names_.ignored.find(name) < 0))
        throw BodyError("the header names '" + shown(name) + "': must name each of " + names_.listed + " once");
      order_.push_back(column);
    }
  }

  void read_row() {
    rows_.begin();
    size_t cells = 0;
    for (; !line_ended_; cells++) {
      std::string_view text = cell();
      if (cells < order_.size() && order_[cells] >= 0) read_cell(size_t(order_[cells]), text);
    }
    if (cells != order_.size())
      rows_.refuse_row("cells = " + std::to_string(cells) + ": must be " + std::to_string(order_.size()));
    rows_.end();
  }

  void read_cell(size_t column, std::string_view text) {
    if (text.empty()) return;
    const Kind kind = names_.plan.columns[column].kind;
    if (kind == Kind::category) return rows_.text(column, text);
    if (kind == Kind::boolean) {
      int truth = as_boolean(text);
      if (truth >= 0) return rows_.boolean(column, truth);
    } else {
      double number;
      const char* p = text.data();
      if (parse_number(p, p + text.size(), Grammar::csv, number) == Parsed::number && p == text.data() + text.size()) {
        if (number == std::floor(number) && !is_integer_text(text)) rows_.doubt_integer(column);
        return rows_.number(column, number);
      }
    }
    rows_.refuse_value(column, text);
  }

  static int as_boolean(std::string_view text) {
    std::string lower(text.substr(0, 6));
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
    for (const char* word : {"true", "t", "yes", "1"})
      if (lower == word) return 1;
    for (const char* word : {"false", "f", "no", "0"})
      if (lower == word) return 0;
    return -1;
  }

  // One cell, and the comma or line end behind it.
  std::string_view cell() {
    std::string_view text = at_ < end_ && *at_ == '"' ? quoted() : bare();
    if (text.size() > LONGEST_CELL && characters(text) > LONGEST_CELL) throw BodyError("the body is not CSV: a cell of more than 131,072 characters");
    line_ended_ = at_ == end_ || *at_ != ',';
    if (at_ < end_ && *at_ != ',' && *at_ != '\n' && *at_ != '\r') throw BodyError("the body is not CSV: text after a closing quote");
    if (!line_ended_) at_++;
    return text;
  }
  std::string_view bare() {
    const char* from = at_;
    while (at_ < end_ && *at_ != ',' && *at_ != '\n' && *at_ != '\r') at_++;
    return {from, size_t(at_ - from)};
  }
  std::string_view quoted() {
    const char* from = ++at_;
    bool doubled = false;
    for (;; at_ += 2, doubled = true) {
      at_ = static_cast<const char*>(std::memchr(at_, '"', size_t(end_ - at_)));
      if (!at_) throw BodyError("the body is not CSV: a quoted cell has no end");
      if (at_ + 1 == end_ || at_[1] != '"') break;
    }
    std::string_view text(from, size_t(at_++ - from));
    if (!doubled) return text;
    unquoted_.clear();
    for (size_t i = 0; i < text.size(); i += 1 + (text[i] == '"')) unquoted_.push_back(text[i]);
    return unquoted_;
  }
};

}  // namespace fairway
