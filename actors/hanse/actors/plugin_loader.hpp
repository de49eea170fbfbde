// Loads plug-ins (shared objects with engines) into a program. Not what a plug-in includes: plugin.hpp.
// A plug-in is code of this process with all its rights: load only what you would link.
#pragma once

#include "hanse/actors/engine_registry.hpp"

#include <filesystem>

namespace hanse {

inline constexpr std::size_t plugin_file_max = 256u << 20; ///< octets; a guess, far above any with debug information

/// Loads the plug-in at `file`, checks it, and registers its message types with CAF. Call before the first actor_system
/// of the process is made (CAF demands that), after hanse::init_global_meta_objects. A plug-in stays for the life of
/// the process; loading it again does nothing. Errors, each naming the file: `not_found`, `io_error`, `bad_config` (no
/// plug-in, or its type ids are taken), `bad_version` (built for another Hanse, CAF or compiler: refused before any of
/// its code has run).
expected<unit> load_plugin(const std::filesystem::path& file);

/// Adds the engine types of every plug-in that was loaded. Errors: those of engine_registry::add, naming the file.
expected<unit> add_plugin_engines(engine_registry& registry);

/// Compares the stamp of a plug-in with this program's: `bad_version` with one line that names the first difference
/// that matters and what to do. For load_plugin and its test.
expected<unit> check_plugin_stamp(std::string_view stamp);

/// This program's stamp: "key=value" lines.
std::string_view program_stamp() noexcept;

} // namespace hanse
