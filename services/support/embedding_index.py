"""Similarity of questions by embeddings, combined with words. No I/O.

An entry's score combines the cosine to its nearest question, the cosine to its answer and the similarity by words. The
cosines of a model can only be compared with each other. Therefore what is asked is also compared with chatter, everyday
sentences that no business lists, and the threshold is calibrated on the scores of that chatter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.support.chatter import CHATTER
from services.support.faq import MAX_OFFERED, FaqIndex, SimilarEntry, similar_entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

CENTRE_WEIGHT = 0.7  # of the mean vector that is subtracted, because all vectors of a model point in similar directions
ANSWER_WEIGHT = 0.8  # of the cosine to the answer, relative to that to the nearest question
WORDS_WEIGHT = 0.4  # of the similarity by words
CHATTER_SHARE = 0.3  # share of the similarity to the nearest chatter that is subtracted
CHATTER_QUANTILE = 0.86  # share of the chatter that must be below the threshold
MAX_GAP_TO_BEST = 0.25  # entries with a lower score are not offered


class EmbeddingIndex:
    """The embeddings of a FAQ. `vectors`: a row per listed question, then one per entry, then one per CHATTER."""

    def __init__(self, faq: FaqIndex, vectors: Vectors) -> None:
        import numpy as np

        self._faq = faq
        entries = faq.entries
        self._entry_of = np.array([index for index, entry in enumerate(entries) for _ in entry.questions])
        self._listed = [question for entry in entries for question in entry.questions]
        count = len(self._listed)
        questions, answers = vectors[:count], vectors[count : count + len(entries)]
        chatter = vectors[count + len(entries) :]
        self._centre = CENTRE_WEIGHT * (questions.mean(axis=0) + chatter.mean(axis=0)) / 2
        self._questions, self._chatter = _centred(questions, self._centre), _centred(chatter, self._centre)
        self._answers = _centred(answers, CENTRE_WEIGHT * answers.mean(axis=0))
        self._passages = np.array([entry.is_passage for entry in entries], dtype=bool)
        self.threshold = self._calibrated()

    @staticmethod
    def texts(faq: FaqIndex) -> list[str]:
        """Return the texts to embed, in the order of `vectors`."""
        questions = [question for entry in faq.entries for question in entry.questions]
        answers = [
            f"{entry.questions[0]}\n{entry.answer}" if entry.is_passage else entry.answer for entry in faq.entries
        ]
        return [*questions, *answers, *CHATTER]

    @property
    def dimensions(self) -> int:
        """Dimensions of the vectors."""
        return int(self._questions.shape[1])

    def _calibrated(self) -> float:
        """Return the score that most chatter does not reach."""
        import numpy as np

        similarity = self._chatter @ self._chatter.T
        np.fill_diagonal(similarity, -1.0)  # none is compared with itself
        scores = [
            self._scores(text, row, float(nearest)).max()
            for text, row, nearest in zip(CHATTER, self._chatter, similarity.max(axis=1), strict=True)
        ]
        return float(np.quantile(scores, CHATTER_QUANTILE))

    def nearest(self, text: str, vector: Vectors, number: int = MAX_OFFERED) -> list[SimilarEntry]:
        """Return the most similar entries, best first; none if the best is below the threshold. `vector`: one row."""
        import numpy as np

        query = _centred(vector, self._centre)[0]
        scores = self._scores(text, query, float((self._chatter @ query).max()))
        ranking = [int(index) for index in np.argsort(-scores, kind="stable")[:number]]
        if scores[ranking[0]] < self.threshold:
            return []
        threshold, entries = scores[ranking[0]] - MAX_GAP_TO_BEST, self._faq.entries
        offered = [index for index in ranking if scores[index] >= threshold]
        return [similar_entry(self._question(index, query), entries[index], float(scores[index])) for index in offered]

    def _scores(self, text: str, query: Vectors, chatter: float) -> Vectors:
        """Return the score of each entry.

        `query`: a centred vector; `chatter`: its similarity to the nearest chatter.
        """
        import numpy as np

        by_answer = self._answers @ query
        by_question = np.full(len(self._answers), -1.0, dtype=np.float32)
        np.maximum.at(by_question, self._entry_of, self._questions @ query)
        combined = (by_question + ANSWER_WEIGHT * by_answer) / (1 + ANSWER_WEIGHT)
        meaning = np.where(self._passages, np.maximum(combined, by_answer), combined)
        word_scores = self._faq.scores(text)
        by_words = np.array([word_scores.get(index, 0.0) for index in range(len(meaning))], dtype=np.float32)
        scores: Vectors = meaning + WORDS_WEIGHT * by_words - CHATTER_SHARE * chatter
        return scores

    def _question(self, index: int, query: Vectors) -> str:
        """Return the nearest question of an entry."""
        import numpy as np

        rows = np.flatnonzero(self._entry_of == index)
        return self._listed[int(rows[(self._questions[rows] @ query).argmax()])]


def _centred(vectors: Vectors, centre: Vectors) -> Vectors:
    """Return the vectors without the centre, of length 1."""
    import numpy as np

    shifted = vectors - centre
    unit: Vectors = shifted / np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-9)
    return unit
