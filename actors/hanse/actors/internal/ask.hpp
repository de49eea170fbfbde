// How code outside of any actor asks an actor of the node, or ends it, and waits. Not installed.
#pragma once

#include "hanse/actors/caf_compat.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/node.hpp"

namespace hanse::internal {

inline constexpr auto answer_timeout = std::chrono::seconds{30}; ///< of our own actors; they answer at once or are gone

/// Asks an actor of the node from outside of any actor and waits.
template <class Result, class Handle, class... Ts>
expected<Result> ask(const node_core& core, const Handle& handle, Ts&&... xs) {
  caf::scoped_actor self{core.system};
  expected<Result> result = errc::internal;
  auto on_error = [&result](const caf::error& why) { result = to_hanse(why); };
  auto response = compat::request(self.ptr(), handle, answer_timeout, std::forward<Ts>(xs)...);
  core.services->run_actors();
  if constexpr (std::is_same_v<Result, unit>)
    std::move(response).receive([&result] { result = unit{}; }, on_error);
  else
    std::move(response).receive([&result](Result& value) { result = std::move(value); }, on_error);
  return result;
}

/// Tells an actor of the node to stop, and waits until it has.
template <class Handle>
void end(const node_core& core, const Handle& handle) {
  caf::scoped_actor self{core.system};
  compat::send(self.ptr(), handle, stop_atom_v);
  core.services->run_actors();
  self->wait_for(handle);
}

} // namespace hanse::internal
