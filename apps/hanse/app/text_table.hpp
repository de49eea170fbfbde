// Tables for people: columns as wide as their content, numbers to the right.
// Not for machines; those get --json.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace hanse::app {

/// A table that is filled row by row and printed at once. A heading that begins with ">" aligns its column right; a
/// column with nothing in it is left out.
class text_table {
public:
  explicit text_table(std::vector<std::string> headings);

  void add(std::vector<std::string> row);
  bool empty() const noexcept { return rows_.empty(); }
  void print(std::ostream& out, std::string_view indent = "") const;

private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// Characters of UTF-8 `text`; every one is taken to be one column wide.
std::size_t width_of(std::string_view text) noexcept;

/// `text` without control characters and at most `width` wide: names come from peers and must not move the cursor.
std::string printable(std::string_view text, std::size_t width = std::string_view::npos);

/// "850 ms", "12.3 s", "2 min 05 s".
std::string duration_text(std::uint64_t microseconds);

/// "12 B", "3.4 KiB", "5.0 MiB".
std::string size_text(std::uint64_t octets);

} // namespace hanse::app
