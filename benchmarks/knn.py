"""kNN beside a bare matrix product: time of 10,000 queries among 50,000 features of 512 numbers, by ours and by others.

Run it by `python -m benchmarks.knn [--repeats 3]`. All ways are taken in turn, on one thread, and the processor's time is told:
waiting for others on the machine does not lengthen it. "Product" is the fp32 product of all queries and references alone, which any
exact search in fp32 has to compute.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import numpy.typing as npt
import torch
from sklearn.neighbors import KNeighborsClassifier

from ssl_core.evaluate.knn import knn_predict

_CHUNK = 1024
_K, _TEMPERATURE = 20, 0.07

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def noise(count: int, width: int) -> tuple[Floats, Labels]:
    """Features that know nothing: as hard to tell apart as can be."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(count, width)).astype(np.float32), generator.integers(0, 100, count)


def like_features(count: int, width: int) -> tuple[Floats, Labels]:
    """Features as behind a ReLU: of few dimensions in truth, in clusters, all pointing one way."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 100, count)
    inner = 0.6 * generator.normal(size=(100, 64))[labels] + generator.normal(size=(count, 64))
    mixed = inner @ (generator.normal(size=(64, width)) * np.linspace(3, 0.1, 64)[:, None])
    return np.maximum(mixed + 0.2 * generator.normal(size=(count, width)) + 2, 0).astype(np.float32), labels


def product(references: Floats, queries: Floats) -> None:
    """All similarities, and nothing done with them."""
    known, asked = torch.from_numpy(references), torch.from_numpy(queries)
    room = torch.empty(_CHUNK, len(known))
    for part in asked.split(_CHUNK):
        torch.mm(part, known.T, out=room[: len(part)])


def product_and_topk(references: Floats, labels: Labels, queries: Floats) -> Labels:
    """What one writes by hand with torch."""
    known, asked = (torch.nn.functional.normalize(torch.from_numpy(one)) for one in (references, queries))
    truth, found = torch.from_numpy(labels), []
    for part in asked.split(_CHUNK):
        near = (part @ known.T).topk(_K)
        votes = torch.zeros(len(part), int(labels.max()) + 1, dtype=torch.float64)
        votes.scatter_add_(1, truth[near.indices], (near.values / _TEMPERATURE).exp().double())
        found.append(votes.argmax(1))
    return torch.cat(found).numpy()


def by_sklearn(references: Floats, labels: Labels, queries: Floats) -> Labels:
    """Brute force with the cosine distance."""
    weights: Callable[[Floats], Floats] = lambda far: np.exp((1 - far) / _TEMPERATURE)  # noqa: E731  what it takes
    classifier = KNeighborsClassifier(_K, metric="cosine", algorithm="brute", weights=weights, n_jobs=1)
    predicted: Labels = classifier.fit(references, labels).predict(queries)
    return predicted


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch; more than one spin while they wait for each other")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| features | way | processor seconds | to the product, median | same classes as ours |\n|---|---|---|---|---|")
    for name, make in (("noise", noise), ("like features", like_features)):
        features, labels = make(asked.references + asked.queries, asked.width)
        references, truth, queries = features[: asked.references], labels[: asked.references], features[asked.references :]
        ways: dict[str, Callable[[], Labels | None]] = {
            "product": lambda references=references, queries=queries: product(references, queries),
            "ours": lambda references=references, truth=truth, queries=queries: knn_predict(references, truth, queries),
            "product and topk": lambda references=references, truth=truth, queries=queries: product_and_topk(
                references, truth, queries
            ),
            "scikit-learn": lambda references=references, truth=truth, queries=queries: by_sklearn(references, truth, queries),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        answers: dict[str, Labels | None] = {}
        for _ in range(asked.repeats):
            for way, run in ways.items():
                started = time.process_time()
                answers[way] = run()
                seconds[way].append(time.process_time() - started)
        for way, taken in seconds.items():
            ratio = median(one / bare for one, bare in zip(taken, seconds["product"], strict=True))
            ours, theirs = answers["ours"], answers[way]
            same = "" if theirs is None or ours is None else f"{(ours == theirs).mean():.2%}"
            print(f"| {name} | {way} | {min(taken):.2f} | {ratio:.2f} | {same} |", flush=True)


if __name__ == "__main__":
    main()
