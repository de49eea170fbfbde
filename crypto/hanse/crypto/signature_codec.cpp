// The octet form of message signatures; the layout is in signature.hpp.
// Not verification: a decoded signature proves nothing yet.
#include "hanse/crypto/signature.hpp"

#include "hanse/crypto/internal/merkle.hpp"
#include "hanse/crypto/internal/nesting.hpp"
#include "hanse/crypto/internal/reader.hpp"

namespace hanse {

namespace {

enum class form : std::uint8_t { single = 1, batch = 2, composite = 3 };

constexpr std::size_t signature_size = std::tuple_size_v<signature_octets>;

bytes begin(form f) {
  bytes out;
  out.reserve(512); // most signatures
  out.push_back(static_cast<std::byte>(f));
  return out;
}

bytes encode_form(const signature_octets& sig) {
  auto out = begin(form::single);
  append(out, sig);
  return out;
}

bytes encode_form(const batch_proof& proof) {
  auto out = begin(form::batch);
  internal::append_number<2>(out, proof.count);
  internal::append_number<2>(out, proof.index);
  append(out, proof.salt);
  for (const auto& sibling : proof.path) append(out, sibling.view());
  append(out, proof.signature);
  return out;
}

bytes encode_form(const composite_signature& sig) {
  auto out = begin(form::composite);
  internal::append_number<1>(out, static_cast<std::uint32_t>(sig.descriptors.size()));
  for (const auto& descriptor : sig.descriptors) {
    const auto octets = encode(descriptor);
    internal::append_number<2>(out, static_cast<std::uint32_t>(octets.size()));
    append(out, octets);
  }
  internal::append_number<1>(out, static_cast<std::uint32_t>(sig.members.size()));
  for (const auto& part : sig.members) {
    append(out, part.signer.octets());
    append(out, part.signature);
  }
  return out;
}

expected<message_signature> decode_batch(internal::reader& in) {
  batch_proof proof;
  HANSE_TRY(proof.count, in.take_number<2>());
  HANSE_TRY(proof.index, in.take_number<2>());
  if (proof.count < 2 || proof.count > batch_size_max) return error{errc::bad_value, "batch size out of range"};
  if (proof.index >= proof.count) return error{errc::bad_value, "batch index out of range"};
  HANSE_TRY(proof.salt, in.take_array<sizeof(batch_salt)>());
  const auto length = internal::merkle_path_length(proof.count, proof.index);
  proof.path.resize(length); // at most batch_path_max
  for (auto& sibling : proof.path) {
    HANSE_TRY(sibling.octets, in.take_array<digest::size_bytes>());
  }
  HANSE_TRY(proof.signature, in.take_array<signature_size>());
  return message_signature{std::move(proof)};
}

expected<std::uint32_t> take_count(internal::reader& in) {
  HANSE_TRY(const auto count, in.take_number<1>());
  if (count < 1) return error{errc::bad_value, "a composite signature without parts"};
  if (count > composite_leaves_max) return errc::too_long;
  return count;
}

expected<message_signature> decode_composite_form(internal::reader& in) {
  composite_signature sig;
  HANSE_TRY(const auto descriptors, take_count(in));
  for (std::uint32_t i = 0; i < descriptors; ++i) {
    HANSE_TRY(const auto length, in.take_number<2>());
    HANSE_TRY(const auto octets, in.take(length));
    // Unchecked: a check of every key would let one message cost seconds. A weak key cannot sign, so it never counts.
    HANSE_TRY(auto descriptor, internal::decode_composite_unchecked(octets));
    sig.descriptors.push_back(std::move(descriptor));
  }
  HANSE_TRY(const auto members, take_count(in));
  for (std::uint32_t i = 0; i < members; ++i) {
    HANSE_TRY(const auto key, in.take_array<32>());
    member_signature part{identity::trusted(identity_kind::individual, key), {}};
    HANSE_TRY(part.signature, in.take_array<signature_size>());
    if (!sig.members.empty() && !(sig.members.back().signer < part.signer)) return errc::not_canonical;
    sig.members.push_back(part);
  }
  return message_signature{std::move(sig)};
}

expected<message_signature> decode_form(internal::reader& in) {
  HANSE_TRY(const auto number, in.take_number<1>());
  switch (static_cast<form>(number)) {
  case form::single: {
    message_signature sig; // a single signature, when it is new
    HANSE_TRY(std::get<signature_octets>(sig.value), in.take_array<signature_size>());
    return sig;
  }
  case form::batch:
    return decode_batch(in);
  case form::composite:
    return decode_composite_form(in);
  }
  return error{errc::bad_type, "not a form of signature"};
}

} // namespace

bytes encode(const message_signature& sig) {
  return std::visit([](const auto& value) { return encode_form(value); }, sig.value);
}

expected<message_signature> decode_message_signature(byte_view wire) {
  if (wire.size() > message_signature_size_max) return errc::too_long;
  internal::reader in{wire};
  HANSE_TRY(auto sig, decode_form(in));
  HANSE_CHECK(in.finish());
  return sig;
}

} // namespace hanse
