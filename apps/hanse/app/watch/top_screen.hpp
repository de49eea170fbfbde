// Lays out what an observer saw as lines of text: nodes, links, domains, topics, drops, within a given size.
// Not the terminal (terminal.hpp) and not the asking (observer.hpp).
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace hanse::app {

enum class line_kind : std::uint8_t { plain, title, heading, alarm };

struct screen_line {
  std::string text; ///< at most as wide as asked for
  line_kind kind = line_kind::plain;
};

/// What may be shown; `all` gives every section that has rows its share of the height.
enum class top_section : std::uint8_t { all, nodes, links, domains, topics, drops };

inline constexpr std::size_t top_sections = 6;

/// `height` 0: as many lines as there are; else at most so many, what is cut is counted in "… 12 more".
std::vector<screen_line> draw_top(const nlohmann::json& view, std::size_t width, std::size_t height,
                                  top_section shown = top_section::all, const std::string& hint = {});

} // namespace hanse::app
