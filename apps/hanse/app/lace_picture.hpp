// A domain's blocklace as a picture: creators as lanes, blocks by height, merges, equivocations in red; and members.
// From what the control command `domain_graph` answers. Not the layout of large graphs: at most 2,000 blocks.
#pragma once

#include "hanse/domains/lace_drawing.hpp"

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hanse::app {

/// creators, blocks and left_out of what the control command `domain_graph` answers.
nlohmann::json json_of(const lace_drawing& drawing, const std::function<std::string(const identity&)>& name_of);

/// `format`: dot (Graphviz), svg, or html (stands alone, light and dark, with a table of members).
std::string draw_lace(const nlohmann::json& graph, const std::string& format);

} // namespace hanse::app
