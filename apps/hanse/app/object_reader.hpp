// Typed, strict access to the keys of a JSON object: wrong types, ranges and unknown keys become problems with a place.
// Not for documents from peers (those are msgpack): for configuration, scenarios and control requests.
#pragma once

#include "hanse/app/json_document.hpp"
#include "hanse/crypto/identity.hpp"

#include <functional>
#include <optional>

namespace hanse::app {

/// Reads one object. Every key that is asked for counts as known; the destructor of nothing checks: call `finish`.
/// A getter that finds a problem adds it to the list and returns the fallback, so that reading goes on.
class object_reader {
public:
  /// Adds a problem if `value` is no object; then every key is missing.
  object_reader(problem_list& problems, const nlohmann::json& value, std::string path);

  bool has(const std::string& key) const;
  std::string path_of(const std::string& key) const;
  void problem(const std::string& key, std::string what);

  /// The raw value, or nullptr.
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json* require(const std::string& key, const std::string& expected);

  std::string text(const std::string& key, std::string fallback = {});
  std::string required_text(const std::string& key);
  /// A text that must be one of `choices`; the first is the fallback.
  std::string choice(const std::string& key, const std::vector<std::string>& choices);
  std::string required_choice(const std::string& key, const std::vector<std::string>& choices);
  std::uint64_t number(const std::string& key, std::uint64_t min, std::uint64_t max, std::uint64_t fallback);
  bool flag(const std::string& key, bool fallback = false);
  std::vector<std::string> texts(const std::string& key);
  /// The text of a JSON object, "{}" if it is not there.
  std::string object_text(const std::string& key);

  /// Calls `use` for the object at `key`, if there is one.
  void object(const std::string& key, const std::function<void(object_reader&)>& use);
  /// Calls `use` for every object of the list at `key`, and checks each one's keys after.
  void each(const std::string& key, const std::function<void(object_reader&)>& use);

  /// The keys of this object in order; does not make them known.
  std::vector<std::string> keys() const;

  /// Adds a problem for every key that nobody asked for.
  void finish();

  const std::string& path() const noexcept { return path_; }
  problem_list& problems() noexcept { return problems_; }

private:
  problem_list& problems_;
  const nlohmann::json* object_;
  std::string path_;
  std::vector<std::string> known_;
};

} // namespace hanse::app
