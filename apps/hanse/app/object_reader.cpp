// Implements the strict object reader over nlohmann's values.
// Not more than lookups and messages; see object_reader.hpp.
#include "hanse/app/object_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

} // namespace

object_reader::object_reader(problem_list& problems, const json& value, std::string path)
    : problems_(problems), object_(&value), path_(std::move(path)) {
  if (!value.is_object()) {
    problems_.add(path_, "expected an object, found " + describe(value));
    object_ = nullptr;
  }
}

bool object_reader::has(const std::string& key) const {
  return object_ && object_->contains(key);
}

std::string object_reader::path_of(const std::string& key) const {
  return path_.empty() || key.empty() ? path_ + key : path_ + "." + key;
}

void object_reader::problem(const std::string& key, std::string what) {
  problems_.add(path_of(key), std::move(what));
}

const json* object_reader::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  if (!object_) return nullptr;
  auto i = object_->find(key);
  return i == object_->end() ? nullptr : &*i;
}

const json* object_reader::require(const std::string& key, const std::string& expected) {
  auto* value = find(key);
  if (!value && object_) problems_.add(path_, "the key \"" + key + "\" is missing; expected " + expected);
  return value;
}

std::string object_reader::text(const std::string& key, std::string fallback) {
  auto* value = find(key);
  if (!value) return fallback;
  if (value->is_string()) return value->get<std::string>();
  problem(key, "expected a text, found " + describe(*value));
  return fallback;
}

std::string object_reader::required_text(const std::string& key) {
  auto* value = require(key, "a text");
  if (!value) return {};
  auto result = text(key);
  if (value->is_string() && result.empty()) problem(key, "expected a text, found an empty one");
  return result;
}

std::string object_reader::choice(const std::string& key, const std::vector<std::string>& choices) {
  auto value = text(key, choices.front());
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  auto close = closest_word(value, choices);
  problem(key, "expected " + join(choices) + ", found \"" + value + "\"" +
                   (close.empty() ? "" : "; did you mean \"" + close + "\"?"));
  return choices.front();
}

std::string object_reader::required_choice(const std::string& key, const std::vector<std::string>& choices) {
  require(key, join(choices));
  return choice(key, choices);
}

std::uint64_t object_reader::number(const std::string& key, std::uint64_t min, std::uint64_t max,
                                    std::uint64_t fallback) {
  auto* value = find(key);
  if (!value) return fallback;
  auto in_range =
      value->is_number_unsigned() && value->get<std::uint64_t>() >= min && value->get<std::uint64_t>() <= max;
  if (in_range) return value->get<std::uint64_t>();
  problem(key, "expected a whole number from " + std::to_string(min) + " to " + std::to_string(max) + ", found " +
                   describe(*value));
  return fallback;
}

bool object_reader::flag(const std::string& key, bool fallback) {
  auto* value = find(key);
  if (!value) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  problem(key, "expected true or false, found " + describe(*value));
  return fallback;
}

std::vector<std::string> object_reader::texts(const std::string& key) {
  auto* value = find(key);
  if (!value) return {};
  if (!value->is_array()) {
    problem(key, "expected a list of texts, found " + describe(*value));
    return {};
  }
  std::vector<std::string> result;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const auto& item = (*value)[i];
    if (item.is_string())
      result.push_back(item.get<std::string>());
    else
      problem(key + "[" + std::to_string(i) + "]", "expected a text, found " + describe(item));
  }
  return result;
}

std::string object_reader::object_text(const std::string& key) {
  auto* value = find(key);
  if (!value) return "{}";
  if (value->is_object()) return value->dump(-1, ' ', false, json::error_handler_t::replace);
  problem(key, "expected an object, found " + describe(*value));
  return "{}";
}

void object_reader::object(const std::string& key, const std::function<void(object_reader&)>& use) {
  auto* value = find(key);
  if (!value) return;
  object_reader inner{problems_, *value, path_of(key)};
  if (!inner.object_) return;
  use(inner);
  inner.finish();
}

void object_reader::each(const std::string& key, const std::function<void(object_reader&)>& use) {
  auto* value = find(key);
  if (!value) return;
  if (!value->is_array()) {
    problem(key, "expected a list of objects, found " + describe(*value));
    return;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    object_reader inner{problems_, (*value)[i], path_of(key) + "[" + std::to_string(i) + "]"};
    if (!inner.object_) continue;
    use(inner);
    inner.finish();
  }
}

std::vector<std::string> object_reader::keys() const {
  std::vector<std::string> result;
  if (object_)
    for (const auto& [key, value] : object_->items()) result.push_back(key);
  return result;
}

void object_reader::finish() {
  for (const auto& key : keys()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    auto close = closest_word(key, known_);
    auto known = known_;
    std::sort(known.begin(), known.end());
    problem(key, "unknown key; " + (close.empty() ? "known here: " + join(known) : "did you mean \"" + close + "\"?"));
  }
}

} // namespace hanse::app
