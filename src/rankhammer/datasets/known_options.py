"""The options of Spark's readers: one that is mistyped is ignored by Spark, and the file is read in another way.

The lists are those of Spark 4.3 (`CSVOptions`, `JSONOptions`, `ParquetOptions`, `OrcOptions`, `TextOptions`, and
"Generic File Source Options" of its SQL guide). What only writers use is left in: Spark's readers ignore it on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_FILES = """
    basePath ignoreCorruptFiles ignoreMissingFiles modifiedAfter modifiedBefore pathGlobFilter recursiveFileLookup
"""
_OF_LINES = """
    charset columnNameOfCorruptRecord compression dateFormat enableDateTimeParsingFallback encoding lineSep locale mode
    multiLine samplingRatio singleVariantColumn timeFormat timeZone timestampFormat timestampNTZFormat
"""
_OF_CSV = """
    charToEscapeQuoteEscaping codec columnPruning comment delimiter emptyValue enforceSchema escape escapeQuotes
    extension header ignoreLeadingWhiteSpace ignoreTrailingWhiteSpace inferSchema inputBufferSize maxCharsPerColumn
    maxColumns nanValue negativeInf nullValue positiveInf preferDate quote quoteAll sep unescapedQuoteHandling
"""
_OF_JSON = """
    allowBackslashEscapingAnyCharacter allowComments allowNonNumericNumbers allowNumericLeadingZeros allowSingleQuotes
    allowUnquotedControlChars allowUnquotedFieldNames dropFieldIfAllNull explodeEmbeddedArray ignoreNullFields
    inferTimestamp prefersDecimal pretty primitivesAsString sortKeys useUnsafeRow writeNonAsciiCharacterAsCodePoint
"""
_OF_FORMAT = {
    "csv": f"{_OF_LINES} {_OF_CSV}",
    "json": f"{_OF_LINES} {_OF_JSON}",
    "parquet": "compression datetimeRebaseMode int96RebaseMode mergeSchema",
    "orc": "compression mergeSchema",
    "text": "compression encoding lineSep wholetext",
}
KNOWN = {file_format: tuple(sorted(f"{_OF_FILES} {of}".split())) for file_format, of in _OF_FORMAT.items()}
"""Format to the options that its reader knows, in Spark's spelling; upper and lower case are one name."""
_KNOWN_TO_SOME = {name.casefold() for names in KNOWN.values() for name in names}
_ELSEWHERE = {
    "separator": "sep",
    "seperator": "sep",
    "fieldsep": "sep",
    "quotechar": "quote",
    "quotecharacter": "quote",
    "escapechar": "escape",
    "doublequote": "escape",
    "headers": "header",
    "lines": "multiLine",
    "lineterminator": "lineSep",
    "na_values": "nullValue",
    "skipinitialspace": "ignoreLeadingWhiteSpace",
    "parse_dates": "timestampFormat",
}
"""What other tools, or a common slip, call an option of Spark."""


def require_known_options(where: str, file_format: str, load_args: Mapping[str, Any]) -> None:
    """Refuse an option that no reader has.

    What another format's reader has goes through, so that an environment may change the format alone; so does a name
    with a dot, a setting of Hadoop or of a format's library, and every option of a format that is not in `KNOWN`.

    Args:
        where: The input, for the message.
        file_format: Spark's name of its format, in small letters.
        load_args: Reader options.

    Raises:
        ConfigError: Names the option and the one that may have been meant.
    """
    if file_format not in KNOWN:
        return
    names = map(str, load_args)
    name = next((name for name in names if name.casefold() not in _KNOWN_TO_SOME and "." not in name), None)
    if name is not None:
        known = {name.casefold(): name for name in KNOWN[file_format]}
        raise ConfigError(
            f"Input {where}: Spark's {file_format} reader has no option {name!r}; it would be ignored.",
            hint=f"{_meant(name.casefold(), known)} Correct `load_args` of this input in conf/<env>/globals.yml. A "
            "setting of Hadoop has a dot in its name, and is not looked at.",
            option=name,
        )


def _meant(name: str, known: Mapping[str, str]) -> str:
    other = _ELSEWHERE.get(name, "").casefold()
    if other in known:
        return f"Did you mean {known[other]!r}?"
    close = did_you_mean(name, known)
    for folded, spelled in known.items():
        close = close.replace(repr(folded), repr(spelled))
    return close if close.startswith("Did") else f"Known names: {', '.join(sorted(known.values()))}."
