// The typed interfaces of the engines that the program brings along: for first steps, the demo and tests.
// They are ordinary CAF typed actors; docs/engines.md explains how to write one.
#pragma once

#include "hanse/actors/node.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(hanse_engines, caf::id_block::hanse::end)

CAF_ADD_ATOM(hanse_engines, hanse::engines, add_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, subtract_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, multiply_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, call_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, send_file_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, begin_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, part_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, stat_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, count_atom)
CAF_ADD_ATOM(hanse_engines, hanse::engines, append_atom)

CAF_END_TYPE_ID_BLOCK(hanse_engines)

namespace hanse::engines {

/// Answers with what it got.
using echo_actor = caf::typed_actor<caf::result<std::string>(std::string)>;

using calculator_actor = caf::typed_actor<caf::result<int64_t>(add_atom, int64_t, int64_t),
                                          caf::result<int64_t>(subtract_atom, int64_t, int64_t),
                                          caf::result<int64_t>(multiply_atom, int64_t, int64_t)>;

/// Calls a calculator anywhere, through a typed handle: identity, a, b.
using caller_actor = caf::typed_actor<caf::result<int64_t>(call_atom, identity, int64_t, int64_t)>;

/// Takes one file at a time in parts, each at most once and in order: size and number of parts; index and octets.
/// `stat` answers path, BLAKE2b-256 in hexadecimal, size, parts, complete.
using file_receiver_actor =
    caf::typed_actor<caf::result<void>(begin_atom, std::string, uint64_t, uint64_t),
                     caf::result<void>(part_atom, uint64_t, caf::byte_buffer),
                     caf::result<std::string, std::string, uint64_t, uint64_t, bool>(stat_atom)>;

/// Sends a file to a receiver by reliable causal unicast; answers its hash, size and parts when all are acknowledged.
using file_sender_actor =
    caf::typed_actor<caf::result<std::string, uint64_t, uint64_t>(send_file_atom, std::string, identity)>;

/// Counts calls: shows whether a message came once. `count` with a number adds it and answers the sum.
using counter_actor = caf::typed_actor<caf::result<int64_t>(count_atom, int64_t)>;

/// Appends a number to a file, durably: shows what was handled, across crashes of its node.
using journal_actor = caf::typed_actor<caf::result<void>(append_atom, uint64_t)>;

} // namespace hanse::engines

HANSE_PROTOCOL(hanse::engines::journal_actor, "journal/1.0")
HANSE_PROTOCOL(hanse::engines::echo_actor, "echo/1.0")
HANSE_PROTOCOL(hanse::engines::calculator_actor, "calculator/1.0")
HANSE_PROTOCOL(hanse::engines::caller_actor, "caller/1.0")
HANSE_PROTOCOL(hanse::engines::file_receiver_actor, "file_receiver/1.0")
HANSE_PROTOCOL(hanse::engines::file_sender_actor, "file_sender/1.0")
HANSE_PROTOCOL(hanse::engines::counter_actor, "counter/1.0")
