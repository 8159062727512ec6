"""What the columns of a table mean: settings, checked when they are made."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from lastclick._money import Money
from lastclick.errors import ConfigError, shown
from lastclick.events import ORDER, FunnelDeclared, Step, utc

#: Before every real funnel: where both define one funnel, that of the shop's own program wins.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Fact(BaseModel):
    """What a row says.

    In a mapping a step's name alone means that the step was entered, ``"order"`` an order.

    Args:
        type: Its event, as a log names it.
        step: The step, of ``step_entered`` and ``step_failed``.
        reason: Why a step failed, of ``step_failed``.
        reason_column: The column that says why; where it is empty, ``reason`` stands.

    Example:
        >>> Fact(type="step_failed", step="payment", reason_column="code").reason
        'unspecified'

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    type: Literal["step_entered", "step_failed", "order_completed", "order_refunded"]
    step: str | None = None
    reason: str = "unspecified"
    reason_column: str | None = None

    @model_validator(mode="after")
    def _has_a_step(self) -> Self:
        if self.type.startswith("step_") != (self.step is not None):
            verb = "needs" if self.step is None else "has no"
            raise ValueError(f"{self.type} {verb} step")
        return self


class AttributeColumn(BaseModel):
    """Where an attribute is, and of which type; in a mapping, a column's name alone is text.

    Args:
        column: The column.
        type: ``"text"``, ``"int"`` or ``"bool"`` (true and false, yes and no, 1 and 0).

    Example:
        >>> AttributeColumn(column="n_items", type="int").column
        'n_items'

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    column: str
    type: Literal["text", "int", "bool"] = "text"


def _fact(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value == ORDER:
        return {"type": "order_completed"}
    return {"type": "step_entered", "step": value}


def _steps(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise ValueError("give the steps in order, such as ['cart', 'payment']")
    return tuple(map(_step, value))


def _step(value: object) -> Step[Any]:
    if isinstance(value, Step):
        return value
    if not isinstance(value, Mapping):
        return Step(value)
    unknown = sorted(set(value) - set(Step.model_fields))
    if unknown:
        known = ", ".join(Step.model_fields)
        raise ValueError(f"a step has no setting {unknown[0]!r}; there are {known}")
    return Step(value.get("name"), **{key: value[key] for key in value if key != "name"})


def _attribute_columns(value: object) -> object:
    if isinstance(value, list | tuple):
        return {name: {"column": name} for name in value}
    if isinstance(value, Mapping):
        return {
            name: {"column": column} if isinstance(column, str) else column
            for name, column in value.items()
        }
    return value


def _columns(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Fact = Annotated[Fact, BeforeValidator(_fact)]
_Limit = Annotated[timedelta, Field(gt=timedelta(0))]
#: One column, or several whose values are joined by ":".
_Columns = Annotated[tuple[str, ...], BeforeValidator(_columns), Field(min_length=1)]


class TableMapping(BaseModel):
    """What the columns of a table mean. Load one from TOML with `TableMapping.load`.

    Args:
        funnel: The funnel's name.
        steps: Its steps, in order: names, or tables with ``name``, ``optional``, ``stage`` and
            ``owner``.
        abandon_after: An attempt that is idle for longer is abandoned; in TOML ISO 8601 such as
            ``"PT30M"``.
        recover_within: An order after an abandonment counts as recovered within this time.
        declared_at: The date of this definition, where a log holds several: the latest wins.
        delimiter: What separates the columns.
        encoding: How the file is encoded.
        checkout_id: The column that names the attempt. Here and for the other ids, several
            columns are joined by ``:``.
        customer_id: The column that names the customer.
        event_id: The column with an id of the event. Where there is none, the id is made from the
            row's content and how often it came before in this table.
        time: The column that says when: ISO 8601, unless ``time_format`` says otherwise.
        time_format: The format, as of `datetime.datetime.strptime`.
        timezone: Whose clock times without a zone were read from, such as ``"Europe/Paris"``; of
            an hour that comes twice, the first is meant.
        step: What every row is: a step's name, ``"order"``, or a `Fact`.
        step_column: Or else the column that says what a row is, by ``values``.
        values: What each value of ``step_column`` is; rows with others are passed over, and
            counted.
        order_id: The column that names the order.
        refund_id: The column that names the refund.
        amount: The column with the cart's value, the order's total or the amount refunded.
        currency: The currency of all amounts.
        currency_column: Or else the column with the currency.
        decimal: What stands before the decimals of an amount, ``"."`` or ``","``.
        attributes: The columns kept as attributes: names, or a table from the attribute's name to
            its column, or to ``{column = ..., type = "int"}``.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> mapping = TableMapping(
        ...     funnel="checkout",
        ...     steps=["cart", "payment"],
        ...     checkout_id="session",
        ...     time="at",
        ...     timezone="Europe/Paris",
        ...     step_column="page",
        ...     values={"/cart": "cart", "/pay": "payment", "/thanks": "order"},
        ...     order_id="order",
        ... )

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    funnel: Annotated[str, Field(min_length=1, max_length=256)]
    steps: Annotated[tuple[Step[Any], ...], BeforeValidator(_steps), Field(min_length=1)]
    abandon_after: _Limit = timedelta(minutes=30)
    recover_within: _Limit = timedelta(days=7)
    declared_at: Annotated[datetime, BeforeValidator(utc)] = _LONG_AGO
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    checkout_id: _Columns
    customer_id: _Columns | None = None
    event_id: _Columns | None = None
    time: str
    time_format: str | None = None
    timezone: str | None = None
    step: _Fact | None = None
    step_column: str | None = None
    values: Mapping[str, _Fact] = {}
    order_id: _Columns | None = None
    refund_id: _Columns | None = None
    amount: str | None = None
    currency: str | None = None
    currency_column: str | None = None
    decimal: Literal[".", ","] = "."
    attributes: Annotated[
        Mapping[str, AttributeColumn], BeforeValidator(_attribute_columns), Field(max_length=64)
    ] = {}

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            message = _sentence(error)
        else:
            return
        raise ConfigError(message)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a mapping from a TOML file.

        Raises:
            ConfigError: There is no such file, it is not TOML, or a setting cannot be used.

        .. versionadded:: 0.1.0
        """
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
            return cls(**settings)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: not TOML: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        names = [step.name for step in self.steps]
        known = ", ".join(names)
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"step {name!r} is named twice; give each step its own name")
        if ORDER in names:
            raise ValueError(f"no step may be named {ORDER!r}: it stands for the purchase itself")
        if self.recover_within < self.abandon_after:
            raise ValueError("recover_within is below abandon_after; make it at least as long")
        if (self.step is None) == (self.step_column is None):
            raise ValueError("say either step (what every row is) or step_column and values")
        if bool(self.values) != (self.step_column is not None):
            raise ValueError("step_column and values go together: what each of its values is")
        for fact in self.facts:
            if fact.step is not None and fact.step not in names:
                raise ValueError(f"unknown step {fact.step!r}; the steps are {known}")
            if fact.type.startswith("order_") and self.order_id is None:
                raise ValueError(f"{fact.type} needs order_id: the column that names the order")
        if (self.amount is None) != (self.currency is None and self.currency_column is None):
            raise ValueError("amount needs currency (or currency_column), and the reverse")
        if self.currency is not None and self.currency_column is not None:
            raise ValueError("say either currency (one for all) or currency_column")
        if self.currency is not None:
            Money(0, self.currency)
        return self

    @model_validator(mode="after")
    def _exist(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(f"encoding {self.encoding!r} is not known; try 'utf-8'") from None
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                msg = f"timezone {self.timezone!r} is not known; use a name such as 'Europe/Paris'"
                raise ValueError(msg) from None
        return self

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What rows can be."""
        return (*self.values.values(), *((self.step,) if self.step else ()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the mapping names."""
        ids = (self.checkout_id, self.customer_id, self.event_id, self.order_id, self.refund_id)
        single = (self.time, self.step_column, self.amount, self.currency_column)
        named = [
            *(column for columns in ids for column in columns or ()),
            *(column for column in single if column is not None),
            *(fact.reason_column for fact in self.facts if fact.reason_column is not None),
            *(one.column for one in self.attributes.values()),
        ]
        return tuple(dict.fromkeys(named))

    @cached_property
    def declaration(self) -> FunnelDeclared:
        """The funnel that its events belong to. Equal definitions have one id."""
        unnamed = FunnelDeclared(
            event_id="none",
            funnel=self.funnel,
            occurred_at=self.declared_at,
            steps=self.steps,
            abandon_after=self.abandon_after,
            recover_within=self.recover_within,
        )
        return unnamed.model_copy(update={"event_id": digest(unnamed.line).hex()})


def digest(content: bytes) -> bytes:
    """16 bytes that stand for some content; as 32 hexadecimal digits, a derived id."""
    return blake2b(content, digest_size=16).digest()


def _sentence(error: ValidationError) -> str:
    """The first fault that pydantic found, in one sentence that names the setting."""
    first: Any = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(TableMapping.model_fields)
        return f"mapping: unknown setting {where!r}; there are {known}"
    if first["type"] == "missing":
        return f"mapping: {where} is missing"
    cause = first.get("ctx", {}).get("error")
    what = str(cause or first["msg"])
    what = what if cause is not None else f"{what}; it is {shown(first['input'])}"
    return f"mapping: {where}: {what}" if where else f"mapping: {what}"
