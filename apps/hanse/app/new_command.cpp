// hanse new engine: writes a project with an engine, its test and a node that hosts it, from apps/templates.
// Overwrites nothing, and builds nothing.
#include "hanse/app/command.hpp"
#include "hanse/app/templates.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/bytes.hpp"
#include "hanse/crypto/hash.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_size_max = 40;

/// Whether `name` fits C++ and a type name in a configuration.
bool fits(const std::string& name) {
  auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= name_size_max && lower(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_'; }) &&
         name.find("__") == name.npos;
}

/// Where the type ids of an engine called `name` begin, after CAF's: drawn from the name, so that two engines in one
/// process hardly ever collide; away from 0, where programs begin, and from 800, where Hanse's own are.
unsigned type_id_offset(const std::string& name) {
  auto drawn_from = blake2b_256(as_byte_view(name)).octets;
  auto drawn = std::to_integer<unsigned>(drawn_from[0]) << 8 | std::to_integer<unsigned>(drawn_from[1]);
  return 2000 + drawn % 550 * 100; // below 57100: ids have 16 bits
}

std::string replaced(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& places) {
  std::string result{text};
  for (const auto& [place, value] : places)
    for (auto at = result.find(place); at != result.npos; at = result.find(place, at + value.size()))
      result.replace(at, place.size(), value);
  return result;
}

expected<unit> write_project(const std::string& name, const fs::path& directory) {
  std::error_code failed;
  if (fs::exists(directory, failed)) return error{errc::already_exists, directory.string() + ": is there already"};
  fs::create_directories(directory, failed);
  if (failed) return error{errc::io_error, directory.string() + ": " + failed.message()};
  for (const auto& file : engine_templates()) {
    auto path = directory / replaced(file.name, {{"NAME", name}});
    auto text =
        replaced(file.text,
                 {{"@NAME@", name}, {"@OFFSET@", std::to_string(type_id_offset(name))}, {"@VERSION@", HANSE_VERSION}});
    HANSE_CHECK(write_new_file(path, text, 0644));
  }
  return ok();
}

void new_engine(command_context& c, const std::string& name, const std::string& out) {
  if (!fits(name))
    return c.misuse("an engine's name has 1 to " + std::to_string(name_size_max) +
                    " of a-z, 0-9 and \"_\" and begins with a letter; found \"" + name + "\"");
  auto directory = out.empty() ? fs::path{name} : fs::path{out};
  if (auto done = write_project(name, directory); !done) return c.fail("make the project", done.error());
  c.print({{"name", name}, {"directory", directory.string()}}, [&] {
    c.out << "made   " << directory.string() << "/ with an engine, its test and a node's configuration\n"
          << "next   cd " << directory.string()
          << " && cmake -B build && cmake --build build && ctest --test-dir build\n";
  });
}

} // namespace

void add_new_commands(CLI::App& program, command_context& context) {
  auto* n = program.add_subcommand("new", "Write the beginning of a project");
  n->require_subcommand(1);
  n->footer("Example:\n  hanse new engine greeter");
  auto* e = n->add_subcommand("engine", "A project with an engine: interface, state, test, plug-in, configuration");
  auto name = std::make_shared<std::string>();
  auto out = std::make_shared<std::string>();
  e->add_option("NAME", *name, "The engine's name: a-z, 0-9 and \"_\"")->required();
  e->add_option("--out", *out, "The directory to make; by default ./NAME")->type_name("DIR");
  e->footer("It builds and passes its test at once where CMake finds Hanse and CAF.\n\n"
            "Example:\n  hanse new engine greeter");
  e->callback([&context, name, out] { new_engine(context, *name, *out); });
}

} // namespace hanse::app
