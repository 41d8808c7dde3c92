"""The base class of agents."""

from __future__ import annotations

import inspect
from typing import Any, final

from .._base import fits
from ..messaging import Server
from ._answered import AnsweredKeys
from ._delivery import Delivery, Parcel

__all__ = ["Agent"]


class Agent(Server):
    """The base class of agents: servers that a `Coordinator` delivers messages to.

    A message is delivered when `receive` has returned. A `CallError` refuses this one message; any
    other error crashes the agent, and its supervisor decides what becomes of it.
    `Coordinator.request` calls any other public async method.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import serve
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Greeter(Agent):
        ...     async def receive(self, message, *, sender=None):
        ...         return f"hello {message}, says number {self.delivery.sequence}"
        >>> async def main():
        ...     agents = AgentRegistry()
        ...     spec = agents.register_on_start("ann", serve(Greeter, capacity=9), capability="greet")
        ...     async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
        ...         receipt = await coordinator.deliver("ann", "world")
        ...         print(receipt.status, receipt.reply)
        >>> trio.run(main)
        delivered hello world, says number 1
    """

    answered: AnsweredKeys | None = None
    """Answers by key: a message whose key is there is answered without `receive`. Made outside the
    agent and handed to it, they outlast a crash. Give each agent its own: what another has answered
    it would not receive."""

    _parcel: Parcel | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        receive = inspect.getattr_static(cls, "receive")
        if not inspect.iscoroutinefunction(inspect.unwrap(receive)):
            raise TypeError(
                f"{cls.__name__}.receive has to be async: write "
                "`async def receive(self, message, *, sender=None)`"
            )
        if not fits(receive, None, None, sender=None):
            raise TypeError(
                f"{cls.__name__}.receive has to take a message and its sender: write "
                "`async def receive(self, message, *, sender=None)`"
            )

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        """Handle one message, as the agent's class writes it; to return acknowledges it.

        Args:
            message: The message.
            sender: Its sender, if told.

        Returns:
            The answer: `Receipt.reply`.

        Raises:
            NotImplementedError: The class does not write it.

        Cancellation:
            It goes on when the sender has left. The end of the agent cancels it.

        Example:
            >>> class Counter(Agent):
            ...     async def receive(self, message, *, sender=None):
            ...         return len(message)
        """
        cls = type(self).__name__
        raise NotImplementedError(
            f"agent {cls} does not say what to do with messages: write `async def receive(self, "
            f"message, *, sender=None)` in it"
        )

    @property
    @final
    def delivery(self) -> Delivery:
        """What is known of the message in hand: its number, key, and whether it came before.

        Raises:
            RuntimeError: Outside `receive`.
        """
        if self._parcel is None:
            raise RuntimeError(
                "delivery is there in `receive` only, while a message of a coordinator is in hand"
            )
        return self._parcel.delivery()

    @final
    async def handle_delivery(self, parcel: Parcel, /) -> object:
        """Handle what a coordinator has brought; not to be called or overridden.

        :meta private:

        Returns:
            What `receive` returned, now or for this key before.

        Cancellation:
            As with `receive`.

        Example:
            >>> Agent.handle_delivery.__name__
            'handle_delivery'
        """
        parcel.has_begun = True
        answered, key = self.answered, parcel.key
        if key is None or answered is None:
            return await self._receive(parcel)
        if key not in answered:
            answered.keep(key, await self._receive(parcel))
        return answered[key]

    async def _receive(self, parcel: Parcel) -> object:
        self._parcel = parcel
        try:
            return await self.receive(parcel.message, sender=parcel.sender)
        finally:
            self._parcel = None
