"""Text as nobody wants to meet it: commands to a terminal, markup, marks that turn a line."""

MARKUP = (
    "<script>window.ran=1</script></style></script>\"'><img src=x onerror=window.ran=1>"
    "<a href=javascript:window.ran=1>"
)
ESCAPES = "\x1b[31mred\x1b[2J\x1b]0;title\x07\r\x00\x9b1A\x85\u2028"
BIDI = "\u202eright\u2066left\u2069\u200f\ufeff"
RICH = "[bold]loud[/] [link=javascript:1]"
TEXT = f"{ESCAPES}{MARKUP}{BIDI}{RICH}"  # UTF-8 has all of it
BROKEN = f"{TEXT}\udfff\ud800"  # lone surrogates: no UTF-8
LONG = TEXT + "long " * 40_000


def is_harmless(text: str) -> bool:
    """Whether nothing in it moves, colours, turns or hides; line breaks and tabs may."""
    return all(one.isprintable() or one in "\n\t" for one in text)
