// What stands before a local engine towards the network: decodes bodies to the engine's typed messages, asks the
// engine, and posts its results back. Not used by local senders. Only types of the engine's own interface are decoded.
#pragma once

#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>

namespace hanse {

template <class Interface>
class gateway_engine {
public:
  using pointer = gateway_actor::pointer;
  static inline const char* name = "hanse.gateway";

  gateway_engine(pointer self, router_actor router, Interface engine, identity id)
      : self_(self), router_(std::move(router)), engine_(std::move(engine)), id_(id) {
    compat::ignore_stray_errors(self_);
  }

  gateway_actor::behavior_type make_behavior() {
    return {
        [this](std::vector<inbound>& messages) {
          for (std::size_t i = 0; i < messages.size(); ++i) {
            // The last tell of a burst is sent as a request: its answer says that the engine got through all of them,
            // and gives their credit back.
            take(std::move(messages[i]), i + 1 == messages.size());
          }
          held_.clear();
        },
        [this](flush_atom) { flush(); },
        [this](stop_atom, const caf::error&) {
          flush();
          self_->quit();
        },
    };
  }

private:
  struct context {
    envelope request; ///< without its body
    std::vector<credit_ptr> credits;
    std::optional<stream_ref> delivery;
    bool wants_reply = false;
  };
  using context_ptr = std::shared_ptr<context>;

  void take(inbound in, bool last_of_burst) {
    bool ask = in.message.kind == message_kind::ask;
    bool plain = !ask && !in.delivery && !last_of_burst;
    held_.push_back(std::move(in.credit));
    auto body = std::move(in.message.body);
    if (plain) {
      if (auto done = dispatch(body.view(), nullptr); !done) refuse(in.message, done.error());
      return;
    }
    auto c = std::make_shared<context>(context{std::move(in.message), std::move(held_), std::move(in.delivery), ask});
    held_.clear();
    if (auto done = dispatch(body.view(), c); !done) refuse(c->request, done.error(), c.get());
  }

  /// Tries the interface's signatures in order. With a context the engine is asked, else told.
  expected<unit> dispatch(byte_view body, context_ptr c) {
    return dispatch_any(compat::signatures_of<Interface>{}, body, c);
  }

  template <template <class...> class List, class... Signatures>
  expected<unit> dispatch_any(List<Signatures...>, byte_view body, const context_ptr& c) {
    error first{errc::schema_mismatch, "the body fits no handler of the engine"};
    if ((attempt(static_cast<Signatures*>(nullptr), body, c) || ...)) return unit{};
    return first;
  }

  template <class... Rs, class... As>
  bool attempt(caf::result<Rs...> (*)(As...), byte_view body, const context_ptr& c) {
    auto arguments = decode_body<As...>(body);
    if (!arguments) return false;
    std::apply([this, &c](As&... xs) { invoke<Rs...>(c, xs...); }, *arguments);
    return true;
  }

  template <class... Rs, class... As>
  void invoke(const context_ptr& c, As&... xs) {
    if (!c) {
      compat::tell(self_, engine_, std::move(xs)...);
      return;
    }
    auto on_error = [this, c](const caf::error& reason) { finish(*c, from_caf(reason)); };
    auto timeout = caf::timespan{std::chrono::milliseconds{c->request.ttl_ms}};
    if constexpr ((std::is_same_v<Rs, void> && ...) || (std::is_same_v<Rs, caf::unit_t> && ...))
      compat::request(self_, engine_, timeout, std::move(xs)...).then([this, c] { succeed(*c); }, on_error);
    else
      compat::request(self_, engine_, timeout, std::move(xs)...)
          .then([this, c](const Rs&... rs) { succeed(*c, rs...); }, on_error);
  }

  template <class... Rs>
  void succeed(context& c, const Rs&... rs) {
    if (!c.wants_reply) return done(c, errc::none);
    auto body = encode_body(rs...);
    if (!body) return finish(c, fault_of(body.error()));
    reply(c, message_kind::reply, shared_bytes{std::move(*body)});
  }

  /// Ends a delivery without a reply body: an error, or the end of a tell.
  void finish(context& c, fault_body fault) {
    if (c.wants_reply && fault.code != errc::none)
      reply(c, message_kind::fault, shared_bytes{encode(fault)});
    else
      done(c, fault.code);
  }

  void refuse(const envelope& request, const error& why, context* c = nullptr) {
    compat::send(self_, router_, refused_atom_v, request.source, request.destination, why);
    if (c) finish(*c, fault_of(why));
  }

  void reply(context& c, message_kind kind, shared_bytes body) {
    post p;
    auto& m = p.message;
    m.source = id_;
    m.destination = c.request.source;
    m.kind = kind;
    m.in_reply_to = c.request.id;
    m.protocol = c.request.protocol;
    m.ttl_ms = c.request.ttl_ms;
    m.transport = c.request.transport;
    m.trace = c.request.trace;
    m.body = std::move(body);
    p.reliable = c.request.stream.has_value();
    outgoing_.push_back(std::move(p));
    done(c, errc::none);
  }

  void done(context& c, errc result) {
    c.credits.clear();
    if (!c.delivery && outgoing_.empty()) return;
    if (c.delivery) handled_.push_back({*c.delivery, result});
    if (!std::exchange(flush_sent_, true)) compat::send(self_, self_, flush_atom_v);
  }

  void flush() {
    flush_sent_ = false;
    if (!outgoing_.empty()) compat::send(self_, router_, std::move(outgoing_));
    if (!handled_.empty()) compat::send(self_, router_, std::move(handled_));
    outgoing_.clear();
    handled_.clear();
  }

  pointer self_;
  router_actor router_;
  Interface engine_;
  identity id_;
  std::vector<credit_ptr> held_;
  std::vector<post> outgoing_;
  std::vector<handled> handled_;
  bool flush_sent_ = false;
};

} // namespace hanse
