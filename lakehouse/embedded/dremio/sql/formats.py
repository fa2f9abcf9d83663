"""Dremio's date format elements (TO_CHAR, TO_DATE, ...) as strftime directives."""

from __future__ import annotations

from lakehouse.embedded.dremio.sql.model import SqlError

_ELEMENTS = {
    "YYYY": "%Y", "YY": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "DDD": "%j", "DD": "%d", "DAY": "%A",
    "DY": "%a", "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S", "FFF": "%g", "AM": "%p", "PM": "%p",
}  # fmt: skip
_LONGEST_FIRST = sorted(_ELEMENTS, key=len, reverse=True)


def strftime_format(pattern: str, function: str) -> str:
    """The strftime format of a Dremio pattern; elements in any case, text in double quotes is literal.

    Raises:
        SqlError: an element that the local engine does not know.

    >>> strftime_format("YYYY-MM-DD HH24:MI:SS.FFF", "TO_CHAR")
    '%Y-%m-%d %H:%M:%S.%g'
    """
    result, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        if character == '"':
            end = pattern.find('"', position + 1)
            if end < 0:
                raise SqlError(f'{function}: unclosed " in format {pattern!r}')
            result += pattern[position + 1 : end].replace("%", "%%")
            position = end + 1
            continue
        if not character.isalpha():
            result += character.replace("%", "%%")
            position += 1
            continue
        for element in _LONGEST_FIRST:
            if pattern[position : position + len(element)].upper() == element:
                result += _ELEMENTS[element]
                position += len(element)
                break
        else:
            raise SqlError(
                f"{function}: unknown element at {pattern[position:]!r} in format {pattern!r}; "
                f"the local engine knows {', '.join(_ELEMENTS)}"
            )
    return result
