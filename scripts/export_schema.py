"""Writes the JSON Schema of a log's lines to docs/schema/event.schema.json."""

import json
from pathlib import Path

from lastclick.events import json_schema

PATH = Path(__file__).parent.parent / "docs" / "schema" / "event.schema.json"


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
