"""Similarity of questions by embeddings, combined with words. No I/O.

A model's cosines only mean something among themselves. What is asked is therefore compared with chatter as well,
everyday sentences that no business lists. The threshold is calibrated on how near that chatter is to the entries, and
on how near the listed questions are to the nearest of another entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.support.chatter import CHATTER
from services.support.faq import OFFERED, Faq, Near, near

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

CHATTER_SHARE = 0.3  # of the nearness to chatter, taken off a cosine
CHATTER_QUANTILE = 0.85  # of how near chatter is to the entries: below it nothing is near
OTHERS_QUANTILE = 0.4  # the same of listed questions to other entries; the threshold is the mean of both
MIN_OTHERS = 10  # listed questions; of fewer there is nothing to learn
WORDS = 0.03  # what full likeness in words adds to a cosine
ANSWERS = 0.2  # share of an answer's cosine in an entry's, where it is above that of the questions
BEHIND = 0.06  # entries so far behind the best are not offered


class MeaningIndex:
    """The embeddings of a FAQ. `vectors`: a row per listed question, then one per entry, then one per CHATTER."""

    def __init__(self, faq: Faq, vectors: Vectors) -> None:
        import numpy as np

        self._faq = faq
        entries = faq.entries
        self._entry_of = np.array([at for at, entry in enumerate(entries) for _ in entry.questions])
        self._listed = [question for entry in entries for question in entry.questions]
        count = len(self._listed)
        self._questions, self._answers = vectors[:count], vectors[count : count + len(entries)]
        self._chatter = vectors[count + len(entries) :]
        self.threshold = self._calibrated()

    @staticmethod
    def texts(faq: Faq) -> list[str]:
        """Return the texts to embed, in the order of `vectors`."""
        questions = [question for entry in faq.entries for question in entry.questions]
        answers = [f"{one.questions[0]}\n{one.answer}" if one.is_passage else one.answer for one in faq.entries]
        return [*questions, *answers, *CHATTER]

    @property
    def dimensions(self) -> int:
        """Dimensions of the vectors."""
        return int(self._questions.shape[1])

    def _calibrated(self) -> float:
        import numpy as np

        like = self._chatter @ self._chatter.T
        np.fill_diagonal(like, -1.0)  # none is compared with itself
        nearness = [self._ranked(text, row)[0].score for text, row in zip(CHATTER, self._chatter, strict=True)]
        chatter = np.array(nearness) + CHATTER_SHARE * (
            (self._chatter @ self._chatter.T).max(axis=1) - like.max(axis=1)
        )
        threshold = float(np.quantile(chatter, CHATTER_QUANTILE))
        others = self._others()
        if len(others) < MIN_OTHERS:
            return threshold
        return (threshold + float(np.quantile(others, OTHERS_QUANTILE))) / 2

    def _others(self) -> Vectors:
        """Return the similarity of each listed question to the nearest question of another entry."""
        import numpy as np

        rows = np.array([not self._faq.entries[at].is_passage for at in self._entry_of], dtype=bool)
        questions, entry_of = self._questions[rows], self._entry_of[rows]
        near = questions @ questions.T
        near[entry_of[:, None] == entry_of[None, :]] = -1.0
        others = near.max(axis=1, initial=-1.0)
        found = others - CHATTER_SHARE * (questions @ self._chatter.T).max(axis=1, initial=-1.0)
        kept: Vectors = found[others > -1.0]
        return kept

    def nearest(self, text: str, vector: Vectors, number: int = OFFERED) -> list[Near]:
        """Return the most similar entries, best first; none if the best is below the threshold. `vector`: one row."""
        ranked = self._ranked(text, vector[0])
        if not ranked or ranked[0].score < self.threshold:
            return []
        return [one for one in ranked[:number] if one.score >= ranked[0].score - BEHIND]

    def _ranked(self, text: str, vector: Vectors) -> list[Near]:
        import numpy as np

        by_question, by_answer = self._questions @ vector, self._answers @ vector
        chatter = CHATTER_SHARE * float((self._chatter @ vector).max())
        best = np.full(len(self._faq.entries), -1.0, dtype=np.float32)
        np.maximum.at(best, self._entry_of, by_question)
        shares = np.array([1.0 if entry.is_passage else ANSWERS for entry in self._faq.entries])
        scores = best + shares * np.maximum(0.0, by_answer - best) - chatter
        words = {id(one.entry): one.score for one in self._faq.ranked(text, len(self._faq))}
        scores += WORDS * np.array([words.get(id(entry), 0.0) for entry in self._faq.entries])
        order = np.argsort(-scores, kind="stable")[:OFFERED]
        return [near(self._question(int(at), by_question), self._faq.entries[at], float(scores[at])) for at in order]

    def _question(self, at: int, by_question: Vectors) -> str:
        """The nearest question of an entry."""
        import numpy as np

        rows = np.flatnonzero(self._entry_of == at)
        return self._listed[int(rows[by_question[rows].argmax()])]
