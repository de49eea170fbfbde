// Engines by the name of their type, for nodes that are made from a configuration. Not plug-in loading, and not needed
// by programs that call node::spawn_engine themselves.
#pragma once

#include "hanse/actors/node.hpp"

namespace hanse {

inline constexpr std::size_t engine_types_max = 1024; ///< a guess

/// Maps type names to what spawns them. Not thread-safe while being changed.
class engine_registry {
public:
  /// Spawns an engine on `n`; `parameters` is the text of a JSON object. Errors: `bad_config`, those of spawn_engine.
  using factory = std::function<expected<identity>(node& n, engine_options options, const std::string& parameters)>;

  /// Errors: `already_exists`, `table_full`.
  expected<unit> add(std::string type, factory make);

  /// Registers `State` under `type`. Its constructor takes (pointer self, engine_context, std::string parameters), or
  /// fewer of these from the front. A state that cannot work with its parameters says so in `static expected<unit>
  /// check(const std::string& parameters)`, if it has one.
  template <class Interface, class State>
  expected<unit> add(std::string type) {
    return add(std::move(type),
               [](node& n, engine_options options, const std::string& parameters) -> expected<identity> {
                 if constexpr (requires { State::check(parameters); }) HANSE_CHECK(State::check(parameters));
                 using impl = typename Interface::template stateful_impl<State>;
                 if constexpr (std::is_constructible_v<State, impl*, engine_context, std::string>)
                   return id_of(n.spawn_engine<Interface, State>(std::move(options), parameters));
                 else
                   return id_of(n.spawn_engine<Interface, State>(std::move(options)));
               });
  }

  /// Spawns an engine of the type. Errors: `not_found` (the detail lists the types), those of the factory.
  expected<identity> spawn(node& n, const std::string& type, engine_options options,
                           const std::string& parameters = "{}") const;

  /// The registered types, ascending.
  std::vector<std::string> types() const;

private:
  template <class Interface>
  static expected<identity> id_of(expected<hosted<Interface>> made) {
    if (!made) return made.error();
    return made->id;
  }

  std::map<std::string, factory> factories_;
};

} // namespace hanse
