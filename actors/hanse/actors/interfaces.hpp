// The typed interfaces of Hanse's own actors, and the type-id block. Start here to see who says what to whom:
//   engine <- gateway <- router <- link <- socket          proxy -> router -> link -> socket
//   router - identity store - store                        transport: dials, accepts, owns the links
#pragma once

#include "hanse/actors/messages.hpp"

#include <caf/typed_actor.hpp>

CAF_BEGIN_TYPE_ID_BLOCK(hanse, HANSE_TYPE_ID_START)

CAF_ADD_TYPE_ID(hanse, (hanse::errc))
CAF_ADD_TYPE_ID(hanse, (hanse::identity))
#define HANSE_ADD_MESSAGE(type) CAF_ADD_TYPE_ID(hanse, (type))
HANSE_FOR_EACH_MESSAGE(HANSE_ADD_MESSAGE)
#undef HANSE_ADD_MESSAGE

CAF_ADD_ATOM(hanse, hanse, flush_atom)    // do what was collected since the mailbox was last empty
CAF_ADD_ATOM(hanse, hanse, tick_atom)     // a timer is due
CAF_ADD_ATOM(hanse, hanse, stop_atom)     // end cleanly
CAF_ADD_ATOM(hanse, hanse, refused_atom)  // an engine's body was refused
CAF_ADD_ATOM(hanse, hanse, received_atom) // from a link: verified messages
CAF_ADD_ATOM(hanse, hanse, unsent_atom)   // to the router: these could not be sent
CAF_ADD_ATOM(hanse, hanse, link_up_atom)
CAF_ADD_ATOM(hanse, hanse, link_down_atom)
CAF_ADD_ATOM(hanse, hanse, register_atom)
CAF_ADD_ATOM(hanse, hanse, remove_atom)
CAF_ADD_ATOM(hanse, hanse, watch_atom)
CAF_ADD_ATOM(hanse, hanse, changed_atom) // routes may have changed
CAF_ADD_ATOM(hanse, hanse, resolve_atom)
CAF_ADD_ATOM(hanse, hanse, explain_atom)
CAF_ADD_ATOM(hanse, hanse, learn_atom) // adverts from outside
CAF_ADD_ATOM(hanse, hanse, measure_atom)
CAF_ADD_ATOM(hanse, hanse, trust_atom)
CAF_ADD_ATOM(hanse, hanse, list_atom)
CAF_ADD_ATOM(hanse, hanse, dial_atom) // open a link to a node, keep it
CAF_ADD_ATOM(hanse, hanse, listen_atom)
CAF_ADD_ATOM(hanse, hanse, accepted_atom)
CAF_ADD_ATOM(hanse, hanse, connected_atom)
CAF_ADD_ATOM(hanse, hanse, adverts_atom) // adverts for all links, or one
CAF_ADD_ATOM(hanse, hanse, write_atom)
CAF_ADD_ATOM(hanse, hanse, written_atom)
CAF_ADD_ATOM(hanse, hanse, credit_atom)
CAF_ADD_ATOM(hanse, hanse, closed_atom)
CAF_ADD_ATOM(hanse, hanse, pause_atom)
CAF_ADD_ATOM(hanse, hanse, resume_atom)
CAF_ADD_ATOM(hanse, hanse, load_atom)
CAF_ADD_ATOM(hanse, hanse, inject_atom)
CAF_ADD_ATOM(hanse, hanse, find_atom)
CAF_ADD_ATOM(hanse, hanse, retry_atom)
CAF_ADD_ATOM(hanse, hanse, moved_atom)  // an engine is elsewhere now
CAF_ADD_ATOM(hanse, hanse, claim_atom)  // what is addressed to an identity goes to a service
CAF_ADD_ATOM(hanse, hanse, domain_atom) // who is in a domain
CAF_ADD_ATOM(hanse, hanse, enter_atom)
CAF_ADD_ATOM(hanse, hanse, leave_atom)
CAF_ADD_ATOM(hanse, hanse, publish_atom)
CAF_ADD_ATOM(hanse, hanse, expel_atom)
CAF_ADD_ATOM(hanse, hanse, promote_atom)
CAF_ADD_ATOM(hanse, hanse, put_atom)
CAF_ADD_ATOM(hanse, hanse, assume_atom) // what is here is all there is
CAF_ADD_ATOM(hanse, hanse, draw_atom)
CAF_ADD_ATOM(hanse, hanse, keep_atom)    // take part in a topic, with or without subscribers; keep content at others
CAF_ADD_ATOM(hanse, hanse, secret_atom)  // of a domain, for convergence
CAF_ADD_ATOM(hanse, hanse, collect_atom) // remove what nobody wants any more
CAF_ADD_ATOM(hanse, hanse, trees_atom)   // tell the blocks of the trees of topics
CAF_ADD_ATOM(hanse, hanse, verify_atom)  // read and check what is stored

