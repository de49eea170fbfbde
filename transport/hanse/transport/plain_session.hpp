// A session that encrypts nothing and believes what the far side says: deterministic and cheap, for the simulator.
// NOT secure: for mem:// only, where both ends are in this process. Production links use tls_session.hpp.
#pragma once

#include "hanse/transport/secure_session.hpp"

#include <optional>

namespace hanse {

/// A session that claims to be `self`. Each side first sends 37 octets: "HPL1" and its identity.
std::unique_ptr<secure_session> make_plain_session(link_role role, const identity& self,
                                                   const std::optional<identity>& expected_peer);

} // namespace hanse
