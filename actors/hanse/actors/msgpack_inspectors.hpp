// CAF inspectors that write and read canonical msgpack, so that every inspectable type travels with no further code.
// Not a wire format of its own: objects, tuples and sequences are arrays, maps are arrays of pairs, octets are binary,
// absent optionals are nil, variants are [type name, value]. Positional, so JSON users see plain arrays (docs/wire.md).
#pragma once

#include "hanse/actors/caf_compat.hpp"
#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/codec.hpp"

#include <caf/load_inspector_base.hpp>
#include <caf/save_inspector_base.hpp>
#include <caf/span.hpp>

#include <limits>

namespace hanse {

inline constexpr std::size_t text_size_max = codec_size_max; ///< octets of one string in a body

/// An object of an inspection: `fields` counts them first, since msgpack wants to know how many come.
template <class Inspector>
struct msgpack_object {
  Inspector* f;

  template <class... Fields>
  bool fields(Fields&&... fs) {
    return f->begin_tuple(sizeof...(Fields)) && (fs(*f) && ...);
  }

  msgpack_object pretty_name(compat::string_view_type) && { return *this; }

  template <class F>
  auto on_save(F callback) && {
    return with_callback<F>{f, std::move(callback), Inspector::is_loading};
  }

  template <class F>
  auto on_load(F callback) && {
    return with_callback<F>{f, std::move(callback), !Inspector::is_loading};
  }

private:
  template <class F>
  struct with_callback {
    Inspector* f;
    F callback;
    bool skip; ///< a save callback while loading, or the reverse

    template <class... Fields>
    bool fields(Fields&&... fs) {
      return f->begin_tuple(sizeof...(Fields)) && (fs(*f) && ...) && (skip || run());
    }

    template <class G>
    auto on_load(G g) && {
      return typename msgpack_object::template with_callback<G>{f, std::move(g), !Inspector::is_loading};
    }

    template <class G>
    with_callback&& on_save(G&&) && {
      return std::move(*this);
    }

    bool run() {
      if constexpr (std::is_same_v<decltype(callback()), bool>) {
        return callback();
      } else {
        if (auto err = callback()) {
          f->set_error(std::move(err));
          return false;
        }
        return true;
      }
    }
  };
};

/// Writes inspectable values. Fails (false) on what has no place on the wire: actor handles, wide characters.
class msgpack_saver : public caf::save_inspector_base<msgpack_saver> {
public:
  using super = caf::save_inspector_base<msgpack_saver>;

  explicit msgpack_saver(msgpack_writer& out) : out_(&out) {}

  static constexpr bool has_human_readable_format() noexcept { return false; }

  template <class T>
  auto object(const T&) noexcept {
    return msgpack_object<msgpack_saver>{this};
  }
  auto virtual_object(compat::string_view_type) noexcept { return msgpack_object<msgpack_saver>{this}; }

  bool begin_object(caf::type_id_t, compat::string_view_type) { return true; }
  bool end_object() { return true; }
  bool begin_field(compat::string_view_type) { return true; }
  bool begin_field(compat::string_view_type, bool is_present) {
    if (!is_present) out_->nil();
    return true;
  }
  bool begin_field(compat::string_view_type, caf::span<const caf::type_id_t> types, size_t index) {
    out_->array(2);
    out_->text(compat::type_name(types[index]));
    return true;
  }
  bool begin_field(compat::string_view_type name, bool is_present, caf::span<const caf::type_id_t> types,
                   size_t index) {
    return is_present ? begin_field(name, types, index) : begin_field(name, false);
  }
  bool end_field() { return true; }
  bool begin_tuple(size_t size) { return begin_sequence(size); }
  bool end_tuple() { return true; }
  bool begin_key_value_pair() { return begin_sequence(2); }
  bool end_key_value_pair() { return true; }
  bool begin_sequence(size_t size) {
    out_->array(size);
    return true;
  }
  bool end_sequence() { return true; }
  bool begin_associative_array(size_t size) { return begin_sequence(size); }
  bool end_associative_array() { return true; }

