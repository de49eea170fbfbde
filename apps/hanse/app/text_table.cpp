// Lays out tables and short texts for terminals.
// Knows nothing of wide or combining characters.
#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <cstdio>
#include <ostream>

namespace hanse::app {
namespace {

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, args...);
  return buffer;
}

} // namespace

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string printable(std::string_view text, std::size_t width) {
  std::string result;
  std::size_t columns = 0;
  for (char c : text) {
    auto octet = static_cast<unsigned char>(c);
    auto starts = (octet & 0xc0) != 0x80;
    if (starts && columns == width) return result + "…";
    columns += starts ? 1 : 0;
    result += octet < 0x20 || octet == 0x7f ? '?' : c;
  }
  return result;
}

std::string duration_text(std::uint64_t microseconds) {
  auto us = static_cast<double>(microseconds);
  if (microseconds < 1'000) return format("%.0f µs", us);
  if (microseconds < 100'000) return format("%.1f ms", us / 1e3);
  if (microseconds < 1'000'000) return format("%.0f ms", us / 1e3);
  if (microseconds < 120'000'000) return format("%.2f s", us / 1e6);
  auto seconds = microseconds / 1'000'000;
  return format("%llu min %02llu s", static_cast<unsigned long long>(seconds / 60),
                static_cast<unsigned long long>(seconds % 60));
}

std::string size_text(std::uint64_t octets) {
  if (octets < 1024) return std::to_string(octets) + " B";
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(octets) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return format("%.1f %s", value, units[unit]);
}

text_table::text_table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (auto& h : headings_) {
    right_.push_back(h.starts_with('>'));
    if (right_.back()) h.erase(0, 1);
  }
}

void text_table::add(std::vector<std::string> row) {
  row.resize(headings_.size());
  rows_.push_back(std::move(row));
}

void text_table::print(std::ostream& out, std::string_view indent) const {
  std::vector<std::size_t> widths; // 0: nothing in that column, it is left out
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    std::size_t width = 0;
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width == 0 ? 0 : std::max(width, width_of(headings_[i])));
  }
  auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths[i] == 0) continue;
      std::string pad(widths[i] - width_of(row[i]), ' ');
      line += (line.empty() ? "" : "  ") + (right_[i] ? pad + row[i] : row[i] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << indent << line << '\n';
  };
  print_row(headings_);
  for (const auto& row : rows_) print_row(row);
}

} // namespace hanse::app
