// SPDX-License-Identifier: Apache-2.0
//
// What the mutants say of the suite. Half of them may be looked at to choose cases and data: only the other
// half's share is the score.
#ifndef BRAID_CONFORMANCE_MUTANTS_SCORE_H_
#define BRAID_CONFORMANCE_MUTANTS_SCORE_H_

#include <map>
#include <string>
#include <vector>

#include "conformance/mutants/kill.h"

namespace braid::conformance {

struct Score {
  size_t mutants = 0, ours = 0, others = 0;  // how many there are; found by ours, by the other suite
};
// Of the half that scores, or of the other.
Score ScoreOf(const std::vector<Kill>& kills, bool for_score);
std::string Share(size_t part, size_t whole);  // "19 of 20 (95.0%)"

struct ScoreReport {
  std::vector<Kill> kills;
  std::string level;
  bool has_others = false;                     // the other suite ran too
  std::map<std::string, std::string> reasons;  // of mutants that are known to survive
  std::string notes;                           // for the page, below the score
};
std::string ScoreJson(const ScoreReport& report);
// docs/reference/conformance-score.md.
std::string ScorePage(const ScoreReport& report);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_MUTANTS_SCORE_H_
