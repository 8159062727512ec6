"""What differs between the databases: a few ways of saying the same thing.

Everything else in the statements is SQL that DuckDB, Spark and ClickHouse read alike. Of all that
is compared in a row (`Dialect.row`), no part may be NULL, since they disagree on where it sorts.
"""

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class Dialect:
    """The hooks of one database.

    Attributes:
        name: What counts, as the report says it.
        quoted: A text as a literal.
        gather: The values of an expression where a condition holds, as a list.
        where: The members ``x`` of a list for which a condition holds.
        smallest: The smallest member of a list, NULL where it is empty.
        largest: The largest one.
        nothing: A list without members.
        gaps: The members of a list of instants, and no others, that a gap longer than so many
            microseconds follows: up to the next one, or up to an end.
        pick: The least or the greatest row of a group, from the aggregate that finds it; what it
            finds in an empty group is not used.
        row: Several values as one that is compared from left to right.
        part: One of them, by its name.
        div: An integer that is not negative, divided by another, rounded down.
        wide: An integer as one of at least 38 digits.
        text: Something as text.
        together: How many selects are asked in one statement.
    """

    name: str
    quoted: Callable[[str], str]
    gather: Callable[[str, str], str]
    where: Callable[[str, str], str]
    smallest: Callable[[str], str]
    largest: Callable[[str], str]
    nothing: str
    gaps: Callable[[str, str, int], str]
    pick: Callable[[str], str]
    row: Callable[[Mapping[str, str]], str]
    part: Callable[[str, str, tuple[str, ...]], str]
    div: Callable[[str, int], str]
    wide: Callable[[str], str]
    text: Callable[[str], str]
    together: int = 1


def _doubled(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_hex(text: str) -> str:
    # How Spark reads a backslash or a quote in a literal depends on the session's settings.
    if text.isascii() and text.replace(" ", "").isalnum():
        return f"'{text}'"
    return f"CAST(X'{text.encode().hex()}' AS STRING)"


DUCKDB = Dialect(
    name="duckdb",
    quoted=_doubled,
    gather=lambda value, condition: f"list({value}) FILTER (WHERE {condition})",
    where=lambda items, condition: f"list_filter({items}, lambda x: {condition})",
    smallest=lambda items: f"list_min({items})",
    largest=lambda items: f"list_max({items})",
    nothing="[]",
    gaps=lambda items, end, gap: (
        f"list_filter(list_sort({items}), lambda x, i: "
        f"coalesce(list_sort({items})[i + 1], {end}) - x > {gap})"
    ),
    pick=lambda found: found,
    row=lambda parts: "{" + ", ".join(f"{name}: {value}" for name, value in parts.items()) + "}",
    part=lambda row, name, _: f"{row}.{name}",
    div=lambda value, by: f"(({value}) // {by})",
    wide=lambda value: f"CAST({value} AS HUGEINT)",
    text=lambda value: f"CAST({value} AS VARCHAR)",
)

SPARK = Dialect(
    name="spark",
    quoted=_in_hex,
    gather=lambda value, condition: f"collect_list({value}) FILTER (WHERE {condition})",
    where=lambda items, condition: f"filter({items}, x -> {condition})",
    smallest=lambda items: f"array_min({items})",
    largest=lambda items: f"array_max({items})",
    nothing="NULL",
    gaps=lambda items, end, gap: (  # the outer list has one member, so that it is sorted once
        f"transform(array(array_sort({items})), s -> filter(s, (x, i) -> "
        f"coalesce(get(s, i + 1), {end}) - x > {gap}))[0]"
    ),
    pick=lambda found: found,
    row=lambda parts: (
        "named_struct(" + ", ".join(f"'{name}', {value}" for name, value in parts.items()) + ")"
    ),
    part=lambda row, name, _: f"{row}.{name}",
    div=lambda value, by: f"CAST(({value}) div {by} AS BIGINT)",
    wide=lambda value: f"CAST({value} AS DECIMAL(38, 0))",
    text=lambda value: f"CAST({value} AS STRING)",
    together=12,
)


def _escaped(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


CLICKHOUSE = Dialect(
    name="clickhouse",
    quoted=_escaped,
    gather=lambda value, condition: f"groupArrayIf(assumeNotNull({value}), ifNull({condition}, 0))",
    where=lambda items, condition: f"arrayFilter(x -> ifNull({condition}, 0), {items})",
    smallest=lambda items: f"if(empty({items}), NULL, arrayMin({items}))",
    largest=lambda items: f"if(empty({items}), NULL, arrayMax({items}))",
    nothing="[]",
    gaps=lambda items, end, gap: (
        f"arrayFilter((x, y) -> y - x > {gap}, arraySort({items}), arrayPushBack("
        f"arrayPopFront(arraySort({items})), assumeNotNull({end})))"
    ),
    pick=lambda found: f"assumeNotNull({found})",  # not all versions keep a row that may be NULL
    row=lambda parts: f"tuple({', '.join(parts.values())})",
    part=lambda row, name, names: f"tupleElement({row}, {names.index(name) + 1})",
    div=lambda value, by: f"intDiv({value}, {by})",
    wide=lambda value: f"toInt256({value})",
    text=lambda value: f"toString({value})",
)