  bool value(bool x) {
    out_->boolean(x);
    return true;
  }
  bool value(std::byte x) { return value(static_cast<uint8_t>(x)); }
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) bool value(T x) {
    if constexpr (std::is_signed_v<T>)
      out_->integer(x);
    else
      out_->unsigned_integer(x);
    return true;
  }
  template <class T>
  requires(std::is_same_v<T, compat::byte_type> && !std::is_same_v<T, std::byte>) bool value(T x) {
    return value(static_cast<uint8_t>(x));
  }
  bool value(float x) { return value(static_cast<double>(x)); }
  bool value(double x) {
    out_->real(x);
    return true;
  }
  bool value(long double) { return fail(); }
  bool value(compat::string_view_type x) {
    out_->text(compat::to_std(x));
    return true;
  }
  bool value(const std::string& x) {
    out_->text(x);
    return true;
  }
  bool value(const std::u16string&) { return fail(); }
  bool value(const std::u32string&) { return fail(); }
  bool value(caf::span<const compat::byte_type> x) { return blob(x.data(), x.size()); }

  using super::list;
  bool list(const std::vector<std::byte>& xs) { return blob(xs.data(), xs.size()); }
  bool list(const std::vector<uint8_t>& xs) { return blob(xs.data(), xs.size()); }
  template <class B>
  requires(std::is_same_v<B, compat::byte_type> && !std::is_same_v<B, std::byte>) bool list(const std::vector<B>& xs) {
    return blob(xs.data(), xs.size());
  }
  bool list(const std::vector<bool>& xs) {
    out_->array(xs.size());
    for (bool x : xs) out_->boolean(x);
    return true;
  }

  bool blob(const void* data, size_t size) {
    out_->blob({static_cast<const std::byte*>(data), size});
    return true;
  }

private:
  bool fail() {
    emplace_error(caf::sec::unsafe_type);
    return false;
  }

  msgpack_writer* out_;
};

/// Reads inspectable values from untrusted octets; false at the first that does not fit, with the reader's error set.
class msgpack_loader : public caf::load_inspector_base<msgpack_loader> {
public:
  using super = caf::load_inspector_base<msgpack_loader>;

  explicit msgpack_loader(msgpack_reader& in) : in_(&in) {}

  static constexpr bool has_human_readable_format() noexcept { return false; }

  template <class T>
  auto object(T&) noexcept {
    return msgpack_object<msgpack_loader>{this};
  }
  auto virtual_object(compat::string_view_type) noexcept { return msgpack_object<msgpack_loader>{this}; }

  bool begin_object(caf::type_id_t, compat::string_view_type) { return true; }
  bool end_object() { return true; }
  bool begin_field(compat::string_view_type) { return true; }
  bool begin_field(compat::string_view_type, bool& is_present) {
    is_present = !in_->nil();
    return in_->good();
  }
  bool begin_field(compat::string_view_type, caf::span<const caf::type_id_t> types, size_t& index) {
    in_->array_exactly(2);
    auto name = in_->text(256);
    for (index = 0; index < types.size(); ++index)
      if (compat::type_name(types[index]) == name) return in_->good();
    in_->fail({errc::bad_value, "no such alternative"});
    return false;
  }
  bool begin_field(compat::string_view_type name, bool& is_present, caf::span<const caf::type_id_t> types,
                   size_t& index) {
    return begin_field(name, is_present) && (!is_present || begin_field(name, types, index));
  }
  bool end_field() { return true; }
  bool begin_tuple(size_t size) {
    in_->array_exactly(size);
    return in_->good();
  }
  bool end_tuple() { return true; }
  bool begin_key_value_pair() { return begin_tuple(2); }
  bool end_key_value_pair() { return true; }
  bool begin_sequence(size_t& size) {
    size = in_->array(codec_tokens_max); // the reader has bounded it by the octets that remain
    return in_->good();
  }
  bool end_sequence() { return true; }
  bool begin_associative_array(size_t& size) { return begin_sequence(size); }
  bool end_associative_array() { return true; }

