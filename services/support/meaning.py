"""Similarity of questions by embeddings, combined with words. No I/O.

Cosines are not comparable between models, so the threshold is calibrated on the listed questions: the similarity of
each to the nearest question of another entry. A customer's question must be more similar than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.support.faq import OFFERED, Faq, Near, near

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

QUANTILE = 0.4  # quantile of those similarities that is the threshold
WORDS = 0.05  # added to the cosine for full lexical similarity
ANSWERS = 0.3  # weight of an answer's cosine, where it is above that of the questions
BEHIND = 0.06  # entries whose score is lower than the best by more than this are not offered


class MeaningIndex:
    """The embeddings of a FAQ. `vectors`: a row per listed question, then one per answer."""

    def __init__(self, faq: Faq, vectors: Vectors) -> None:
        import numpy as np

        self._faq = faq
        entries = faq.entries
        self._entry_of = np.array([at for at, entry in enumerate(entries) for _ in entry.questions])
        self._listed = [question for entry in entries for question in entry.questions]
        self._questions, self._answers = vectors[: len(self._listed)], vectors[len(self._listed) :]
        self.threshold = self._calibrated()

    @staticmethod
    def texts(faq: Faq) -> list[str]:
        """Return the texts to embed, in the order of `vectors`."""
        questions = [question for entry in faq.entries for question in entry.questions]
        return questions + [
            f"{entry.questions[0]}\n{entry.answer}" if entry.is_passage else entry.answer for entry in faq.entries
        ]

    @property
    def dimensions(self) -> int:
        """Dimensions of the vectors."""
        return int(self._questions.shape[1])

    def _calibrated(self) -> float:
        import numpy as np

        near = self._questions @ self._questions.T
        near[self._entry_of[:, None] == self._entry_of[None, :]] = -1.0
        others = near.max(axis=1)
        others = others[others > -1.0]
        return float(np.quantile(others, QUANTILE)) if len(others) else 0.85

    def nearest(self, text: str, vector: Vectors, number: int = OFFERED, least: float | None = None) -> list[Near]:
        """Return the most similar entries, best first; none if the best is below the threshold. `vector`: one row."""
        import numpy as np

        asked = vector[0]
        by_question, by_answer = self._questions @ asked, self._answers @ asked
        words = {id(one.entry): one.score for one in self._faq.ranked(text, len(self._faq))}
        scored: list[Near] = []
        for at, entry in enumerate(self._faq.entries):
            rows = np.flatnonzero(self._entry_of == at)
            best = rows[by_question[rows].argmax()]
            cosine = float(by_question[best])
            cosine += (1.0 if entry.is_passage else ANSWERS) * max(0.0, float(by_answer[at]) - cosine)
            scored.append(near(self._listed[best], entry, cosine + WORDS * words.get(id(entry), 0.0)))
        scored.sort(key=lambda one: -one.score)
        if not scored or scored[0].score < (self.threshold if least is None else least):
            return []
        return [one for one in scored[:number] if one.score >= scored[0].score - BEHIND]
