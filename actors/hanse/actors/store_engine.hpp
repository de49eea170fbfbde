// The actor that owns the node's database: writes in groups, one commit a burst, and answers after the commit.
// Runs detached, since a commit waits for the disk. An I/O error stops the node (design section 11).
#pragma once

#include "hanse/actors/database.hpp"
#include "hanse/actors/interfaces.hpp"
#include "hanse/actors/services.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace hanse {

inline constexpr std::size_t store_group_max = 64; ///< writes under one commit (design section 11)

class store_engine {
public:
  using pointer = store_actor::pointer;
  static inline const char* name = "hanse.store";

  /// Without a database everything is accepted and kept nowhere: for nodes that are told to have no state.
  store_engine(pointer self, std::shared_ptr<database> db, services_ptr services);

  store_actor::behavior_type make_behavior();

private:
  void commit();

  pointer self_;
  std::shared_ptr<database> db_;
  services_ptr services_;
  std::vector<record> pending_;
  std::vector<caf::typed_response_promise<void>> waiting_;
};

} // namespace hanse