  bool value(bool& x) {
    x = in_->boolean();
    return in_->good();
  }
  bool value(std::byte& x) {
    x = static_cast<std::byte>(in_->unsigned_integer(255));
    return in_->good();
  }
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) bool value(T& x) {
    if constexpr (std::is_signed_v<T>) {
      auto wide = in_->integer();
      if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) in_->fail(errc::bad_value);
      x = static_cast<T>(wide);
    } else {
      x = static_cast<T>(in_->unsigned_integer(std::numeric_limits<T>::max()));
    }
    return in_->good();
  }
  template <class T>
  requires(std::is_same_v<T, compat::byte_type> && !std::is_same_v<T, std::byte>) bool value(T& x) {
    x = static_cast<T>(in_->unsigned_integer(255));
    return in_->good();
  }
  bool value(float& x) {
    double wide = 0;
    if (!value(wide)) return false;
    x = static_cast<float>(wide);
    return true;
  }
  bool value(double& x) {
    auto next = in_->peek(); // JSON users write 3 where 3.0 is meant
    if (next == token_kind::unsigned_integer || next == token_kind::negative_integer)
      x = static_cast<double>(in_->integer());
    else
      x = in_->real();
    return in_->good();
  }
  bool value(long double&) { return fail(); }
  bool value(std::string& x) {
    x = in_->text(text_size_max);
    return in_->good();
  }
  bool value(std::u16string&) { return fail(); }
  bool value(std::u32string&) { return fail(); }
  bool value(caf::span<compat::byte_type> x) {
    auto octets = in_->blob_exactly(x.size());
    if (!in_->good()) return false;
    std::memcpy(x.data(), octets.data(), octets.size());
    return true;
  }

  using super::list;
  bool list(std::vector<std::byte>& xs) {
    xs = to_bytes(in_->blob(codec_size_max));
    return in_->good();
  }
  bool list(std::vector<uint8_t>& xs) {
    auto octets = in_->blob(codec_size_max);
    xs.assign(as_octets(octets), as_octets(octets) + octets.size());
    return in_->good();
  }
  template <class B>
  requires(std::is_same_v<B, compat::byte_type> && !std::is_same_v<B, std::byte>) bool list(std::vector<B>& xs) {
    auto octets = in_->blob(codec_size_max);
    auto* first = reinterpret_cast<const B*>(octets.data());
    xs.assign(first, first + octets.size());
    return in_->good();
  }
  bool list(std::vector<bool>& xs) {
    xs.clear();
    for (auto left = in_->array(codec_tokens_max); left > 0 && in_->good(); --left) xs.push_back(in_->boolean());
    return in_->good();
  }

  /// The reader below, for `inspect` overloads that know msgpack.
  msgpack_reader& reader() noexcept { return *in_; }

private:
  bool fail() {
    in_->fail({errc::bad_type, "a type that has no place on the wire"});
    return false;
  }

  msgpack_reader* in_;
};

/// Identities travel as their 33 octets; text (`hk1…`) is read, too, since people write it in JSON bodies.
template <class Inspector>
bool inspect(Inspector& f, identity& x) {
  if constexpr (std::is_same_v<Inspector, msgpack_saver>) {
    return f.blob(x.wire().data(), x.wire().size());
  } else if constexpr (std::is_same_v<Inspector, msgpack_loader>) {
    auto& in = f.reader();
    auto read = in.peek() == token_kind::text ? identity::parse(in.text(128))
                                              : identity::decode(in.blob_exactly(identity::size_bytes));
    if (read)
      x = *read;
    else
      in.fail(read.error());
    return in.good();
  } else {
    auto get = [&x] { return x.is_none() ? std::string{} : to_string(x); };
    auto set = [&x](std::string text) {
      if (text.empty()) {
        x = identity{};
        return true;
      }
      auto read = identity::parse(text);
      if (read) x = *read;
      return read.has_value();
    };
    return f.apply(get, set);
  }
}

} // namespace hanse
