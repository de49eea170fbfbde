// What a node drops when its handles cannot watch their engines; for the tests of ways that are no links.
#pragma once

#include "two_nodes.hpp"

/// Handles watch their engines over links: where there is none, the wish to do so is all that was dropped.
inline bool only_watches_dropped(hanse::node& n) {
  auto all = n.services().counters.drops();
  all.erase(std::string{hanse::to_string(hanse::errc::constraint)});
  return all.empty();
}
