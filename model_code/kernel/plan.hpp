// The plan file as data, read with every length, index and tree checked: the C++ twin of model_code/plan/read.py, which says why.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace fairway {

// What the bytes of a plan break; becomes PlanCorrupt in Python.
struct PlanError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void need(bool holds, const char* message) {
  if (!holds) throw PlanError(message);
}

constexpr size_t MOST_FEATURES = size_t(1) << 16;  // of one feature set
constexpr size_t MOST_SILENT = 4096;               // features of all sets that are zero for every row: no bytes describe them
constexpr size_t MOST_LINKS = 8;                   // of one member

enum class Kind : uint8_t { number, boolean, category };
enum class Op : uint8_t { replace, indicate, subtract, divide, multiply, add, clip, float32, finite, present };
enum class LinkOp : uint8_t { expit, expit_double, softmax_by_rows, softmax_by_columns, exp, second, calibrate };

struct Column {
  std::string name;
  Kind kind;
  std::vector<std::string> levels;
  size_t known() const { return kind == Kind::boolean ? 2 : levels.size(); }
  int32_t missing() const { return int32_t(known()); }
  int32_t unknown() const { return int32_t(known()) + 1; }
};

struct Step {
  Op op;
  double a, b;
};

struct NumberFeature {
  uint32_t feature, column;
  std::vector<Step> steps;
};

struct Coding {
  uint32_t column;
  bool has_keys;
  std::vector<double> keys;
  std::vector<uint32_t> starts, features, made;  // made: the distinct features
  std::vector<double> values;
  std::vector<uint8_t> allowed;
  size_t codes() const { return allowed.size(); }
};

struct FeatureSet {
  uint32_t width;
  std::vector<NumberFeature> numbers;
  std::vector<Coding> codings;
  size_t made = 0;  // how many of the features a number or a coding makes; the others are zero
};

struct Trees {
  std::vector<double> baseline;
  double divisor = 1;
  uint32_t leaf_width = 1;
  std::vector<uint32_t> roots;
  std::vector<int32_t> feature;
  std::vector<double> threshold;
  std::vector<uint32_t> left, right;
  std::vector<uint8_t> missing_left;
  std::vector<int32_t> category_set;
  std::vector<uint32_t> sets;
  std::vector<double> values;
  size_t outputs() const { return baseline.size(); }
  bool is_leaf(size_t node) const { return feature[node] < 0; }

  bool in_set(int32_t set, double x) const {
    if (!(x >= 0 && x < 256)) return false;
    auto category = uint32_t(x);
    return sets[size_t(set) * 8 + category / 32] >> (category % 32) & 1;
  }
  bool goes_left(size_t node, double x) const {
    if (std::isnan(x)) return missing_left[node];
    return category_set[node] >= 0 ? in_set(category_set[node], x) : x <= threshold[node];
  }
};

enum class ModelKind : uint8_t { constant, linear, trees };

struct Model {
  ModelKind kind;
  std::vector<double> values;  // constant: the outputs; linear: the coefficients, output by output
  std::vector<double> intercept;
  Trees trees;
  size_t outputs = 0;
};

struct Calibrator {
  bool isotonic;
  std::vector<double> x, y;
};

struct Link {
  LinkOp op;
  std::vector<Calibrator> calibrators;
};

struct Member {
  uint32_t features;
  Model model;
  std::vector<Link> links;
};

struct Plan {
  bool classification;
  std::vector<std::string> classes;  // each as JSON text
  std::vector<Column> columns;
  std::vector<FeatureSet> feature_sets;
  std::vector<Member> members;
  size_t width() const { return classification ? classes.size() : 1; }
};

// Takes typed values off the front of the bytes; refuses to read past their end.
class PlanReader {
 public:
  PlanReader(const char* data, size_t size) : at_(data), end_(data + size) {}

  template <class T>
  T value() {
    need(left() >= sizeof(T), "the plan is cut off");
    T out;
    std::memcpy(&out, at_, sizeof(T));
    at_ += sizeof(T);
    return out;
  }
  template <class T>
  std::vector<T> array() {
    auto count = value<uint32_t>();
    need(count <= left() / sizeof(T), "an array of the plan is cut off");
    std::vector<T> out(count);
    if (count) std::memcpy(out.data(), at_, count * sizeof(T));
    at_ += count * sizeof(T);
    return out;
  }
  std::string text() {
    auto bytes = array<char>();
    need(is_utf8(bytes.data(), bytes.size()), "a name of the plan is not UTF-8");
    return {bytes.begin(), bytes.end()};
  }
  template <class Read>
  auto many(Read read) {
    auto count = value<uint32_t>();
    need(count <= left(), "a list of the plan is cut off");
    std::vector<decltype(read())> out;
    for (uint32_t i = 0; i < count; i++) out.push_back(read());
    return out;
  }
  template <class Choice>
  Choice one_of(Choice last) {
    auto index = value<uint8_t>();
    need(index <= uint8_t(last), "a choice that is none in the plan");
    return Choice(index);
  }
  bool flag() {
    auto value = this->value<uint8_t>();
    need(value <= 1, "a choice that is none in the plan");
    return value;
  }
  size_t left() const { return size_t(end_ - at_); }