CAF_END_TYPE_ID_BLOCK(hanse)

#define HANSE_ALLOW_UNSAFE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)
HANSE_FOR_EACH_MESSAGE(HANSE_ALLOW_UNSAFE)
#undef HANSE_ALLOW_UNSAFE

CAF_ERROR_CODE_ENUM(hanse::errc)

namespace hanse {

/// Takes what became of posts; see post::reply_to.
using answer_sink_actor = caf::typed_actor<caf::result<void>(std::vector<answer>), caf::result<void>(flush_atom),
                                           caf::result<void>(stop_atom, caf::error)>;

/// Stands before one local engine; takes verified messages for it.
using gateway_actor = caf::typed_actor<caf::result<void>(std::vector<inbound>), caf::result<void>(flush_atom),
                                       caf::result<void>(stop_atom, caf::error)>;

/// Serves a protocol between nodes (hanse.domain, hanse.topic, …), or what is addressed to a domain or topic;
/// registered with the router by protocol name or by claim. `inbound::peer` is the node that a message came from:
/// authenticated, and it hosts the message's source. See service.hpp for how it answers.
using service_actor = caf::typed_actor<caf::result<void>(std::vector<inbound>),   //
                                       caf::result<void>(link_up_atom, identity), // also for links that are up already
                                       caf::result<void>(link_down_atom, identity), caf::result<void>(stop_atom)>;

/// Carries messages to nodes by other ways than links; registered with the router by its scheme ("relay", "spool").
/// What it cannot send it gives back to the router with `unsent_atom`.
using carrier_actor = caf::typed_actor<caf::result<void>(identity, way, std::vector<outbound>), //
                                       caf::result<void>(stop_atom)>;

/// Durable tables; the one owner of the database. Answers a write after its commit.
using store_actor = caf::typed_actor<caf::result<void>(write_atom, std::vector<record>),
                                     caf::result<std::vector<record>>(load_atom, std::string), //
                                     caf::result<void>(flush_atom), caf::result<void>(stop_atom)>;

/// What the node knows of others: adverts, trust, reputation, measurements; decides and explains routes.
using identity_store_actor = caf::typed_actor<
    // adverts as received from `identity` (none: pasted by the operator); answers how many were new
    caf::result<uint64_t>(learn_atom, identity, std::vector<bytes>),
    // adverts of this node and its engines
    caf::result<void>(register_atom, std::vector<bytes>), caf::result<void>(remove_atom, identity), //
    caf::result<route>(resolve_atom, route_request), caf::result<route_explanation>(explain_atom, route_request),
    caf::result<void>(link_up_atom, identity), caf::result<void>(link_down_atom, identity),
    caf::result<void>(measure_atom, link_event),
    caf::result<void>(measure_atom, identity, int16_t), // a node did well or ill: a reputation_event
    caf::result<void>(trust_atom, identity, uint8_t), caf::result<std::vector<peer_info>>(list_atom),
    caf::result<std::vector<engine_info>>(list_atom, identity), caf::result<void>(stop_atom),
    caf::result<std::vector<bytes>>(adverts_atom),           // everything worth telling a peer
    caf::result<std::vector<bytes>>(adverts_atom, identity), // a node's signed advert; none if it is unknown
    // what a node needs to answer us that has never been told of us: bundle_adverts_octets_max at most
    caf::result<std::vector<bytes>>(adverts_atom, bool),
    caf::result<void>(unsent_atom, identity),          // by the transport: no address of that node could be dialled
    caf::result<void>(listen_atom, std::string, bool), // by the router: a carrier for that scheme is there, or has gone
    caf::result<std::vector<weighted_address>, bool>(find_atom,
                                                     identity), // where a node is; true: the operator says so
    caf::result<identity>(find_atom, identity, bool),           // the node that hosts an engine
    caf::result<void>(domain_atom, domain_members), // who is in it; no members and no introducers: forget it
    caf::result<void>(claim_atom, identity, bool)>; // by the router: a service has it now, or has given it up

/// Between engines and links: signs nothing itself, decides everything.
using router_actor = caf::typed_actor<
    caf::result<void>(std::vector<post>),                               // out of engines
    caf::result<void>(std::vector<handled>),                            // reliable deliveries done
    caf::result<void>(refused_atom, identity, identity, error),         // a body its engine cannot read
    caf::result<void>(received_atom, identity, std::vector<inbound>),   // from the link to that node, verified
    caf::result<void>(unsent_atom, std::vector<outbound>, error),       // dropped before it was sent
    caf::result<void>(link_up_atom, link_event, caf::strong_actor_ptr), // messages for that node go to this link_actor
    caf::result<void>(link_down_atom, identity, uint64_t),
    caf::result<void>(register_atom, engine_entry),          // answers when it is advertised
    caf::result<engine_entry>(remove_atom, identity, error), // engine_down, or none: it moves away
    // what is addressed to this node with that protocol name goes to this service_actor; null: no longer
    caf::result<void>(register_atom, std::string, caf::strong_actor_ptr),
    // what is addressed to that identity with that protocol name ("": any) goes to this service_actor; null: no longer
    caf::result<void>(claim_atom, identity, std::string, caf::strong_actor_ptr),
    // messages whose way is of that scheme go to this carrier_actor; null: no longer
    caf::result<void>(listen_atom, std::string, caf::strong_actor_ptr),
    caf::result<void>(remove_atom, caf::actor_addr),                           // a service or carrier has ended
    caf::result<void>(domain_atom, domain_members),                            // by the identity store
    caf::result<void>(watch_atom, identity, caf::weak_actor_ptr),              // destination, proxy
    caf::result<void>(changed_atom),                                           // forget decided routes
    caf::result<void>(moved_atom, identity, identity),                         // engine, its new node
    caf::result<engine_entry>(find_atom, identity),                            // a local engine
    caf::result<std::vector<engine_entry>>(list_atom),                         //
    caf::result<void>(inject_atom, identity, std::string, uint32_t, identity), //
    caf::result<void>(tick_atom, bool), caf::result<void>(retry_atom, message_id), caf::result<void>(stop_atom)>;

/// Learns what changes in the domains of a node.
using domain_listener_actor =
    caf::typed_actor<caf::result<void>(domain_change), caf::result<void>(domain_role_changed)>;

/// The domains of a node: a service for their protocols, and what operators and engines ask (domains.hpp).
using domain_actor =
    caf::typed_actor<caf::result<void>(std::vector<inbound>), caf::result<void>(link_up_atom, identity),
                     caf::result<void>(link_down_atom, identity), caf::result<void>(stop_atom), //
                     caf::result<void>(enter_atom, enrolment), caf::result<void>(leave_atom, identity),
                     caf::result<void>(publish_atom, std::vector<bytes>),                    // signed DomainAdverts
                     caf::result<void>(expel_atom, identity, identity),                      // domain, member
                     caf::result<void>(promote_atom, identity, identity, uint8_t),           //
                     caf::result<void>(put_atom, identity, std::string, std::vector<bytes>), // domain, key, one value
                     caf::result<void>(assume_atom, identity),                               //
                     caf::result<std::vector<bytes>>(secret_atom, identity),                 // one eris_key
                     caf::result<std::vector<bytes>>(find_atom, identity),                   // its signed DomainAdvert
                     caf::result<std::vector<domain_report>>(list_atom),                     //
                     caf::result<std::vector<domain_member>>(list_atom, identity),           //
                     caf::result<lace_drawing>(draw_atom, identity, uint64_t),               // domain, newest blocks
                     caf::result<void>(watch_atom, caf::strong_actor_ptr),                   // a domain_listener_actor
                     caf::result<void>(retry_atom, identity), caf::result<void>(tick_atom)>;

/// Subscribes to a topic: gets its events in their order, several at once if there are several.
using topic_listener_actor = caf::typed_actor<caf::result<void>(std::vector<topic_delivery>)>;

/// The topics of a node: a service for their protocol, the claimant of every known topic, and what operators and
/// engines ask (topics.hpp).
using topic_actor = caf::typed_actor<
    caf::result<void>(std::vector<inbound>), caf::result<void>(link_up_atom, identity),
    caf::result<void>(link_down_atom, identity), caf::result<void>(stop_atom), //
    caf::result<void>(domain_change), caf::result<void>(domain_role_changed),  //
    caf::result<void>(learn_atom, std::vector<bytes>),                         // signed topic adverts
    caf::result<void>(publish_atom, topic_publication),                        //
    caf::result<void>(inject_atom, identity, uint32_t), // testing: events in a topic, whoever may publish
    caf::result<uint64_t>(watch_atom, topic_wish), caf::result<void>(remove_atom, uint64_t), // a subscription
    caf::result<topic_fetch>(find_atom, uint64_t, uint32_t, uint32_t), // of it: at most so many; waits so many ms
    caf::result<void>(keep_atom, identity, bool),                      //
    caf::result<std::vector<topic_report>>(list_atom),                 //
    caf::result<void>(changed_atom),                                   // look at the domains again
    caf::result<void>(trees_atom),                                     //
    caf::result<void>(retry_atom, uint64_t, uint64_t),                 // a fetch has waited long enough
    caf::result<void>(flush_atom), caf::result<void>(tick_atom)>;

/// The blocks of a node: a service for the storage protocols, and what operators and engines ask (blocks.hpp). A token
/// names something under way; it ends with the actor that began it.
using block_actor = caf::typed_actor<
    caf::result<void>(std::vector<inbound>), caf::result<void>(link_up_atom, identity),
    caf::result<void>(link_down_atom, identity), caf::result<void>(stop_atom), //
    caf::result<void>(domain_change), caf::result<void>(domain_role_changed),  //
    caf::result<content_kept>(put_atom, content_wish, std::vector<bytes>),     // one whole, durable when answered
    caf::result<std::vector<bytes>>(load_atom, content_get_wish),              // one whole
    caf::result<void>(put_atom, block_batch),                                  // durable after the next flush
    caf::result<void>(flush_atom),                                             // all that came before is durable
    caf::result<uint64_t>(keep_atom, spread_wish),                             // put at other members: a token
    caf::result<spread_state>(keep_atom, uint64_t, uint32_t),                  // when done, or so many ms later
    caf::result<uint64_t>(find_atom, content_get_wish),                        // get as a stream: a token
    caf::result<content_part>(find_atom, uint64_t, uint32_t),                  // waits so many ms for octets
    caf::result<void>(remove_atom, uint64_t),                                  // a token
    caf::result<block_report>(list_atom),                                      //
    caf::result<std::vector<block_entry>>(list_atom, digest, uint32_t),        // the next ones after that name
    caf::result<uint64_t>(collect_atom),                                       // leases that ended
    caf::result<verify_result>(verify_atom, digest, uint32_t),                 // the next ones after that name
    caf::result<void>(learn_atom, topic_tree),                                 //
    caf::result<void>(changed_atom), caf::result<void>(retry_atom, uint64_t, uint64_t), caf::result<void>(tick_atom)>;

/// Owns links: listens, dials, keeps one link a peer.
using transport_actor = caf::typed_actor<
    caf::result<std::string>(listen_atom, std::string),                       // answers the actual address
    caf::result<void>(dial_atom, identity, bool),                             // open a link; true: and keep it
    caf::result<void>(identity, std::vector<outbound>),                       // messages for a node without a link
    caf::result<void>(connected_atom, uint64_t, int, error),                  // of a dial: its socket or why not
    caf::result<uint64_t, caf::strong_actor_ptr>(accepted_atom, std::string), // by the socket actor: a link for it
    caf::result<caf::strong_actor_ptr>(accepted_atom, caf::strong_actor_ptr), // mem://: by the far link
    caf::result<void>(link_event),                                            // from links
    caf::result<void>(adverts_atom, std::vector<bytes>, identity),            // tell all links but that node's
    caf::result<void>(changed_atom, identity),                                // a node's addresses changed
    caf::result<void>(remove_atom, identity),                                 // close the link to that node
    caf::result<void>(inject_atom, identity, std::vector<bytes>),             // testing: raw payloads
    caf::result<void>(tick_atom), caf::result<void>(stop_atom)>;

/// One link: the TLS session, signing and verification.
using link_actor =
    caf::typed_actor<caf::result<void>(std::vector<outbound>),                 // to be signed and sent
                     caf::result<void>(caf::byte_buffer),                      // from the socket
                     caf::result<void>(written_atom, uint64_t),                // octets that the socket took
                     caf::result<void>(credit_atom, uint64_t),                 // octets of input that have been handled
                     caf::result<void>(connected_atom, caf::strong_actor_ptr), // begin; mem://: the far link, else null
                     caf::result<void>(adverts_atom, std::vector<bytes>),
                     caf::result<void>(inject_atom, std::vector<bytes>), // testing: payloads as they are
                     caf::result<void>(remove_atom),                     // from itself: nobody sends here any more
                     caf::result<void>(closed_atom, std::string),        // the socket is gone
                     caf::result<void>(stop_atom, error, bool),          // true: let what is under way through
                     caf::result<void>(flush_atom), caf::result<void>(tick_atom)>;

} // namespace hanse
