// A private directory for one test, removed with all that is in it.
// Not for fixtures that stay.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace hanse::test {

class temporary_directory {
public:
  temporary_directory() {
    auto text = (std::filesystem::temp_directory_path() / "hanse-test-XXXXXX").string();
    if (::mkdtemp(text.data())) path_ = text;
  }
  ~temporary_directory() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream{path_ / name} << content;
    return path_ / name;
  }

private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace hanse::test
