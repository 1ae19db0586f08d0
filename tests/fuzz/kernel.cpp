// libFuzzer on what the kernel reads of strangers: plans and bodies. Without Python: `python -m tests.fuzz` builds and runs it.
// An input's first byte says what it is (see Input), of a body the second which of the plans in FUZZ_PLANS reads it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "within.hpp"

// No interpreter is linked, so numpy is not found and the C library's exp is taken.
extern "C" {
PyObject* PyImport_ImportModule(const char*) { return nullptr; }
PyObject* PyObject_GetAttrString(PyObject*, const char*) { return nullptr; }
void PyErr_Clear() {}
void _Py_Dealloc(PyObject*) {}
}

using namespace fairway;

namespace {

enum Input { a_plan, json, json_lines, csv, csv_with_header, kinds };

constexpr size_t ROWS = 40;           // more than any number of rows that are taken together, and not a multiple of it
const double HOSTILE[] = {0.0, -0.0, NAN, 5e-324, -1e39, 1e308, 3.4028236e38, 0.1, 255.0, 256.0, -1.0, INFINITY};

std::vector<std::unique_ptr<Engine>> engines;

void broken(const char* promise) {
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

Limit without_limit(const Column& column) { return {true, false, -1e300, 1e300, std::vector<uint8_t>(column.known() + 2, 1)}; }

std::unique_ptr<Engine> engine_of(const char* data, size_t size) {
  auto engine = std::make_unique<Engine>(read_plan(data, size), std::vector<std::string>{"unread"});
  for (const auto& column : engine->scorer.plan().columns) engine->limits.push_back(without_limit(column));
  return engine;
}

bool same(const std::vector<double>& some, const std::vector<double>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), [](double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || !std::memcmp(&a, &b, sizeof a);
  });
}

// Every hostile value and every code, from the row `first` on.
void fill(Block& block, const Plan& plan, size_t first, size_t rows) {
  block.rows = rows;
  block.refusals.clear();
  for (size_t c = 0; c < plan.columns.size(); c++)
    for (size_t i = 0; i < rows; i++) {
      block.number(c)[i] = HOSTILE[(first + i + c) % std::size(HOSTILE)];
      block.code(c)[i] = int32_t((first + i + c) % (plan.columns[c].known() + 2));
    }
}

// What a plan that was taken does with them: a row alone is answered as it is among others.
void run(const Engine& engine) {
  const Plan& plan = engine.scorer.plan();
  const size_t width = plan.width();
  Desk desk(engine.scorer, ROWS);
  std::vector<double> together(ROWS * width), alone(ROWS * width);
  fill(desk.block, plan, 0, ROWS);
  engine.scorer.score(desk.block, desk.work, together.data());
  for (size_t i = 0; i < ROWS; i++) {
    fill(desk.block, plan, i, 1);
    engine.scorer.score(desk.block, desk.work, &alone[i * width]);
  }
  if (!same(together, alone)) broken("a row's answer does not depend on the rows beside it");
}

// Trees that masks can answer are answered alike by walking them.
void compare_masks_with_walks(const Plan& plan) {
  Block block(plan, ROWS);
  for (const auto& member : plan.members) {
    const Trees& trees = member.model.trees;
    const FeatureSet& set = plan.feature_sets[member.features];
    const auto masks = member.model.kind == ModelKind::trees ? MaskTrees::build(set, trees, MOST_WORDS) : std::nullopt;
    if (!masks) continue;
    Features features(set, ROWS);
    fill(block, plan, 0, ROWS);
    make_features(plan, set, block, features);
    spread_codes(set, ROWS, features);
    std::vector<double> some(ROWS * trees.outputs()), others(some.size());
    masks->score(features, ROWS, some.data());
    WalkedTrees<double>(trees).score(features, set.width, ROWS, others.data());
    if (!same(some, others)) broken("masks and walks answer alike");
  }
}

void load(const char* data, size_t size) {
  try {
    auto engine = engine_of(data, size);
    run(*engine);
    compare_masks_with_walks(engine->scorer.plan());
  } catch (const PlanError&) {
  }
}

// false where the body is refused as a whole
bool read(const Engine& engine, Desk& desk, Input kind, std::string_view body) {
  try {
    score_all(engine.scorer, desk, [&](Call score) {
      Rows rows(engine.names, desk.block, score);
      if (kind == json)
        JsonReader(engine.names, rows, body).read_instances();
      else if (kind == json_lines)
        JsonReader(engine.names, rows, body).read_lines();
      else
        CsvReader(engine.names, rows, body).read(kind == csv ? Header::none : Header::first_line);
    });
    return true;
  } catch (const BodyError&) {
    return false;
  }
}

// Both ways of reading a body; what the short one answers, the long one must have read without a fault and scored alike.
void answer(const Engine& engine, Input kind, std::string_view body) {
  Desk desk(engine.scorer, FEW_ROWS), other(engine.scorer, FEW_ROWS);
  const bool whole = read(engine, desk, kind, body);
  if (kind == csv_with_header || !reply_within(engine, other, Form(kind - json), body)) return;
  if (kind == csv && desk.scores.size() != other.scores.size()) return;  // its first line named columns
  if (!whole || !desk.block.refusals.empty()) broken("what is answered at once is without fault");
  if (desk.scores.size() != other.scores.size() || !same(desk.scores, other.scores)) broken("both ways score alike");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::getenv("FUZZ_PLANS"))) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::string data(std::istreambuf_iterator<char>(in), {});
    engines.push_back(engine_of(data.data(), data.size()));
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto kind = Input(data[0] % kinds);
  // a copy of the very size: reading beyond it is seen
  const std::vector<char> rest(data + (kind == a_plan ? 1 : 2), data + size);
  if (kind == a_plan)
    load(rest.data(), rest.size());
  else
    answer(*engines[data[1] % engines.size()], kind, {rest.data(), rest.size()});
  return 0;
}
