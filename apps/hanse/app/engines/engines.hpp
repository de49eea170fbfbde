// Registers the program's own engines: echo, calculator, caller, counter, file_sender, file_receiver.
#pragma once

#include "hanse/actors/engine_registry.hpp"

namespace hanse::engines {

/// Call once per program, before the first actor_system, beside hanse::init_global_meta_objects.
void init_global_meta_objects();

/// A registry with the engines above.
engine_registry builtin();

} // namespace hanse::engines
