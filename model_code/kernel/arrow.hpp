// Arrow columns straight into blocks, by the Arrow C data interface: no Arrow library is linked or copied.
#pragma once
#include <memory>

#include "reader.hpp"

extern "C" {
// https://arrow.apache.org/docs/format/CDataInterface.html
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
}

namespace fairway {

inline bool bit(const void* bits, int64_t at) { return static_cast<const uint8_t*>(bits)[at / 8] >> (at % 8) & 1; }

// One column of a batch as this plan's column takes it. Rows are counted from the array's own offset.
class ArrowColumn {
 public:
  ArrowColumn(const Names& names, size_t column, const ArrowSchema& schema, const ArrowArray& array)
      : names_(names), column_(column), format_(schema.format), array_(array) {
    const Kind kind = names.plan.columns[column].kind;
    if (schema.dictionary && kind == Kind::category)
      read_dictionary(*schema.dictionary);
    else if (schema.dictionary || !is_readable(kind))
      throw BodyError("column '" + names.plan.columns[column].name + "' is of the Arrow format " + format_ +
                      (schema.dictionary ? " in a dictionary" : "") + ": must be " + ARROW[size_t(kind)]);
  }

  void fill(Block& block, int64_t from, size_t rows) const {
    if (format_ == "n") return fill_missing(block, rows);
    from += array_.offset;
    switch (names_.plan.columns[column_].kind) {
      case Kind::number:
        fill_numbers(block.number(column_), from, rows);
        break;
      case Kind::boolean:
        fill_codes(block.code(column_), from, rows, [&](int64_t at) { return int32_t(bit(array_.buffers[1], at)); });
        break;
      default:
        if (!dictionary_.empty())
          fill_indices(block.code(column_), from, rows);
        else
          fill_codes(block.code(column_), from, rows, [&](int64_t at) { return names_.code(column_, text(array_, format_, at)); });
    }
  }

 private:
  static constexpr const char* ARROW[] = {"integers and floats", "bool", "string, large_string, or a dictionary of them"};

  const Names& names_;
  size_t column_;
  std::string format_;
  const ArrowArray& array_;
  std::vector<int32_t> dictionary_;  // code of each entry; the last is a null's

  bool is_readable(Kind kind) const {
    if (format_ == "n") return true;
    if (kind == Kind::number) return format_.size() == 1 && std::strchr("cCsSiIlLfg", format_[0]);
    return kind == Kind::boolean ? format_ == "b" : format_ == "u" || format_ == "U";
  }
  int32_t missing() const { return names_.plan.columns[column_].missing(); }
  bool is_null(int64_t at) const { return array_.null_count != 0 && array_.buffers[0] && !bit(array_.buffers[0], at); }

  static std::string_view text(const ArrowArray& array, const std::string& format, int64_t at) {
    auto bytes = static_cast<const char*>(array.buffers[2]);
    auto cut = [&](const auto* offsets) { return std::string_view(bytes + offsets[at], size_t(offsets[at + 1] - offsets[at])); };
    return format == "u" ? cut(static_cast<const int32_t*>(array.buffers[1])) : cut(static_cast<const int64_t*>(array.buffers[1]));
  }

  void read_dictionary(const ArrowSchema& schema) {
    const ArrowArray& values = *array_.dictionary;
    const std::string format = schema.format;
    if (format != "u" && format != "U" && format != "n")
      throw BodyError("column '" + names_.plan.columns[column_].name + "' is a dictionary of the Arrow format " + format + ": must be of text");
    for (int64_t i = 0; i < values.length; i++) {
      int64_t at = i + values.offset;
      bool null = format == "n" || (values.null_count != 0 && values.buffers[0] && !bit(values.buffers[0], at));
      dictionary_.push_back(null ? missing() : names_.code(column_, text(values, format, at)));
    }
    dictionary_.push_back(missing());
  }

  void fill_missing(Block& block, size_t rows) const {
    if (names_.plan.columns[column_].kind == Kind::number)
      std::fill_n(block.number(column_), rows, NAN);
    else
      std::fill_n(block.code(column_), rows, missing());
  }

  template <class Code>
  void fill_codes(int32_t* out, int64_t from, size_t rows, Code code) const {
    for (size_t i = 0; i < rows; i++) out[i] = is_null(from + int64_t(i)) ? missing() : code(from + int64_t(i));
  }

  // Calls `use` with the buffer of numbers as what it is.
  template <class Use>
  void typed(Use use) const {
    const void* data = array_.buffers[1];
    switch (format_[0]) {
      case 'c': return use(static_cast<const int8_t*>(data));
      case 'C': return use(static_cast<const uint8_t*>(data));
      case 's': return use(static_cast<const int16_t*>(data));
      case 'S': return use(static_cast<const uint16_t*>(data));
      case 'i': return use(static_cast<const int32_t*>(data));
      case 'I': return use(static_cast<const uint32_t*>(data));
      case 'l': return use(static_cast<const int64_t*>(data));
      case 'L': return use(static_cast<const uint64_t*>(data));
      case 'f': return use(static_cast<const float*>(data));
      default: return use(static_cast<const double*>(data));
    }
  }

  void fill_numbers(double* out, int64_t from, size_t rows) const {
    typed([&](const auto* values) {
      for (size_t i = 0; i < rows; i++) out[i] = double(values[from + int64_t(i)]);
    });
    if (array_.null_count != 0 && array_.buffers[0])
      for (size_t i = 0; i < rows; i++)
        if (is_null(from + int64_t(i))) out[i] = NAN;
  }

  void fill_indices(int32_t* out, int64_t from, size_t rows) const {
    auto entries = int64_t(dictionary_.size()) - 1;
    typed([&](const auto* indices) {
      for (size_t i = 0; i < rows; i++) {
        auto index = is_null(from + int64_t(i)) ? entries : int64_t(indices[from + int64_t(i)]);
        if (index < 0 || index > entries) throw BodyError("a dictionary index is outside its dictionary");
        out[i] = dictionary_[size_t(index)];
      }
    });
  }
};

// A record batch; a column that it lacks is missing in every row, one that the plan lacks is not read.
class ArrowReader {
 public:
  ArrowReader(const Names& names, const ArrowSchema& schema, const ArrowArray& array) : names_(names), rows_(array.length), offset_(array.offset) {
    if (std::strcmp(schema.format, "+s") != 0) throw BodyError("Arrow format = " + std::string(schema.format) + ": must be +s, a record batch");
    columns_.resize(names.plan.columns.size());
    for (int64_t i = 0; i < schema.n_children; i++) {
      int32_t column = names.columns.find(schema.children[i]->name);
      if (column >= 0) columns_[size_t(column)] = std::make_unique<ArrowColumn>(names, size_t(column), *schema.children[i], *array.children[i]);
    }
  }

  int64_t rows() const { return rows_; }

  void read(Block& block, Call score) const {
    block.refusals.clear();
    for (size_t c = 0; c < columns_.size(); c++)
      if (!columns_[c])
        for (size_t i = 0; i < block.capacity; i++) {
          block.number(c)[i] = NAN;
          block.code(c)[i] = names_.plan.columns[c].missing();
        }
    for (int64_t from = 0; from < rows_; from += int64_t(block.capacity)) {
      block.first = size_t(from);
      block.rows = size_t(std::min<int64_t>(int64_t(block.capacity), rows_ - from));
      for (const auto& column : columns_)
        if (column) column->fill(block, from + offset_, block.rows);
      score();
    }
  }

 private:
  const Names& names_;
  int64_t rows_, offset_;
  std::vector<std::unique_ptr<ArrowColumn>> columns_;
};

}  // namespace fairway
