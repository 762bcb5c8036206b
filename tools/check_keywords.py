"""`python -m tools.check_keywords FILE ["sentence"]`: validate keyword rules and show which rule answers a sentence.

FILE is a config.yaml, or a YAML list of rules as in `customer_service.keywords`. Exit status 1 if a rule is wrong.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from config import ConfigError, load, read_yaml, resolve_paths
from config.customer_service import KeywordRule, ReplyPart
from config.error_messages import reason
from config.language import Language, in_language, language_of
from services.support.matching import RuleSet
from services.text import normal
from tools.similar_questions import report
from tools.words import text


class InvalidRules(Exception):
    """The file is invalid; the message has the reason in one line."""


def read(path: str, language: Language = "zh") -> list[KeywordRule]:
    """Read the rules of a file; raise InvalidRules naming the invalid rule."""
    try:
        data = resolve_paths(read_yaml(path), Path(path).parent)
    except ConfigError as error:
        raise InvalidRules(in_language(str(error), language)) from None
    if isinstance(data, dict):
        service = data.get("customer_service") or {}
        data = service.get("keywords") if isinstance(service, dict) else service
    try:
        return TypeAdapter(list[KeywordRule]).validate_python(data or [])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        number, *rest = first["loc"] or ("",)
        key = ".".join(str(part) for part in rest)
        place_text = ("rule_key" if key else "rule") if isinstance(number, int) else "file"
        place = text(place_text, language, number=int(number) + 1 if place_text != "file" else 0, key=key)
        allowed = in_language(reason(first), language)
        raise InvalidRules(text("invalid", language, path=path, place=place, reason=allowed)) from None


def missing_files(rules: list[KeywordRule]) -> list[str]:
    """Return the files that replies refer to but that do not exist."""
    parts = [part for rule in rules if not isinstance(rule.reply, str) for part in rule.reply]
    paths = [part.image or part.file for part in parts if isinstance(part, ReplyPart)]
    return [path for path in dict.fromkeys(paths) if path and not Path(path).is_file()]


def warnings(rules: list[KeywordRule], language: Language) -> list[str]:
    """Return warnings about rules that are valid but probably unintended."""
    messages = [text("no_file", language, path=path) for path in missing_files(rules)]
    seen: dict[tuple[str, str, str], int] = {}
    for number, rule in enumerate(rules, 1):
        kind = "equals" if rule.equals else "contains" if rule.contains else "regex"
        word = rule.regex or normal(rule.equals or rule.contains)
        first = seen.setdefault((kind, word, rule.where), number)
        if first != number:
            messages.append(text("never", language, number=number, first=first, kind=kind, word=word))
    return messages


def answer(rules: list[KeywordRule], sentence: str, place: str, language: Language) -> str:
    """Return the line that says which rule answers a sentence in private or in a group."""
    place_name, match = text(place, language), RuleSet(rules, place).find(sentence)
    if match is None:
        return text("no_match", language, where=place_name)
    parts = [part.text or part.image or part.file or (part.link.url if part.link else "") for part in match.parts()]
    number = next(n for n, rule in enumerate(rules, 1) if rule is match.rule)
    kind = "equals" if match.rule.equals else "contains" if match.rule.contains else "regex"
    word, reply = getattr(match.rule, kind), " | ".join(parts)
    return text("match", language, where=place_name, number=number, kind=kind, word=word, reply=reply)


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    language = language_of(arguments[0] if arguments else "")
    if not 1 <= len(arguments) <= 2:
        print(text("usage", language), file=sys.stderr)
        return 2
    try:
        rules = read(arguments[0], language)
    except InvalidRules as error:
        print(error, file=sys.stderr)
        return 1
    problems = warnings(rules, language)
    print(text("count", language, count=len(rules)), *problems, sep="\n")
    for place in ("private", "group") if len(arguments) == 2 else ():
        print(answer(rules, arguments[1], place, language))
    return 1 if _print_similar(arguments, language) or problems else 0


def _print_similar(arguments: list[str], language: Language) -> bool:
    """Print the similarity from which questions are offered; return whether the files of the config are invalid."""
    try:
        if not isinstance(read_yaml(arguments[0]), dict):
            return False
        config = load(arguments[0])
        lines = asyncio.run(report(config, arguments[1] if len(arguments) == 2 else ""))
    except ConfigError as error:
        print(in_language(str(error), language), file=sys.stderr)
        return True
    print(*lines, sep="\n")
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
