// What a plug-in (a shared object with engines) says about itself: include it in one file of the plug-in and write
// HANSE_PLUGIN there. Not the loading side: plugin_loader.hpp. docs/plugins.md explains both.
#pragma once

#include "hanse/actors/build_stamp.hpp"
#include "hanse/actors/engine_registry.hpp"

#include <caf/config.hpp>
#include <caf/init_global_meta_objects.hpp>

namespace hanse {

/// The entry point of a plug-in, under the symbol `hanse_plugin`. Its layout is part of the stamp.
struct plugin_entry {
  caf::type_id_t first_type_id;                         ///< of the plug-in's own block
  caf::type_id_t end_type_id;                           ///< one past its last; equal to the first: it has none
  void (*register_types)();                             ///< called once, before the first actor_system
  expected<unit> (*register_engines)(engine_registry&); ///< called for each registry
};

/// For a plug-in without own message types: HANSE_PLUGIN(hanse::no_type_ids, …).
struct no_type_ids {
  static constexpr caf::type_id_t begin = 0, end = 0;
};

template <class Block>
void register_plugin_types() {
  if constexpr (Block::begin != Block::end) caf::init_global_meta_objects<Block>();
}

} // namespace hanse

#define HANSE_STAMP_TEXT_(x) #x
#define HANSE_STAMP_TEXT(x) HANSE_STAMP_TEXT_(x)

#if defined(_GLIBCXX_RELEASE)
#define HANSE_STAMP_LIBRARY                                                                                            \
  "libstdc++ " HANSE_STAMP_TEXT(_GLIBCXX_RELEASE) " abi " HANSE_STAMP_TEXT(_GLIBCXX_USE_CXX11_ABI)
#else
#define HANSE_STAMP_LIBRARY "libc++ " HANSE_STAMP_TEXT(_LIBCPP_VERSION)
#endif

#if defined(_GLIBCXX_DEBUG)
#define HANSE_STAMP_CHECKS "debug containers"
#elif defined(__SANITIZE_ADDRESS__)
#define HANSE_STAMP_CHECKS "address sanitizer"
#elif defined(__SANITIZE_THREAD__)
#define HANSE_STAMP_CHECKS "thread sanitizer"
#else
#define HANSE_STAMP_CHECKS "none"
#endif

/// How the loader finds the stamp in the file, before any code of the plug-in runs.
#define HANSE_STAMP_MARK "hanse-plugin-stamp-1\n"

/// What plug-in and program must have in common: "key=value" lines.
#define HANSE_STAMP_LINES                                                                                              \
  "hanse=" HANSE_BUILD_VERSION "\n"                                                                                    \
  "headers=" HANSE_BUILD_HEADERS "\n"                                                                                  \
  "caf=" HANSE_STAMP_TEXT(CAF_VERSION) "\n"                                                                            \
                                       "type_ids=" HANSE_STAMP_TEXT(                                                   \
                                           HANSE_TYPE_ID_START) "\n"                                                   \
                                                                "compiler_abi=" HANSE_STAMP_TEXT(                      \
                                                                    __GXX_ABI_VERSION) "\n"                            \
                                                                                       "library=" HANSE_STAMP_LIBRARY  \
                                                                                       "\n"                            \
                                                                                       "checks=" HANSE_STAMP_CHECKS    \
                                                                                       "\n"

/// Makes a shared object a plug-in. `block`: the CAF type-id block of its message types. The rest: a callable that
/// takes an `engine_registry&`, adds the engine types and returns `expected<unit>`; it may not capture. In the global
/// namespace, once.
#define HANSE_PLUGIN(block, ...)                                                                                       \
  extern "C" {                                                                                                         \
  extern const char hanse_plugin_stamp[];                                                                              \
  [[gnu::used]] const char hanse_plugin_stamp[] = HANSE_STAMP_MARK HANSE_STAMP_LINES;                                  \
  extern const hanse::plugin_entry hanse_plugin;                                                                       \
  [[gnu::used]] const hanse::plugin_entry hanse_plugin{block::begin, block::end, &hanse::register_plugin_types<block>, \
                                                       __VA_ARGS__};                                                   \
  }
