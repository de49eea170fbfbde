// The built-in protocols and their parameters; see the header.
#include "hanse/domains/domain_protocols.hpp"

#include "hanse/domains/storage_protocol.hpp"
#include "hanse/protocols/dissemination.hpp"

namespace hanse {

domain_protocols domain_protocols::builtin() {
  domain_protocols p;
  (void)p.membership.add({"blocklace", 1, 0}, make_blocklace_membership);
  for (const auto* name : {"full-mesh", "plumtree"})
    (void)p.dissemination.add({name, 1, 0}, [text = std::string{name} + "/1"](const protocol_parameters& parameters) {
      return dissemination_registry::builtin().check(text, {parameters.begin(), parameters.end()});
    });
  storage_registry::builtin().teach(p);
  return p;
}

expected<std::unique_ptr<membership_protocol>> domain_protocols::open(const protocol_stack& stack,
                                                                      const membership_setup& setup) const {
  HANSE_TRY(const auto mesh, dissemination.find(stack.dissemination.id));
  HANSE_CHECK((*mesh.factory)(stack.dissemination.parameters));
  HANSE_TRY(const auto store, storage.find(stack.storage.id));
  HANSE_CHECK((*store.factory)(stack.storage.parameters));
  HANSE_TRY(const auto members, membership.find(stack.membership.id));
  return (*members.factory)(setup, stack.membership.parameters);
}

} // namespace hanse
