// The local stand-in of a remote engine: an actor with the engine's own typed interface whose handlers encode the
// message, post it to the router and answer the caller with what comes back. Not for engines of the same node, which
// are reached directly. The handlers are derived from the interface's signatures; nothing else is accepted.
#pragma once

#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>

#include <unordered_map>

namespace hanse {

inline constexpr std::size_t proxy_pending_max = 65536; ///< requests that one proxy waits for

/// How a proxy addresses its engine.
struct proxy_options {
  identity source;      ///< the engine (or node) that speaks; its key signs
  identity destination; ///< the remote engine
  protocol_id protocol; ///< the interface, as both sides name it
  bool reliable = false;
  std::uint32_t ttl_ms = ttl_default_ms;
  routing_preferences routing;
  transport_preferences transport;
  bool traced = false; ///< give every message a trace id
};

template <class Interface>
class proxy_engine {
public:
  using actor_type = typename Interface::template extend_with<answer_sink_actor>;
  using pointer = typename actor_type::pointer;
  static inline const char* name = "hanse.proxy";

  proxy_engine(pointer self, router_actor router, proxy_options options)
      : self_(self), router_(std::move(router)), options_(std::move(options)) {
    compat::ignore_stray_errors(self_);
  }

  typename actor_type::behavior_type make_behavior() { return make_behavior(compat::signatures_of<Interface>{}); }

private:
  using decode_fun = caf::message (*)(byte_view);

  struct pending {
    caf::response_promise promise;
    decode_fun decode;
  };

  template <class Signature>
  struct handler;

  template <class... Rs, class... As>
  struct handler<caf::result<Rs...>(As...)> {
    proxy_engine* proxy;
    caf::result<Rs...> operator()(const As&... xs) const { return proxy->template forward<Rs...>(encode_body(xs...)); }
  };

  template <template <class...> class List, class... Signatures>
  typename actor_type::behavior_type make_behavior(List<Signatures...>) {
    return {handler<Signatures>{this}...,
            [this](std::vector<answer>& answers) {
              for (auto& a : answers) settle(a);
            },
            [this](flush_atom) { flush(); }, [this](stop_atom, const caf::error& reason) { stop(reason); }};
  }

  template <class... Rs>
  caf::result<Rs...> forward(expected<bytes> body) {
    bool ask = compat::is_request(self_);
    if (!body) return to_caf(body.error());
    if (pending_.size() >= proxy_pending_max)
      return to_caf(error{errc::queue_full, "too many requests wait for answers"});
    auto promise = self_->make_response_promise();
    if (ask)
      pending_.emplace(++last_token_, pending{promise, &decode_reply<Rs...>});
    else
      promise.deliver(caf::message{}); // nobody waits: dropped by CAF
    outgoing_.push_back(make_post(shared_bytes{std::move(*body)}, ask));
    if (outgoing_.size() == 1) compat::send(self_, self_, flush_atom_v);
    return promise;
  }

  post make_post(shared_bytes body, bool ask) {
    post p;
    auto& m = p.message;
    m.source = options_.source;
    m.destination = options_.destination;
    m.kind = ask ? message_kind::ask : message_kind::tell;
    m.protocol = options_.protocol;
    m.ttl_ms = options_.ttl_ms;
    m.routing = options_.routing;
    m.transport = options_.transport;
    m.body = std::move(body);
    p.reliable = options_.reliable;
    p.traced = options_.traced;
    if (ask) {
      p.token = last_token_;
      p.reply_to = self_->ctrl();
    }
    return p;
  }

  /// Everything that was in the mailbox before this goes to the router as one message.
  void flush() {
    compat::send(self_, router_, std::move(outgoing_));
    outgoing_.clear();
  }

  template <class... Rs>
  static caf::message decode_reply(byte_view body) {
    if constexpr ((std::is_same_v<Rs, void> && ...) || (std::is_same_v<Rs, caf::unit_t> && ...)) {
      auto values = decode_body<>(body);
      return values ? caf::message{}
                    : caf::make_message(to_caf(error{errc::schema_mismatch, to_string(values.error())}));
    } else {
      auto values = decode_body<Rs...>(body);
      if (!values) return caf::make_message(to_caf(error{errc::schema_mismatch, to_string(values.error())}));
      return std::apply([](auto&... xs) { return caf::make_message(std::move(xs)...); }, *values);
    }
  }

  void settle(answer& a) {
    auto i = pending_.find(a.token);
    if (i == pending_.end()) return; // the request timed out and was given up
    auto entry = std::move(i->second);
    pending_.erase(i);
    if (a.fault)
      entry.promise.deliver(to_caf(*a.fault));
    else
      entry.promise.deliver(entry.decode(a.body.view()));
  }

  void stop(const caf::error& reason) {
    for (auto& [token, entry] : pending_) entry.promise.deliver(reason);
    pending_.clear();
    self_->quit(reason);
  }

  pointer self_;
  router_actor router_;
  proxy_options options_;
  std::uint64_t last_token_ = 0;
  std::unordered_map<std::uint64_t, pending> pending_;
  std::vector<post> outgoing_;
};

} // namespace hanse
