// The built-in storage protocol and its parameters; see the header.
#include "hanse/domains/storage_protocol.hpp"

#include "hanse/domains/block_exchange.hpp"
#include "hanse/protocols/dissemination.hpp"

namespace hanse {

namespace {

expected<std::unique_ptr<storage_protocol>> make_blocks(const storage_context& context,
                                                        const protocol_parameters& parameters) {
  block_exchange_config c;
  c.domain = context.domain;
  param_reader in{parameters};
  std::uint64_t trust = c.serve_trust_min, lease_s = c.fetch_lease_ms / 1000;
  std::uint64_t window = c.window_max, rounds = c.search_rounds_max;
  in.number("serve_trust_min", 0, 255, trust);
  in.number("fetch_lease_s", 60, 400ull * 24 * 3600, lease_s);
  in.number("window_max", 1, 1024, window);
  in.number("search_rounds_max", 1, 16, rounds);
  HANSE_CHECK(in.finish());
  c.serve_trust_min = static_cast<std::uint8_t>(trust);
  c.fetch_lease_ms = lease_s * 1000;
  c.window_max = static_cast<std::uint32_t>(window);
  c.window_initial = std::min(c.window_initial, c.window_max);
  c.search_rounds_max = static_cast<std::uint32_t>(rounds);
  return std::unique_ptr<storage_protocol>{
      std::make_unique<block_exchange>(context.store, context.key, context.random, c)};
}

} // namespace

storage_registry storage_registry::builtin() {
  storage_registry r;
  (void)r.add(blocks_protocol(), make_blocks);
  return r;
}

expected<std::unique_ptr<storage_protocol>> storage_registry::make(const protocol_id& id,
                                                                   const storage_context& context,
                                                                   const protocol_parameters& parameters) const {
  HANSE_TRY(const auto found, factories_.find(id));
  auto made = (*found.factory)(context, parameters);
  if (!made) return error{made.code(), id.name + "/" + std::to_string(id.major) + ": " + made.error().detail};
  return made;
}

expected<unit> storage_registry::check(const protocol_id& id, const protocol_parameters& parameters) const {
  memory_block_table table;
  HANSE_TRY(auto store, block_store::open(table));
  seeded_random random{0};
  const auto nobody = key_pair::generate(random); // made and forgotten: the machine never runs
  HANSE_CHECK(make(id, {store, nobody, random, {}}, parameters));
  return ok();
}

void storage_registry::teach(domain_protocols& protocols) const {
  protocols.storage = {};
  for (const auto& id : known())
    (void)protocols.storage.add(
        id, [all = *this, id](const protocol_parameters& parameters) { return all.check(id, parameters); });
}

} // namespace hanse
