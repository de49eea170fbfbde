// Message bodies of typed actors: an array of the handler's arguments, atoms by their short name ("add" for add_atom).
// Not the envelope. A body is decoded by trying the interface's own signatures in their order: the first that fits
// wins, so two handlers that differ only in the width of an integer cannot be told apart on the wire.
#pragma once

#include "hanse/actors/msgpack_inspectors.hpp"
#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/envelope.hpp"

#include <tuple>

namespace hanse {

/// Atoms are empty types; their short name is the type name without namespaces and a trailing "_atom".
template <class T>
std::string_view atom_name() {
  auto name = compat::type_name<T>();
  if (auto colon = name.rfind(':'); colon != name.npos) name.remove_prefix(colon + 1);
  if (name.ends_with("_atom")) name.remove_suffix(5);
  return name;
}

template <class T>
inline constexpr bool is_atom_v = std::is_empty_v<T>&& caf::detail::is_complete<caf::type_name<T>>;

template <class T>
bool write_argument(msgpack_writer& out, const T& x) {
  if constexpr (is_atom_v<T>) {
    out.text(atom_name<T>());
    return true;
  } else {
    msgpack_saver f{out};
    return f.apply(x);
  }
}

template <class T>
bool read_argument(msgpack_reader& in, T& x) {
  if constexpr (is_atom_v<T>) {
    if (in.text(64) != atom_name<T>()) in.fail(errc::schema_mismatch);
    return in.good();
  } else {
    msgpack_loader f{in};
    return f.apply(x) && in.good();
  }
}

/// Encodes the arguments of a message or of a result. Error: `schema_mismatch` for a type with no place on the wire,
/// `too_long` over body_size_max.
template <class... Ts>
expected<bytes> encode_body(const Ts&... xs) {
  msgpack_writer out;
  out.array(sizeof...(Ts));
  if (!(write_argument(out, xs) && ...)) return error{errc::schema_mismatch, "an argument's type cannot travel"};
  if (out.size() > body_size_max) return error{errc::too_long, "the message is larger than a body may be"};
  return std::move(out).take();
}

/// Decodes exactly these arguments. Errors: those of msgpack_reader, `schema_mismatch`.
template <class... Ts>
expected<std::tuple<Ts...>> decode_body(byte_view body) {
  msgpack_reader in{body};
  std::tuple<Ts...> result;
  in.array_exactly(sizeof...(Ts));
  std::apply([&in](auto&... xs) { (void)(read_argument(in, xs) && ...); }, result);
  HANSE_CHECK(in.finish());
  return result;
}

} // namespace hanse