 private:
  const char *at_, *end_;
};

inline bool ascends(const std::vector<double>& values) {
  for (double value : values)
    if (std::isnan(value)) return false;
  return std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end();
}

inline Column read_column(PlanReader& in) {
  Column column;
  column.name = in.text();
  column.kind = in.one_of(Kind::category);
  column.levels = in.many([&] { return in.text(); });
  need(column.levels.empty() || column.kind == Kind::category, "a column that is no category has levels");
  std::set<std::string> distinct(column.levels.begin(), column.levels.end());
  need(distinct.size() == column.levels.size(), "a column has a level twice");
  return column;
}

inline Coding read_coding(PlanReader& in, const std::vector<Column>& columns, uint32_t width) {
  Coding coding;
  coding.column = in.value<uint32_t>();
  coding.has_keys = in.flag();
  coding.keys = in.array<double>();
  coding.starts = in.array<uint32_t>();
  coding.features = in.array<uint32_t>();
  coding.values = in.array<double>();
  coding.allowed = in.array<uint8_t>();
  need(coding.column < columns.size(), "a coding of a column that is not there");
  const Column& column = columns[coding.column];
  bool number = column.kind == Kind::number;
  need(coding.has_keys == number && (number || coding.keys.empty()), "a column is coded as another kind");
  need(ascends(coding.keys), "the keys of a coding do not ascend");
  size_t codes = (number ? coding.keys.size() : column.known()) + 2;
  need(coding.allowed.size() == codes && coding.starts.size() == codes + 1, "a coding has another number of codes");
  need(coding.starts.front() == 0 && coding.starts.back() == coding.features.size(), "a coding does not cover its values");
  need(coding.features.size() == coding.values.size(), "a coding does not cover its values");
  need(std::is_sorted(coding.starts.begin(), coding.starts.end()), "a coding reaches outside its values");
  for (auto feature : coding.features) need(feature < width, "a coding makes a feature beyond the width");
  return coding;
}

inline FeatureSet read_features(PlanReader& in, const std::vector<Column>& columns) {
  FeatureSet set;
  set.width = in.value<uint32_t>();
  set.numbers = in.many([&] {
    NumberFeature number;
    number.feature = in.value<uint32_t>();
    number.column = in.value<uint32_t>();
    number.steps = in.many([&] {
      Step step{in.one_of(Op::present), in.value<double>(), in.value<double>()};
      need(step.op != Op::clip || step.a <= step.b, "a clip between ends that do not ascend");
      return step;
    });
    need(number.column < columns.size() && columns[number.column].kind == Kind::number, "a number feature of another column");
    return number;
  });
  set.codings = in.many([&] { return read_coding(in, columns, set.width); });
  std::set<uint32_t> made;
  for (const auto& number : set.numbers)
    need(number.feature < set.width && made.insert(number.feature).second, "a feature is made twice or beyond the width");
  for (auto& coding : set.codings) {
    std::set<uint32_t> own(coding.features.begin(), coding.features.end());
    for (auto feature : own) need(made.insert(feature).second, "a feature is made twice");
    coding.made.assign(own.begin(), own.end());
  }
  need(set.width <= MOST_FEATURES, "more features than a plan may have");
  set.made = made.size();
  return set;
}

// Children come after their parent, inside the same tree, and have no other: so every walk ends.
inline void check_nodes(const Trees& trees, size_t features) {
  size_t nodes = trees.feature.size();
  std::vector<uint8_t> has_parent(nodes, 0);
  for (size_t t = 0; t < trees.roots.size(); t++) {
    size_t root = trees.roots[t], end = t + 1 < trees.roots.size() ? trees.roots[t + 1] : nodes;
    need(root < end && end <= nodes && (t > 0 || root == 0), "a root is outside the trees");
    has_parent[root] = 1;
    for (size_t node = root; node < end; node++) {
      need(has_parent[node], "a node that is no tree's");
      if (trees.is_leaf(node)) {
        need(trees.left[node] < trees.values.size() / trees.leaf_width, "a leaf without a value");
        continue;
      }
      need(size_t(trees.feature[node]) < features, "a node on a feature that is not there");
      need(trees.category_set[node] < int64_t(trees.sets.size() / 8), "a node on a category set that is not there");
      for (size_t child : {trees.left[node], trees.right[node]}) {
        need(child > node && child < end && !has_parent[child], "a node's child is outside its tree or has two parents");
        has_parent[child] = 1;
      }
    }
  }
  need(nodes == 0 || !trees.roots.empty(), "nodes without a tree");
}

