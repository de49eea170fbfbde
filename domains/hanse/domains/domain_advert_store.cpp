// Keeps the latest DomainAdvert of each domain and answers who asks for it.
// What is on disk is the kind of origin and the advert's octets, under the domain's identity.
#include "hanse/domains/domain_advert_store.hpp"

#include "hanse/domains/internal/fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::uint64_t ask_kind = 1;
constexpr std::uint64_t tell_kind = 2;
constexpr std::size_t body_size_max = domain_advert_size_max + 16; // array, kind, version, length

bytes ask_body(const identity& domain, std::uint64_t version) {
  msgpack_writer out;
  out.array(4);
  out.unsigned_integer(ask_kind);
  out.unsigned_integer(format_version);
  out.blob(domain.wire());
  out.unsigned_integer(version);
  return std::move(out).take();
}

bytes tell_body(const signed_domain_advert& advert) {
  msgpack_writer out;
  out.array(3);
  out.unsigned_integer(tell_kind);
  out.unsigned_integer(format_version);
  out.blob(advert.wire);
  return std::move(out).take();
}

/// An ask or, if `advert` is not empty, what was told.
struct store_body {
  identity domain;
  std::uint64_t version = 0;
  byte_view advert;
};

expected<store_body> decode_body(byte_view wire) {
  msgpack_reader in{wire, body_size_max};
  store_body body;
  const auto count = in.array(codec_tokens_max);
  const auto kind = in.unsigned_integer();
  if (in.good() && kind != ask_kind && kind != tell_kind) in.fail(errc::bad_type);
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  if (count != (kind == ask_kind ? 4U : 3U)) in.fail(errc::bad_value);
  if (kind == ask_kind) {
    body.domain = internal::read_address(in);
    body.version = in.unsigned_integer(wire_number_max);
  } else {
    body.advert = in.blob(domain_advert_size_max);
    if (body.advert.empty()) in.fail(errc::truncated);
  }
  HANSE_CHECK(in.finish());
  return body;
}

domain_persist write_of(const signed_domain_advert& advert, domain_origin origin) {
  bytes value{static_cast<std::byte>(origin)};
  append(value, advert.wire);
  return {{to_bytes(advert.value.domain.wire()), std::move(value)}};
}

} // namespace

const protocol_id& domain_advert_protocol() {
  static const protocol_id p{"hanse.domain-advert", 1, 0};
  return p;
}

domain_advert_store::domain_advert_store(const domain_store_config& config) : config_(config), bodies_(config.bodies) {}

/// Room for one more; false if there is none.
bool domain_advert_store::make_room(domain_store_effects& out) {
  if (entries_.size() < config_.domains_max) return true;
  auto oldest = entries_.end();
  for (auto i = entries_.begin(); i != entries_.end(); ++i)
    if (i->second.origin == domain_origin::learned &&
        (oldest == entries_.end() || i->second.order < oldest->second.order))
      oldest = i;
  if (oldest == entries_.end()) return false;
  out.push_back(domain_persist{{to_bytes(oldest->first.wire()), std::nullopt}});
  entries_.erase(oldest);
  return true;
}

expected<unit> domain_advert_store::put(signed_domain_advert advert, domain_origin origin, domain_store_effects& out) {
  const auto domain = advert.value.domain;
  const auto version = advert.value.version;
  auto i = entries_.find(domain);
  if (i != entries_.end()) {
    auto& known = i->second;
    if (origin > known.origin) {
      known.origin = origin;
      out.push_back(write_of(known.advert, origin));
    }
    const auto ours = known.advert.value.version;
    if (version < ours)
      return error{errc::stale, "version " + std::to_string(version) + ", and " + std::to_string(ours) + " is known"};
    if (version == ours)
      return error{errc::already_exists, equal(advert.wire, known.advert.wire) ? "" : "differs: the owner signed two"};
  } else {
    if (!make_room(out)) return errc::table_full;
    i = entries_.emplace(domain, entry{{}, origin, ++clock_}).first;
    asked_.erase(domain);
  }
  i->second.advert = std::move(advert);
  out.push_back(write_of(i->second.advert, i->second.origin));
  out.push_back(domain_changed{domain, version});
  return ok();
}

const signed_domain_advert* domain_advert_store::find(const identity& domain) const noexcept {
  const auto i = entries_.find(domain);
  return i == entries_.end() ? nullptr : &i->second.advert;
}

std::vector<identity> domain_advert_store::domains() const {
  std::vector<identity> all;
  for (const auto& e : entries_) all.push_back(e.first);
  return all;
}

bool domain_advert_store::remove(const identity& domain, domain_store_effects& out) {
  if (entries_.erase(domain) == 0) return false;
  out.push_back(domain_persist{{to_bytes(domain.wire()), std::nullopt}});
  return true;
}

void domain_advert_store::ask(const identity& node, const identity& domain, domain_store_effects& out) {
  const auto* known = find(domain);
  if (!known) {
    if (asked_.size() >= config_.asked_max && !asked_.contains(domain)) asked_.erase(asked_.begin());
    asked_.insert(domain);
  }
  out.push_back(peer_message{node, ask_body(domain, known ? known->value.version : 0)});
}

void domain_advert_store::tell(const identity& node, const identity& domain, domain_store_effects& out) const {
  if (const auto* known = find(domain)) out.push_back(peer_message{node, tell_body(*known)});
}

expected<unit> domain_advert_store::receive(const identity& from, byte_view body, time_ms now,
                                            domain_store_effects& out) {
  HANSE_TRY(const auto decoded, decode_body(body));
  // Before the signatures of what is told are checked: those are what costs.
  if (const auto wait = bodies_.take(from, now))
    return error{errc::rate_limited, "domain adverts too often; again in " + std::to_string(wait) + " ms"};
  if (decoded.advert.empty()) {
    const auto* known = find(decoded.domain);
    if (known && known->value.version > decoded.version) tell(from, decoded.domain, out);
    return ok();
  }
  HANSE_TRY(auto advert, decode_domain_advert(decoded.advert));
  const auto& domain = advert.value.domain;
  if (!find(domain) && !asked_.contains(domain)) return error{errc::not_found, "nobody here asked for that domain"};
  const auto taken = put(std::move(advert), domain_origin::learned, out);
  if (taken.code() == errc::already_exists && taken.error().detail.empty()) return ok();
  return taken;
}

expected<unit> domain_advert_store::restore(byte_view key, byte_view value) {
  if (value.empty()) return error{errc::bad_value, "domain advert"};
  const auto origin = value[0];
  if (origin > std::byte{static_cast<std::uint8_t>(domain_origin::kept)}) return error{errc::bad_value, "origin"};
  HANSE_TRY(auto advert, decode_domain_advert(value.subspan(1)));
  if (!equal(key, advert.value.domain.wire())) return error{errc::bad_value, "a domain advert under another key"};
  if (entries_.size() >= config_.domains_max) return errc::table_full;
  const auto domain = advert.value.domain;
  entries_.insert_or_assign(domain, entry{std::move(advert), static_cast<domain_origin>(origin), ++clock_});
  return ok();
}

} // namespace hanse
