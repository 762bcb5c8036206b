"""Quality of the FAQ's similarity search on rephrased and off-topic questions, for several thresholds.

`python -m benchmarks.faq` prints the shares of rephrased questions: `right`: the right entry is first, `menu`: it is
among the three offered, `wrong`: a menu without it, `declined`: no menu. Of off-topic questions: the share with a
menu.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from services.support.faq import NEAR, Faq, load

HERE = Path(__file__).parent
THRESHOLDS = (0.10, 0.13, 0.15, 0.17, 0.19, 0.20, 0.22, 0.25, 0.30, 0.40)


def measure(faq: Faq, least: float) -> dict[str, float]:
    """Return the shares at one threshold."""
    data = yaml.safe_load((HERE / "faq_questions.yaml").read_text(encoding="utf-8"))
    asked = [(text, first) for first, texts in data["reworded"].items() for text in texts]
    counts = dict.fromkeys(("right", "menu", "wrong", "declined"), 0)
    for text, first in asked:
        offered = [near.entry.questions[0] for near in faq.nearest(text, least=least)]
        counts["right"] += offered[:1] == [first]
        counts["menu"] += first in offered
        counts["wrong"] += bool(offered) and first not in offered
        counts["declined"] += not offered
    strays = sum(bool(faq.nearest(text, least=least)) for text in data["off_topic"])
    shares = {name: number / len(asked) for name, number in counts.items()}
    return {**shares, "off_topic": strays / len(data["off_topic"])}


def main() -> None:
    """Print the table."""
    faq = Faq(load(str(HERE.parent / "faq.yaml")))
    names = ("right", "menu", "wrong", "declined", "off_topic")
    print("threshold " + " ".join(f"{name:>9}" for name in names))
    for least in THRESHOLDS:
        row = measure(faq, least)
        mark = "  <- used" if least == NEAR else ""
        print(f"{least:9.2f} " + " ".join(f"{row[name]:9.2f}" for name in names) + mark)


if __name__ == "__main__":
    main()