inline Trees read_trees(PlanReader& in, size_t features) {
  Trees trees;
  trees.baseline = in.array<double>();
  trees.divisor = in.value<double>();
  trees.leaf_width = in.value<uint32_t>();
  trees.roots = in.array<uint32_t>();
  trees.feature = in.array<int32_t>();
  trees.threshold = in.array<double>();
  trees.left = in.array<uint32_t>();
  trees.right = in.array<uint32_t>();
  trees.missing_left = in.array<uint8_t>();
  trees.category_set = in.array<int32_t>();
  trees.sets = in.array<uint32_t>();
  trees.values = in.array<double>();
  size_t nodes = trees.feature.size(), outputs = trees.outputs();
  need(outputs > 0 && (trees.leaf_width == 1 || trees.leaf_width == outputs), "leaves of another width than the outputs");
  need(trees.leaf_width == outputs || trees.roots.size() % outputs == 0, "trees that do not divide among the outputs");
  need(trees.threshold.size() == nodes && trees.left.size() == nodes && trees.right.size() == nodes &&
           trees.missing_left.size() == nodes && trees.category_set.size() == nodes,
       "the arrays of the trees differ in length");
  need(trees.values.size() % trees.leaf_width == 0 && trees.sets.size() % 8 == 0, "leaf values or category sets are cut off");
  check_nodes(trees, features);
  return trees;
}

inline Model read_model(PlanReader& in, size_t features) {
  Model model;
  model.kind = in.one_of(ModelKind::trees);
  if (model.kind == ModelKind::trees) {
    model.trees = read_trees(in, features);
    model.outputs = model.trees.outputs();
    return model;
  }
  model.values = in.array<double>();
  if (model.kind == ModelKind::linear) {
    model.intercept = in.array<double>();
    need(model.values.size() == model.intercept.size() * features, "coefficients for another number of features");
  }
  model.outputs = model.kind == ModelKind::linear ? model.intercept.size() : model.values.size();
  return model;
}

inline Link read_link(PlanReader& in) {
  Link link;
  link.op = in.one_of(LinkOp::calibrate);
  link.calibrators = in.many([&] {
    Calibrator calibrator;
    calibrator.isotonic = in.flag();
    calibrator.x = in.array<double>();
    calibrator.y = in.array<double>();
    need(!calibrator.x.empty() && calibrator.x.size() == calibrator.y.size(), "a calibrator without points");
    need(ascends(calibrator.x) && (calibrator.isotonic || calibrator.x.size() == 1), "the points of a calibrator do not ascend");
    return calibrator;
  });
  return link;
}

inline size_t outputs_after(const Link& link, size_t outputs) {
  size_t count = link.calibrators.size();
  need((count > 0) == (link.op == LinkOp::calibrate), "calibrators where none belong");
  switch (link.op) {
    case LinkOp::calibrate:
      need(count == outputs, "calibrators for another number of outputs");
      return count == 1 ? 2 : count;
    case LinkOp::expit:
    case LinkOp::expit_double:
      need(outputs == 1, "expit of several outputs");
      return 2;
    case LinkOp::second:
      need(outputs == 2, "the second of another number of outputs");
      return 1;
    default:
      need(outputs > 0, "a link without outputs");
      return outputs;
  }
}

// A width is memory for every row, and four bytes name any: so hardly more is taken than the plan describes feature by feature.
inline void check_widths(const std::vector<FeatureSet>& sets) {
  size_t silent = 0;
  for (const auto& set : sets) silent += set.width - set.made;
  need(silent <= MOST_SILENT, "more features than the plan describes");
}

// The body of a plan file, whose hash the caller has checked.
inline Plan read_plan(const char* data, size_t size) {
  PlanReader in(data, size);
  Plan plan;
  plan.classification = !in.flag();
  plan.classes = in.many([&] { return in.text(); });
  for (const auto& label : plan.classes) need(!label.empty(), "a class without a label");
  need(plan.classification != plan.classes.empty(), "the classes do not fit the task");
  plan.columns = in.many([&] { return read_column(in); });
  std::set<std::string> names;
  for (const auto& column : plan.columns) need(names.insert(column.name).second, "a column is named twice");
  plan.feature_sets = in.many([&] { return read_features(in, plan.columns); });
  check_widths(plan.feature_sets);
  plan.members = in.many([&] {
    Member member;
    member.features = in.value<uint32_t>();
    need(member.features < plan.feature_sets.size(), "a model on a feature set that is not there");
    member.model = read_model(in, plan.feature_sets[member.features].width);
    member.links = in.many([&] { return read_link(in); });
    need(member.links.size() <= MOST_LINKS, "more links than a model may have");
    size_t outputs = member.model.outputs;
    for (const auto& link : member.links) outputs = outputs_after(link, outputs);
    need(outputs == plan.width(), "a model gives another number of outputs than the plan");
    return member;
  });
  need(!plan.members.empty() && in.left() == 0, "no model, or bytes left over after the plan");
  return plan;
}

}  // namespace fairway
