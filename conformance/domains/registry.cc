// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "conformance/case/domain.h"

namespace braid::conformance {

const DomainEntry* FindDomain(std::string_view domain, std::string_view op) {
  static const auto* const kAll = [] {
    auto* all = new std::map<std::pair<std::string_view, std::string_view>, const DomainEntry*>;
    for (const auto family :
         {PointwiseDomains, LogicDomains, ReductionDomains, MovementDomains, IndexingDomains, ShapeDomains,
          ProductDomains, ConvolutionDomains, NormalizationDomains, RecurrentDomains, AttentionDomains,
          QuantizeDomains, ImageDomains, SignalDomains, TextDomains, LossDomains, MlDomains, ControlDomains,
          RandomDomains})
      for (const DomainEntry& entry : family()) all->emplace(std::pair(entry.domain, entry.op), &entry);
    return all;
  }();
  const auto at = kAll->find({domain, op});
  return at == kAll->end() ? nullptr : at->second;
}

}  // namespace braid::conformance
