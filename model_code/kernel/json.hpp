// JSON bodies straight into blocks, without a document in between. Strict: what json.loads refuses, this refuses.
#pragma once
#include "reader.hpp"

namespace fairway {

class JsonReader {
 public:
  JsonReader(const Names& names, Rows& rows, std::string_view body)
      : names_(names), rows_(rows), start_(body.data()), at_(start_), end_(start_ + body.size()) {
    if (!is_utf8(start_, body.size())) throw BodyError("the body is not JSON: it is not UTF-8");
  }

  // {"instances": [{column: value, ...}, ...]}, further members are skipped
  void read_instances() {
    bool found = false;
    space();
    if (peek() != '{') fail(SHAPE);
    next_member_or('}', true);
    while (!closed_) {
      std::string_view name = string();
      colon();
      if (name != "instances") {
        skip_value();
      } else if (found || peek() != '[') {
        fail(SHAPE);
      } else {
        found = true;
        read_rows();
      }
      next_member_or('}', false);
    }
    space();
    if (at_ != end_) broken("nothing after the end");
    if (!found) fail(SHAPE);
    rows_.finish();
  }

  // One object a line; empty lines are skipped.
  void read_lines() {
    const char* last = end_;
    while (at_ < last) {
      auto newline = static_cast<const char*>(std::memchr(at_, '\n', size_t(last - at_)));
      end_ = newline ? newline : last;
      space();
      if (at_ < end_) {
        read_row();
        space();
        if (at_ != end_) broken("one value a line");
      }
      at_ = end_ + (newline != nullptr);
    }
    rows_.finish();
  }

 private:
  static constexpr const char* SHAPE = "the body must be {\"instances\": [{column: value, ...}, ...]}";
  static constexpr size_t DEEPEST = 64;  // of what is skipped

  const Names& names_;
  Rows& rows_;
  const char *start_, *at_, *end_;
  std::string unescaped_;
  bool closed_ = false;

