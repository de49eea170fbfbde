// Every difference between CAF 0.18.7 and 1.1 that Hanse meets, chosen by feature test and never by CAF_VERSION
// (which is wrong in 1.0 and 1.1). Not a wrapper of CAF: what is the same in all versions is used directly.
#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/byte_buffer.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#if __has_include(<caf/anon_mail.hpp>)
#include <caf/anon_mail.hpp>
#define HANSE_HAS_ANON_MAIL
#endif

// Where CAF has its mail API it deprecates send and request; brokers have no mail API in 1.1, so both are used below.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace hanse::compat {

/// caf::string_view in 0.18, std::string_view later.
using string_view_type = std::decay_t<decltype(caf::type_name_v<int32_t>)>;

inline std::string_view to_std(string_view_type text) {
  return {text.data(), text.size()};
}

/// caf::byte in 0.18, std::byte later.
using byte_type = caf::byte_buffer::value_type;

/// The CAF type name of T as written in its type-id block.
template <class T>
std::string_view type_name() {
  return to_std(caf::type_name_v<T>);
}

inline std::string_view type_name(caf::type_id_t id) {
  return to_std(caf::query_type_name(id));
}

/// Sends a plain message.
template <class Self, class Handle, class... Ts>
void send(Self* self, const Handle& receiver, Ts&&... xs) {
  if constexpr (requires { self->mail(std::forward<Ts>(xs)...).send(receiver); })
    self->mail(std::forward<Ts>(xs)...).send(receiver);
  else
    self->send(receiver, std::forward<Ts>(xs)...);
}

/// Sends a plain message to `self` after `delay`.
template <class Self, class... Ts>
void delayed_send_to_self(Self* self, std::chrono::milliseconds delay, Ts&&... xs) {
  if constexpr (requires { self->mail(std::forward<Ts>(xs)...); })
    self->mail(std::forward<Ts>(xs)...).delay(delay).send(self);
  else
    self->delayed_send(self, delay, std::forward<Ts>(xs)...);
}

/// Sends a request; `.then(…)` on the result as usual.
template <class Self, class Handle, class... Ts>
auto request(Self* self, const Handle& receiver, caf::timespan timeout, Ts&&... xs) {
  if constexpr (requires { self->mail(std::forward<Ts>(xs)...).request(receiver, timeout); })
    return self->mail(std::forward<Ts>(xs)...).request(receiver, timeout);
  else
    return self->request(receiver, timeout, std::forward<Ts>(xs)...);
}

/// Sends a plain message without a sender.
template <class Handle, class... Ts>
void anon_send(const Handle& receiver, Ts&&... xs) {
#ifdef HANSE_HAS_ANON_MAIL
  caf::anon_mail(std::forward<Ts>(xs)...).send(receiver);
#else
  caf::anon_send(receiver, std::forward<Ts>(xs)...);
#endif
}

/// Sends a plain message without a sender from within an actor: results are dropped, and the receiver runs on the
/// caller's worker, which anon_send does not do.
template <class Self, class Handle, class... Ts>
void tell(Self* self, const Handle& receiver, Ts&&... xs) {
  auto* target = caf::actor_cast<caf::abstract_actor*>(receiver);
  auto content = caf::make_message(std::forward<Ts>(xs)...);
  if constexpr (requires { target->enqueue(nullptr, caf::make_message_id(), content, self->context()); })
    target->enqueue(nullptr, caf::make_message_id(), std::move(content), self->context());
  else
    target->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), std::move(content)), self->context());
}

/// Calls `f(const caf::error& reason)` once when the actor behind `handle` terminates (at once if it has), in whatever
/// thread terminates it: `f` may do no more than send a message.
template <class Handle, class F>
void on_termination(const Handle& handle, F f) {
  caf::actor_cast<caf::abstract_actor*>(handle)->attach_functor(std::move(f));
}

// The handlers below are deprecated from 1.1 on in favour of entries in the behavior, which 0.18 does not have.

/// An error reply to a plain send would quit its sender: errors that nobody waits for are dropped here instead.
template <class Self>
void ignore_stray_errors(Self* self) {
  self->set_error_handler([](caf::scheduled_actor*, caf::error&) {});
}

/// Lets a parent's or anybody's exit message end the actor at once, whatever the reason.
template <class Self, class F>
void on_exit_message(Self* self, F f) {
  self->set_exit_handler(std::move(f));
}

/// Whether the message that is being handled is a request (its sender waits for the result).
template <class Self>
bool is_request(Self* self) {
  auto* element = self->current_mailbox_element();
  return element && element->mid.is_request();
}

/// The message signatures of a typed actor interface, as a type list, in every version.
template <class Interface>
using signatures_of = typename Interface::signatures;

} // namespace hanse::compat

#pragma GCC diagnostic pop
