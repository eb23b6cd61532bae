"""Holds two tellings of the same words against each other: what was said, and what was recorded.

First whole turns are matched (most are the same), then words between two matched turns. A mask such as
[CARD_1] stands for any words. What is left over on one side was lost, on the other it is too much."""
import bisect
import dataclasses

MASK_WORDS_MAX = 24
MISTAKEN_MAX = 3  # neighbouring pairs
MASKED = 0.5  # what a masked word weighs against one that is there


@dataclasses.dataclass
class Match:
    """Of each turn, by its index: the words that found no partner, and the partner of whole turns."""

    left_said: dict  # index of a truth turn: [words]
    left_told: dict  # index of a record turn: [words]
    pairs: list  # [(truth index, record index)], both rising


def common(a, b, weight, same):
    """Pairs of the heaviest common subsequence. `same(x, y)`, `weight(x)`."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if same(a[i], b[j]):
                best[i][j] = max(best[i][j], best[i + 1][j + 1] + weight(a[i]))
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if same(a[i], b[j]) and best[i][j] == best[i + 1][j + 1] + weight(a[i]):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def is_mask(word):
    return word.startswith("[")


def mask_reach(a, i):
    """How many words of `a` a mask at word i may stand for: all of one turn."""
    last = i
    while last < len(a) and last - i < MASK_WORDS_MAX and a[last][1] == a[i][1]:
        last += 1
    return last - i


def align_words(a, b):
    """Indexes of the words of `a` and of `b`, (word, turn), that found no partner. A mask in `b` takes
    words of one turn of `a`, but rather none that has a partner of its own."""
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    step = {}
    for i in reversed(range(len(a) + 1)):
        for j in reversed(range(len(b) + 1)):
            options = []
            if i < len(a) and j < len(b) and a[i][0] == b[j][0]:
                options.append((best[i + 1][j + 1] + 1, (1, 1)))
            if i < len(a) and j < len(b) and is_mask(b[j][0]):
                options += [(best[i + k][j + 1] + k * MASKED, (k, 1))
                            for k in range(1, mask_reach(a, i) + 1)]
            if i < len(a):
                options.append((best[i + 1][j], (1, 0)))
            if j < len(b):
                options.append((best[i][j + 1], (0, 1)))
            if options:
                best[i][j], step[i, j] = max(options, key=lambda o: o[0])
    left_a, left_b, i, j = [], [], 0, 0
    while (i, j) in step:
        di, dj = step[i, j]
        if not dj:
            left_a.append(i)
        elif not di:
            left_b.append(j)
        i, j = i + di, j + dj
    return left_a, left_b


def match(truth, record):
    """`truth` and `record`: turns as lists of words."""
    pairs = common(truth, record, lambda turn: len(turn) ** 2 + 1, lambda x, y: x == y and bool(x))
    pairs = _without_mistaken(truth, record, pairs)
    left_said, left_told = {}, {}
    for said, told in _left_between(truth, record, _bounds(truth, record, pairs)):
        for word, turn in said:
            left_said.setdefault(turn, []).append(word)
        for word, turn in told:
            left_told.setdefault(turn, []).append(word)
    return Match(left_said, left_told, pairs)


def _bounds(truth, record, pairs):
    return [(-1, -1), *pairs, (len(truth), len(record))]


def _left_between(truth, record, bounds):
    """[(words of the truth, words of the record)] without a partner between two matched turns each."""
    found = []
    for (i0, j0), (i1, j1) in zip(bounds, bounds[1:]):
        a = [(w, i) for i in range(i0 + 1, i1) for w in truth[i]]
        b = [(w, j) for j in range(j0 + 1, j1) for w in record[j]]
        left_a, left_b = align_words(a, b)
        found.append(([a[k] for k in left_a], [b[k] for k in left_b]))
    return found


def _without_mistaken(truth, record, pairs):
    """Of sentences that were said several times and cut once the whole ones may be matched crosswise:
    pairs that leave more words alone than there would be without them are none."""
    k = 0
    while k < len(pairs):
        for run in range(1, MISTAKEN_MAX + 1):
            bounds = _bounds(truth, record, pairs)[k:k + run + 2]
            if len(bounds) == run + 2 and _is_better_without(truth, record, bounds):
                pairs = pairs[:k] + pairs[k + run:]
                break
        else:
            k += 1
    return pairs


def _is_better_without(truth, record, bounds):
    def left(some):
        return sum(len(a) + len(b) for a, b in _left_between(truth, record, some))

    beside = left(bounds)
    return beside > 0 and left([bounds[0], bounds[-1]]) < beside


def is_run_of(words, text):
    """Whether `words` stand in `text` one behind the other."""
    n = len(words)
    return any(text[i:i + n] == words for i in range(len(text) - n + 1))


def out_of_order(values):
    """Indexes of values that do not belong to the longest rising run through them."""
    tails, at, before = [], [], {}
    for i, value in enumerate(values):
        k = bisect.bisect_right(tails, value)
        tails[k:k + 1] = [value]
        at[k:k + 1] = [i]
        before[i] = at[k - 1] if k else None
    kept, i = set(), at[-1] if at else None
    while i is not None:
        kept.add(i)
        i = before[i]
    return [i for i in range(len(values)) if i not in kept]
