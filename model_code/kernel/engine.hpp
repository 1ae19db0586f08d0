// One loaded plan, and what its calls need: kept between calls, so that a request allocates next to nothing.
#pragma once
#include <memory>
#include <mutex>

#include "limits.hpp"
#include "score.hpp"

namespace fairway {

constexpr size_t FEW_ROWS = 8;            // what a small body is taken by: its columns then lie side by side in the nearest cache
constexpr size_t SMALL_BODY = 16 * 1024;  // bytes
constexpr size_t MOST_KEPT = 64;          // desks
constexpr size_t LARGEST_KEPT = 8 << 20;  // bytes of a desk's answers: what one huge body needed is given back

// The room for one call; threads that call at once have one each.
struct Desk {
  Block block;
  Scorer::Work work;
  std::vector<double> scores;
  std::string reply;
  Desk(const Scorer& scorer, size_t rows) : block(scorer.plan(), rows), work(scorer, rows) {}

  size_t answer_bytes() const {
    return scores.capacity() * sizeof(double) + reply.capacity() + block.refusals.capacity() * sizeof(Refusal);
  }
};

class Desks {
 public:
  Desks(const Scorer& scorer, size_t rows) : scorer_(scorer), rows_(rows) { free_.reserve(MOST_KEPT); }

  std::unique_ptr<Desk> take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return std::make_unique<Desk>(scorer_, rows_);
    auto desk = std::move(free_.back());
    free_.pop_back();
    return desk;
  }
  void give(std::unique_ptr<Desk> desk) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.size() < MOST_KEPT && desk->answer_bytes() <= LARGEST_KEPT) free_.push_back(std::move(desk));
  }

 private:
  const Scorer& scorer_;
  const size_t rows_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Desk>> free_;
};

struct Engine {
  Scorer scorer;
  Names names;
  std::vector<Limit> limits;  // none until they are given
  bool listed = false;        // a row's scores are answered as a list, not as the last of them
  Desks few, many;

  Engine(Plan plan, const std::vector<std::string>& ignored)
      : scorer(std::move(plan)), names(scorer.plan(), ignored), few(scorer, FEW_ROWS), many(scorer, scorer.block_rows()) {}

  Desks& desks(bool large) { return large ? many : few; }
};

// One refusal a row from the place `from` on: the reader's before the model's, then by column; ascending rows.
inline void keep_first(std::vector<Refusal>& refusals, size_t from) {
  auto begin = refusals.begin() + std::ptrdiff_t(from);
  std::stable_sort(begin, refusals.end(), [](const Refusal& a, const Refusal& b) {
    return a.row != b.row ? a.row < b.row : a.order < b.order;
  });
  auto same = [](const Refusal& a, const Refusal& b) { return a.row == b.row; };
  refusals.erase(std::unique(begin, refusals.end(), same), refusals.end());
}

// read(score) fills the desk's block and calls score() whenever it is full, and at the end: the scores of all rows, NaN for refused.
template <class Read>
void score_all(const Scorer& scorer, Desk& desk, Read read) {
  const size_t width = scorer.plan().width();
  desk.scores.clear();
  size_t kept = 0;  // refusals of the blocks before: a model may refuse one row many times over
  auto score = [&] {
    size_t used = desk.scores.size();
    desk.scores.resize(used + desk.block.rows * width);
    scorer.score(desk.block, desk.work, &desk.scores[used]);
    keep_first(desk.block.refusals, kept);
    kept = desk.block.refusals.size();
  };
  read(score);
  for (const auto& refusal : desk.block.refusals) std::fill_n(&desk.scores[refusal.row * width], width, NAN);
}

}  // namespace fairway
