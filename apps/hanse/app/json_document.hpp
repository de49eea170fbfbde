// A JSON file with the line of every value, so that what is wrong in it can be pointed at; and the list of problems.
// Not a parser: nlohmann's SAX interface does that. Not the typed access (object_reader.hpp).
#pragma once

#include "hanse/crypto/error.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hanse::app {

inline constexpr std::size_t json_depth_max = 32; ///< nested arrays and objects; a guess, far over any real file
inline constexpr std::size_t json_file_size_max = 1 << 20; ///< octets of a configuration or scenario

/// Parsed JSON and where its values are. Paths read "engines[2].parameters.size"; the root's path is "".
class json_document {
public:
  /// Reads `text`; `file` is for messages. Errors: `bad_config` with "FILE:LINE: …" for what is no JSON, for a key that
  /// is there twice, and for too deep nesting.
  static expected<json_document> parse(std::string_view text, const std::filesystem::path& file,
                                       std::size_t size_max = json_file_size_max);

  /// A value that came from elsewhere (a control request): no lines; `label` is for messages and may be empty.
  static json_document of(nlohmann::json value, std::string label);

  const nlohmann::json& root() const noexcept { return *root_; }
  const std::filesystem::path& file() const noexcept { return file_; }

  /// The line of the value at `path`, or of the closest value around it; 0 if there are no lines.
  std::size_t line_of(std::string_view path) const;

  /// The same document with other content: lines stay those of the text. For variables that were put in.
  json_document with_root(nlohmann::json root) const;

private:
  json_document() = default;

  std::filesystem::path file_;
  std::shared_ptr<const nlohmann::json> root_;
  std::map<std::string, std::size_t, std::less<>> lines_;
};

/// What is wrong in one document, collected so that a person sees all of it at once.
class problem_list {
public:
  explicit problem_list(const json_document& document) : document_(&document) {}

  void add(const std::string& path, std::string what);
  bool empty() const noexcept { return problems_.empty(); }
  const json_document& document() const noexcept { return *document_; }

  /// `bad_config`; one problem a line, in the order of the file: "FILE:LINE: path: what".
  error to_error() const;

private:
  struct problem {
    std::size_t line;
    std::string text;
  };

  const json_document* document_;
  std::vector<problem> problems_;
};

/// "text", "number", "object", … as messages call the type of `value`, with the value itself if it is short.
std::string describe(const nlohmann::json& value);

/// The one of `known` that is closest to `word`, or "" if none is close enough to be meant.
std::string closest_word(std::string_view word, const std::vector<std::string>& known);

} // namespace hanse::app
