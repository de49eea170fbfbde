// How the program gets a running node from its configuration; the one place where it meets CAF.
// Not the control socket and not signals: `hanse node run` (node_command.cpp) does those around it.
#pragma once

#include "hanse/app/control_backend.hpp"
#include "hanse/app/node_config.hpp"
#include "hanse/crypto/keys.hpp"
#include "hanse/crypto/secret_bytes.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace hanse::app {

/// What a node needs that must not be in its configuration.
struct node_secrets {
  key_pair key;                           ///< the node's own, opened
  std::optional<secret_bytes> passphrase; ///< also for engine key files (read and made); none: they are not encrypted
};

/// Called from any thread.
struct node_events {
  std::function<void(const error&)> on_fatal; ///< the node cannot go on (its store failed): the program stops
};

/// Starts a node and returns when it listens and its engines run. SIGINT and SIGTERM are blocked in the calling thread,
/// so that every thread started here has them blocked. Errors: `bad_config`, `io_error`, `wrong_passphrase`, …
/// `node_runtime.cpp` has the real one; tests link a fake.
expected<std::unique_ptr<control_backend>> start_node(const node_config& config, node_secrets secrets,
                                                      node_events events);

} // namespace hanse::app
