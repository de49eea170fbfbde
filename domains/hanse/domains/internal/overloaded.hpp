// Several lambdas as one visitor of a variant. Not installed.
#pragma once

namespace hanse {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>; // Clang 14 needs it

} // namespace hanse