  [[noreturn]] void fail(const std::string& message) const { throw BodyError(message); }
  [[noreturn]] void broken(const char* expected) const {
    std::string found = at_ < end_ ? shown(std::string_view(at_, std::min<size_t>(size_t(end_ - at_), 12))) : "the end";
    fail("the body is not JSON: at byte " + std::to_string(at_ - start_) + " found " + found + ", expected " + expected);
  }
  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) at_++;
  }
  char peek() const { return at_ < end_ ? *at_ : '\0'; }

  // After an opening bracket (`first`) or a value: moves to the next member, or past the closing bracket.
  void next_member_or(char close, bool first) {
    if (first) at_++;
    space();
    closed_ = peek() == close && at_ < end_;
    if (closed_) {
      at_++;
      return;
    }
    if (!first) {
      if (peek() != ',') broken(close == '}' ? "',' or '}'" : "',' or ']'");
      at_++;
      space();
    }
  }
  void colon() {
    space();
    if (peek() != ':') broken("':'");
    at_++;
    space();
  }

  void read_rows() {
    next_member_or(']', true);
    while (!closed_) {
      read_row();
      next_member_or(']', false);
    }
    closed_ = false;
  }

  void read_row() {
    rows_.begin();
    if (peek() != '{') {
      const char* value = at_;
      skip_value();
      rows_.refuse_row("must be an object of column names to values, not " + shown({value, size_t(at_ - value)}));
    } else {
      size_t expected = 0;
      next_member_or('}', true);
      while (!closed_) {
        expected = read_member(expected);
        next_member_or('}', false);
      }
    }
    closed_ = false;
    rows_.end();
  }

  // -> the column that is likely next: clients write every row in the same order
  size_t read_member(size_t expected) {
    int32_t column;
    std::string_view name;
    if (expected < names_.plan.columns.size() && is_next(names_.plan.columns[expected].name) && names_.plain[expected]) {
      name = names_.plan.columns[expected].name;
      column = int32_t(expected);
      at_ += name.size() + 2;
    } else {
      name = string();
      column = names_.columns.find(name);
    }
    if (column >= 0) {
      if (!rows_.first_time(size_t(column))) rows_.refuse(name, "must be given once");
      colon();
      read_value(size_t(column));
      return size_t(column) + 1;
    }
    if (names_.ignored.find(name) < 0) rows_.refuse_stranger(name);
    colon();
    skip_value();
    return expected;
  }
  bool is_next(const std::string& name) const {
    return size_t(end_ - at_) > name.size() + 1 && *at_ == '"' && at_[name.size() + 1] == '"' &&
           !std::memcmp(at_ + 1, name.data(), name.size());
  }

  void read_value(size_t column) {
    const Kind kind = names_.plan.columns[column].kind;
    const char* value = at_;
    if (peek() == '"' && kind == Kind::category) {
      rows_.text(column, string());
      return;
    }
    if (kind == Kind::number && (peek() == '-' || is_digit(peek()))) {
      double number;
      auto parsed = parse_number(at_, end_, Grammar::json, number);
      if (parsed == Parsed::number) return rows_.number(column, number);
      if (parsed == Parsed::too_large) return rows_.refuse_value(column, {value, size_t(at_ - value)});
    }
    if (peek() == 'n') return literal("null");
    skip_value();
    if (kind == Kind::boolean && (*value == 't' || *value == 'f'))
      rows_.boolean(column, *value == 't');
    else
      rows_.refuse_value(column, {value, size_t(at_ - value)});
  }

  void literal(const char* text) {
    size_t size = std::strlen(text);
    if (size_t(end_ - at_) < size || std::memcmp(at_, text, size)) {
      for (const char* name : {"NaN", "Infinity"})
        if (size_t(end_ - at_) >= std::strlen(name) && !std::memcmp(at_, name, std::strlen(name)))
          fail(std::string(name) + " is not JSON: send null for a missing value");
      broken("a value");
    }
    at_ += size;
  }

  void scalar() {
    switch (peek()) {
      case '"':
        string();
        return;
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case '-':
      case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
        double number;
        auto parsed = parse_number(at_, end_, Grammar::json, number);
        if (parsed == Parsed::none) {
          if (end_ - at_ > 8 && !std::memcmp(at_, "-Infinity", 9)) fail("-Infinity is not JSON: send null for a missing value");
          broken("a value");
        }
        if (parsed == Parsed::too_large) rows_.doubt();  // Python reads no integer of more than 4,300 digits
        return;
      }
      default:
        return literal("null");
    }
  }

  // Any value, checked but not kept; without recursion, so that no body can exhaust the stack.
  void skip_value() {
    std::string open;
    for (;;) {
      char c = peek();
      if (c == '{' || c == '[') {
        if (open.size() == DEEPEST) fail("the body nests deeper than " + std::to_string(DEEPEST));
        open.push_back(c == '{' ? '}' : ']');
        next_member_or(open.back(), true);
        if (!closed_) {
          skip_name(open);
          continue;
        }
        open.pop_back();
      } else {
        scalar();
      }
      do {
        if (open.empty()) {
          closed_ = false;
          return;
        }
        next_member_or(open.back(), false);
        if (closed_) open.pop_back();
      } while (closed_);
      skip_name(open);
    }
  }
  void skip_name(const std::string& open) {
    if (open.back() != '}') return;
    string();
    colon();
  }

  // The string at the cursor, which must be on its opening quote; the view holds until the next string is read.
  std::string_view string() {
    if (peek() != '"') broken("a string");
    const char* from = ++at_;
    while (at_ < end_ && *at_ != '"' && *at_ != '\\' && uint8_t(*at_) >= 0x20) at_++;
    if (peek() == '"') return {from, size_t(at_++ - from)};
    unescaped_.assign(from, at_);
    while (at_ < end_ && *at_ != '"') {
      if (uint8_t(*at_) < 0x20) broken("no control character in a string");
      if (*at_ == '\\')
        escape();
      else
        unescaped_.push_back(*at_++);
    }
    if (at_ == end_) broken("'\"'");
    at_++;
    return unescaped_;
  }
  void escape() {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = ++at_ < end_ ? *at_ : '\0';
    if (c == 'u') return unicode();
    const char* place = c ? std::strchr(from, c) : nullptr;
    if (!place) broken("an escape");
    unescaped_.push_back(to[place - from]);
    at_++;
  }
  void unicode() {
    uint32_t point = hex();
    if (point >= 0xD800 && point < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      const char* after_high = at_++;
      uint32_t low = hex();
      if (low >= 0xDC00 && low < 0xE000)
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      else
        at_ = after_high;
    }
    // half of a surrogate pair is no character: it is kept in the bytes that Python would write for it
    append(point);
  }
  uint32_t hex() {  // at_ is on the 'u'
    if (end_ - at_ < 5) broken("four hexadecimal digits");
    uint32_t out = 0;
    auto result = std::from_chars(at_ + 1, at_ + 5, out, 16);
    if (result.ptr != at_ + 5 || at_[1] == '-') broken("four hexadecimal digits");
    at_ += 5;
    return out;
  }
  void append(uint32_t point) {
    if (point < 0x80) {
      unescaped_.push_back(char(point));
    } else if (point < 0x800) {
      unescaped_ += {char(0xC0 | point >> 6), char(0x80 | (point & 0x3F))};
    } else if (point < 0x10000) {
      unescaped_ += {char(0xE0 | point >> 12), char(0x80 | (point >> 6 & 0x3F)), char(0x80 | (point & 0x3F))};
    } else {
      unescaped_ += {char(0xF0 | point >> 18), char(0x80 | (point >> 12 & 0x3F)), char(0x80 | (point >> 6 & 0x3F)),
                     char(0x80 | (point & 0x3F))};
    }
  }
};

}  // namespace fairway
