"""What waits for a receiver is in order, has a cap, and comes back to its place."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trio_foundation.agents._rules import Buffer


@attrs.frozen
class Message:
    sequence: int
    accepted_at: float


def a_buffer(*messages: tuple[int, float]) -> Buffer[Message]:
    buffer = Buffer[Message](9)
    for sequence, accepted_at in messages:
        buffer.add(Message(sequence, accepted_at))
    return buffer


def waiting(buffer: Buffer[Message]) -> list[int]:
    return [message.sequence for message in buffer.waiting]


def test_each_has_its_place_and_the_most_there_were_is_remembered() -> None:
    buffer = a_buffer()
    assert buffer.peak == 0
    for number, order in [(4, [4]), (1, [1, 4]), (2, [1, 2, 4]), (3, [1, 2, 3, 4])]:
        buffer.add(Message(number, 0.0))
        assert waiting(buffer) == order
    buffer.take()
    assert buffer.peak == buffer.held == 4
    buffer.empty()
    assert (buffer.peak, buffer.held) == (4, 1)


def test_one_that_is_sent_again_does_not_hide_that_those_behind_it_are_older() -> None:
    buffer = a_buffer((2, 0.0), (3, 4.0), (1, 5.0), (4, 6.0))
    assert buffer.expires_at(10.0) == 10.0
    assert buffer.expire(9.5, 10.0) == []
    assert buffer.expire(10.0, 10.0) == [Message(2, 0.0)]
    assert waiting(buffer) == [1, 3, 4]
    assert buffer.expires_at(10.0) == 14.0
    assert buffer.expire(15.0, 10.0) == [Message(1, 5.0), Message(3, 4.0)]
    assert waiting(buffer) == [4]


class BufferMachine(RuleBasedStateMachine):
    """A buffer beside a list in which each message says where it is."""

    @initialize(capacity=st.integers(1, 4))
    def open(self, capacity: int) -> None:
        self.buffer = Buffer[Message](capacity)
        self.where: dict[int, str] = {}  # by number: waiting, in hand, or superseded
        self.in_hand: list[Message] = []
        self.number = 0
        self.now = 0.0

    def held(self) -> list[int]:
        return sorted(number for number, where in self.where.items() if where != "superseded")

    @rule(passes=st.sampled_from([0.0, 1.0, 5.0]), data=st.data())
    def add(self, passes: float, data: st.DataObject) -> None:
        self.now += passes
        self.number += 1
        # One that is sent again has the number that it had.
        numbers = [number for number in range(1, self.number + 1) if number not in self.where]
        number = data.draw(st.sampled_from(numbers[-3:]))
        oldest = self.held()[0] if len(self.held()) == self.buffer.capacity else None
        dropped = self.buffer.add(Message(number, self.now))
        self.where[number] = "waiting"
        if oldest is None:
            assert dropped is None
        elif self.where[oldest] == "in hand":
            assert dropped is None
            self.where[oldest] = "superseded"
        else:
            assert dropped is not None
            assert dropped.sequence == oldest
            del self.where[oldest]

    @precondition(lambda self: "waiting" in self.where.values())
    @rule()
    def take(self) -> None:
        message = self.buffer.take()
        assert message.sequence == min(n for n, where in self.where.items() if where == "waiting")
        self.where[message.sequence] = "in hand"
        self.in_hand.append(message)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        message = self.in_hand.pop(data.draw(st.integers(0, len(self.in_hand) - 1)))
        might_come_back = self.where.pop(message.sequence) == "in hand"
        assert self.buffer.settle(message) is might_come_back

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        message = self.in_hand.pop(data.draw(st.integers(0, len(self.in_hand) - 1)))
        comes_back = self.where.pop(message.sequence) == "in hand"
        assert self.buffer.give_back(message) is comes_back
        if comes_back:
            self.where[message.sequence] = "waiting"

    @rule(max_age=st.sampled_from([1.0, 3.0]))
    def expire(self, max_age: float) -> None:
        due = self.buffer.expires_at(max_age)
        old = self.buffer.expire(self.now, max_age)
        assert bool(old) is (due <= self.now)
        for message in old:
            assert message.accepted_at <= self.now - max_age
            assert self.where.pop(message.sequence) == "waiting"
        assert self.buffer.expires_at(max_age) > self.now

    @rule()
    def empty(self) -> None:
        taken = self.buffer.empty()
        waiting = sorted(n for n, where in self.where.items() if where == "waiting")
        assert [message.sequence for message in taken] == waiting
        for number in waiting:
            del self.where[number]

    @rule()
    def let_go(self) -> None:
        might_come_back = [n for n, where in self.where.items() if where == "in hand"]
        assert self.buffer.let_go() == len(might_come_back)
        self.where.update(dict.fromkeys(might_come_back, "superseded"))

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "buffer"):
            return
        buffer = self.buffer
        assert buffer.held == len(self.held()) <= buffer.capacity
        assert len(buffer.waiting) == sum(where == "waiting" for where in self.where.values())
        assert buffer.is_full is (len(self.held()) == buffer.capacity)
        numbers = [message.sequence for message in buffer.waiting]
        assert numbers == sorted(numbers)
        assert buffer.peak >= buffer.held


TestBuffer = BufferMachine.TestCase
