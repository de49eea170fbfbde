// Reads JSON twice with nlohmann's parser: once through its SAX interface for lines, duplicates and depth, once for the
// values. Not fast, and need not be: configuration only.
#include "hanse/app/json_document.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

namespace hanse::app {
namespace {

using nlohmann::json;

/// Walks over the text and counts what the parser has taken, which the SAX interface does not tell.
class counting_iterator {
public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  counting_iterator() = default;
  counting_iterator(const char* at, std::size_t* taken) : at_(at), taken_(taken) {}

  reference operator*() const { return *at_; }
  counting_iterator& operator++() {
    ++at_;
    ++*taken_;
    return *this;
  }
  counting_iterator operator++(int) {
    auto before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const counting_iterator& a, const counting_iterator& b) { return a.at_ == b.at_; }

private:
  const char* at_ = nullptr;
  std::size_t* taken_ = nullptr;
};

/// Notes the line of every value. The function names are nlohmann's.
class line_scanner {
public:
  line_scanner(std::string_view text, const std::size_t& taken) : text_(text), taken_(taken) {}

  bool null() { return value(); }
  bool boolean(bool) { return value(); }
  bool number_integer(json::number_integer_t) { return value(); }
  bool number_unsigned(json::number_unsigned_t) { return value(); }
  bool number_float(json::number_float_t, const json::string_t&) { return value(); }
  bool string(json::string_t&) { return value(); }
  bool binary(json::binary_t&) { return value(); }
  bool start_object(std::size_t) { return open(false); }
  bool start_array(std::size_t) { return open(true); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(json::string_t& name) {
    auto& top = stack_.back();
    if (!top.keys.insert(name).second) return fail("the key \"" + name + "\" is there twice");
    top.key = name;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) {
    // nlohmann's text reads "[json.exception.parse_error.101] parse error at line 3, column 5: what it is".
    std::string what = e.what();
    if (auto at = what.find("column "); at != std::string::npos) {
      if (auto colon = what.find(": ", at); colon != std::string::npos) what = what.substr(colon + 2);
    }
    return fail("this is no JSON: " + what);
  }

  std::map<std::string, std::size_t, std::less<>> lines;
  std::string problem;
  std::size_t problem_line = 0;

private:
  struct level {
    bool is_array = false;
    std::size_t next = 0;
    std::string path;
    std::string key;
    std::set<std::string> keys;
  };

  std::size_t line() {
    // After a number the parser has taken one character more than the value, possibly the end of the line.
    auto end = taken_ > 0 ? taken_ - 1 : 0;
    for (; counted_ < end; ++counted_) line_ += text_[counted_] == '\n' ? 1 : 0;
    return line_;
  }

  std::string path_of_next() {
    if (stack_.empty()) return {};
    auto& top = stack_.back();
    if (top.is_array) return top.path + "[" + std::to_string(top.next++) + "]";
    return top.path.empty() ? top.key : top.path + "." + top.key;
  }

  bool value() {
    lines.emplace(path_of_next(), line());
    return true;
  }

  bool open(bool is_array) {
    if (stack_.size() >= json_depth_max) return fail("nested deeper than " + std::to_string(json_depth_max));
    auto path = path_of_next();
    lines.emplace(path, line());
    stack_.push_back({is_array, 0, std::move(path), {}, {}});
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  bool fail(std::string what) {
    problem = std::move(what);
    problem_line = line();
    return false;
  }

  std::string_view text_;
  const std::size_t& taken_;
  std::size_t counted_ = 0;
  std::size_t line_ = 1;
  std::vector<level> stack_;
};

std::string place(const std::filesystem::path& file, std::size_t line) {
  auto text = file.string();
  if (line > 0) text += ":" + std::to_string(line);
  return text;
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      auto swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

} // namespace

expected<json_document> json_document::parse(std::string_view text, const std::filesystem::path& file,
                                             std::size_t size_max) {
  if (text.size() > size_max)
    return error{errc::bad_config, place(file, 0) + ": larger than " + std::to_string(size_max) + " octets"};
  std::size_t taken = 0;
  line_scanner scanner{text, taken};
  counting_iterator begin{text.data(), &taken};
  counting_iterator end{text.data() + text.size(), &taken};
  if (!json::sax_parse(begin, end, &scanner))
    return error{errc::bad_config, place(file, scanner.problem_line) + ": " + scanner.problem};
  json_document document;
  document.file_ = file;
  document.root_ = std::make_shared<const json>(json::parse(text));
  document.lines_ = std::move(scanner.lines);
  return document;
}

json_document json_document::of(json value, std::string label) {
  json_document document;
  document.file_ = std::move(label);
  document.root_ = std::make_shared<const json>(std::move(value));
  return document;
}

json_document json_document::with_root(json root) const {
  auto copy = *this;
  copy.root_ = std::make_shared<const json>(std::move(root));
  return copy;
}

std::size_t json_document::line_of(std::string_view path) const {
  while (true) {
    if (auto i = lines_.find(path); i != lines_.end()) return i->second;
    if (path.empty()) return 0;
    auto cut = path.find_last_of(".[");
    path = cut == std::string_view::npos ? std::string_view{} : path.substr(0, cut);
  }
}

void problem_list::add(const std::string& path, std::string what) {
  auto line = document_->line_of(path);
  auto text = place(document_->file(), line);
  if (!text.empty()) text += ": ";
  if (!path.empty()) text += path + ": ";
  problems_.push_back({line, text + what});
}

error problem_list::to_error() const {
  auto sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  std::string detail;
  for (const auto& p : sorted) detail += (detail.empty() ? "" : "\n") + p.text;
  return {errc::bad_config, std::move(detail)};
}

std::string describe(const json& value) {
  auto short_text = [&] {
    auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() > 40 ? text.substr(0, 40) + "…" : text;
  };
  switch (value.type()) {
  case json::value_t::null:
    return "null";
  case json::value_t::object:
    return "an object";
  case json::value_t::array:
    return "a list";
  case json::value_t::string:
    return "the text " + short_text();
  case json::value_t::boolean:
    return short_text();
  default:
    return "the number " + short_text();
  }
}

std::string closest_word(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  if (word.size() > 64) return best; // nobody meant that
  auto best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    auto distance = edit_distance(word, candidate);
    if (word.size() >= 3 && candidate.starts_with(word)) distance = 1;
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

} // namespace hanse::app
