"""Tests of the bridge to logging."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, cast

import attrs
import pytest

from trio_foundation import telemetry
from trio_foundation.telemetry import Event, HandlerFailed, emit, log_events, subscribe


@attrs.frozen(kw_only=True)
class OrderPaid(Event):
    name: ClassVar[str] = "shop.order_paid"
    order: int
    after: float
    card: str = attrs.field(default="1234", repr=False)


@attrs.frozen(kw_only=True)
class StockRanLow(Event):
    name: ClassVar[str] = "shop.stock_ran_low"
    level: ClassVar[int] = logging.WARNING
    left: int

    @property
    def severity(self) -> int:
        return self.level if self.left else logging.CRITICAL


@attrs.frozen(kw_only=True)
class Clashing(Event):
    name: ClassVar[str] = "shop.100%_clashing"
    message: str = "m"
    asctime: str = "a"
    args: str = "r"
    taskName: str = "t"  # noqa: N815  as logging spells it
    event: str = "e"


@pytest.fixture(autouse=True)
def everything_is_captured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    ordinary = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}
    return {key: value for key, value in vars(record).items() if key not in ordinary}


async def test_an_event_becomes_one_record(caplog: pytest.LogCaptureFixture) -> None:
    with log_events():
        emit(OrderPaid(order=7, after=1.5))
    (record,) = caplog.records
    assert record.name == "trio_foundation"
    assert record.levelno == logging.INFO
    assert record.getMessage() == "shop.order_paid order=7 after=1.5"


async def test_every_field_is_an_attribute_of_the_record(caplog: pytest.LogCaptureFixture) -> None:
    with log_events():
        emit(OrderPaid(order=7, after=1.5))
    assert fields_of(caplog.records[0]) == {
        "event": "shop.order_paid",
        "order": 7,
        "after": 1.5,
        "card": "1234",  # though it is not shown
    }


async def test_a_field_whose_name_is_taken_gets_an_underscore(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with log_events():
        emit(Clashing())
    (record,) = caplog.records
    assert fields_of(record) == {
        "event": "shop.100%_clashing",
        "message_": "m",
        "asctime_": "a",
        "args_": "r",
        "taskName_": "t",
        "event_": "e",
    }
    assert record.getMessage() == (
        "shop.100%_clashing message='m' asctime='a' args='r' taskName='t' event='e'"
    )


@pytest.mark.parametrize(
    ("left", "level"), [(3, logging.WARNING), (0, logging.CRITICAL)], ids=["of class", "of event"]
)
async def test_the_level_is_the_severity_of_the_event(
    left: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with log_events():
        emit(StockRanLow(left=left))
    assert caplog.records[0].levelno == level


async def test_records_of_one_type_can_be_grouped(caplog: pytest.LogCaptureFixture) -> None:
    with log_events():
        emit(StockRanLow(left=1))
        emit(StockRanLow(left=2))
    assert len({record.msg for record in caplog.records}) == 1


async def test_any_value_can_be_written_down(caplog: pytest.LogCaptureFixture) -> None:
    # logging takes a lone dictionary for named values, and a tuple for several.
    values: list[Any] = [{"a": 1}, {}, (1, 2), "%s", None]
    with log_events():
        for value in values:
            emit(StockRanLow(left=value))
    assert [record.getMessage() for record in caplog.records] == [
        f"shop.stock_ran_low left={value!r}" for value in values
    ]


async def test_only_the_named_types_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with log_events(None, StockRanLow):
        emit(OrderPaid(order=7, after=1.5))
        emit(StockRanLow(left=1))
    assert [fields_of(record)["event"] for record in caplog.records] == ["shop.stock_ran_low"]


async def test_it_logs_where_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with log_events(logging.getLogger("shop")):
        emit(StockRanLow(left=1))
    assert caplog.records[0].name == "shop"


async def test_nothing_is_logged_after_the_block(caplog: pytest.LogCaptureFixture) -> None:
    with log_events():
        pass
    emit(StockRanLow(left=1))
    assert caplog.records == []


async def test_what_the_logger_does_not_log_is_not_made_into_a_record() -> None:
    class Unlogged(logging.Logger):
        def makeRecord(self, *args: object, **kwargs: object) -> logging.LogRecord:  # noqa: N802
            raise AssertionError

    reports: list[HandlerFailed] = []
    logger = Unlogged("quiet", level=logging.ERROR)
    with subscribe(reports.append, HandlerFailed), log_events(logger):
        emit(StockRanLow(left=1))
    assert reports == []


async def test_a_failing_handler_is_logged_with_where_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def divide(event: OrderPaid) -> None:
        raise ZeroDivisionError("division by zero")

    with log_events(None, HandlerFailed), subscribe(divide, OrderPaid):
        emit(OrderPaid(order=7, after=1.5))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert fields_of(record)["event_"] == "shop.order_paid"
    assert "in divide" in fields_of(record)["traceback"]


@pytest.mark.parametrize("logger", ["shop", StockRanLow], ids=["a name", "an event class"])
async def test_what_is_no_logger_is_refused(logger: object) -> None:
    with pytest.raises(TypeError, match=r"^log_events takes a logging\.Logger first, then event"):
        cast("Any", telemetry).log_events(logger)


def test_logging_outside_a_run_says_where_to_write_it() -> None:
    with pytest.raises(RuntimeError, match=r"in the async function that trio\.run is given"):
        log_events()
