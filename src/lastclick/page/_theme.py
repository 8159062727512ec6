"""A merchant's own look: a name, a logo and two colours, which stay readable or are refused."""

import base64
import re
from pathlib import Path

import attrs

from lastclick.errors import ConfigError

#: WCAG 2.2 AA: the least contrast of text.
AA = 4.5
PAPER, DARK_PAPER = "#fbfaf8", "#14171b"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LOGO_BYTES = 40_000
_KINDS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


def _readable(_: object, attribute: "attrs.Attribute[str]", colour: object) -> None:
    """Refuse a colour that is none, or too light to be read on the page."""
    name = attribute.name
    if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
        raise ConfigError(f"theme: {name} is {colour!r:.50}; write it as '#1c5d99'")
    found = contrast(colour, PAPER)
    if found < AA:
        near = _toward(colour, "#000000", PAPER)
        msg = (
            f"theme: {name} {colour} has a contrast of {found:.1f} to 1 with the page, too little "
            f"to be read; WCAG AA asks for {AA}: take {near} or a darker one"
        )
        raise ConfigError(msg)


def _text(_: object, attribute: "attrs.Attribute[str | None]", said: object) -> None:
    if said is not None and not isinstance(said, str):
        msg = f"theme: {attribute.name} is {said!r:.50}; write it as text: 'Lamps & Co'"
        raise ConfigError(msg)


@attrs.frozen(kw_only=True)
class Theme:
    """What a page looks like.

    Attributes:
        name: Whose page it is, shown beside the logo.
        logo: A file: SVG, PNG, JPEG or WebP, of 40 kB at most; it becomes a part of the page.
        colour: Of what went well, and of links: ``"#1c5d99"``. It must be readable on the page
            (WCAG 2.2 AA); a lighter shade of it is taken on a dark one.
        second: Of what was lost; the same holds.

    Raises:
        ConfigError: The name is no text, the logo cannot be used, or a colour is none or cannot be
            read.

    Example:
        >>> Theme(name="Lamps & Co", colour="#0b6e4f").second
        '#b0440c'
        >>> Theme(colour="#7fd1ae")
        Traceback (most recent call last):
        ...
        lastclick.errors.ConfigError: theme: colour #7fd1ae has a contrast of 1.7 to 1 with ...

    .. versionadded:: 0.1.0
    """

    name: str | None = attrs.field(default=None, validator=_text)
    logo: Path | str | None = None
    colour: str = attrs.field(default="#1c5d99", validator=_readable)
    second: str = attrs.field(default="#b0440c", validator=_readable)
    _picture: str | None = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        picture = None if self.logo is None else _picture(Path(self.logo))
        object.__setattr__(self, "_picture", picture)

    @property
    def picture(self) -> str | None:
        """The logo as a part of the page."""
        return self._picture

    def variables(self) -> tuple[str, str]:
        """The colours as style sheets name them, on a light page and on a dark one."""
        light, dark = [], []
        for name, colour in (("good", self.colour), ("bad", self.second)):
            light += _shades(name, colour, PAPER)
            dark += _shades(name, _toward(colour, "#ffffff", DARK_PAPER), DARK_PAPER)
        return "".join(light), "".join(dark)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 has it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mixed(colour: str, other: str, share: float) -> str:
    """So much of a colour, the rest of another."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def _toward(colour: str, end: str, paper: str) -> str:
    """The colour itself, or the nearest to it on the way to black or white that can be read."""
    for percent in range(101):
        shade = mixed(end, colour, percent / 100)
        if contrast(shade, paper) >= AA + 0.1:
            return shade
    return end  # pragma: no cover: black on the light page and white on the dark one are readable


def _shades(name: str, colour: str, paper: str) -> list[str]:
    tints = {"": 1.0, "-2": 0.72, "-3": 0.5, "-4": 0.32, "-5": 0.16}
    return [f"--{name}{end}:{mixed(colour, paper, share)};" for end, share in tints.items()]


def _picture(file: Path) -> str:
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise ConfigError(f"logo {file}: not SVG, PNG, JPEG or WebP by its name")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"logo {file}: {error.strerror}") from None
    if len(data) > _LOGO_BYTES:
        raise ConfigError(
            f"logo {file}: {len(data):,} bytes, which every reader would have to load; "
            f"make it smaller than {_LOGO_BYTES:,}"
        )
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
