import threading
from hashlib import sha256

import pytest
from huggingface_hub import ModelCard

from records.blobs import LocalBlobs
from records.database import Database
from records.models import Dataset, ModelFile
from records.queries import events, jobs, models
from records.states import JobState
from tests import factories
from worker import cards
from worker.engine import Engine

FEW = [
    "linear",
    {"name": "label_efficiency", "labels_per_class": [1, 2], "steps": 2, "batch_size": 8, "draws": 2, "learning_rates": [0.001]},
]


def card_of(database: Database, blobs: LocalBlobs, model: str) -> str:
    """The card, after a look at whether everything about its file is right."""
    with database.read() as session:
        files = {file.name: file for file in models.get(session, model).files}
        contents = {name: blobs.path(file.key).read_bytes() for name, file in files.items()}
    for name, file in files.items():
        assert (len(contents[name]), sha256(contents[name]).hexdigest()) == (file.bytes, file.sha256)
    told = dict(line.split("  ")[::-1] for line in contents["SHA256SUMS"].decode().splitlines())
    assert told == {name: file.sha256 for name, file in files.items() if name != "SHA256SUMS"}
    return contents["README.md"].decode()


class TestCard:
    def test_tells_of_an_evaluation_and_of_the_next_instead(
        self,
        engine: Engine,
        database: Database,
        blobs: LocalBlobs,
        evaluate,
        labelled: str,
        model_id: str,
        read_job,
    ):
        before = card_of(database, blobs, model_id)
        assert "## Evaluation" not in before
        found = []
        for seed in (0, 1):
            job_id = evaluate(protocols=FEW, seed=seed)
            engine.work(job_id)
            assert read_job(job_id).state == JobState.SUCCEEDED
            found.append(read_job(job_id).evaluation_id)
        card = card_of(database, blobs, model_id)
        assert found[0] not in card
        assert card.count("## Evaluation") == card.count("### On labelled.zip") == 1
        with database.read() as session:
            report = factories.Evaluation.__table__
            (told,) = session.execute(report.select().where(report.c.id == found[1])).mappings()
        assert f"evaluation `{found[1]}`, dataset `{labelled}`: 4 classes, 64 training and 16 test images" in card
        linear = told["report"]["linear"]
        assert f"| {linear['pretrained']['accuracy']:.1%} (" in card
        assert f"| {linear['untrained']['accuracy']:.1%} |" in card
        best = linear["pretrained"]["best_stage"]
        assert f"`{best}`" in card
        assert ("pretext export" in card) == (best != "stage4")
        assert "| labels per class | fine-tuned | linear probe | from scratch | labels that training from scratch needs |" in card
        assert told["sentence"].split("%")[0][:40] in card
        (result,) = ModelCard(card).data.eval_results
        assert (result.dataset_name, result.metric_type) == ("labelled.zip", "accuracy")
        assert result.metric_value == pytest.approx(linear["pretrained"]["accuracy"], abs=1e-4)

    def test_has_a_section_for_each_dataset(self, database: Database, blobs: LocalBlobs, model_id: str):
        report = {"sentence": "100% | <b>right</b>", "knn": {who: {"accuracy": 0.5, "interval": [0.4, 0.6]} for who in WHO}}
        report["knn"]["pretrained"]["best_stage"] = "stage2"
        for name in ("first", "second\n# title\x00"):
            with database.write() as session:
                dataset: Dataset = factories.dataset(session, name=name)
                made = factories.evaluation(session, model_id=model_id, dataset_id=dataset.id, report=report)
                cards.rewrite(session, blobs, model_id, made.id)
        card = card_of(database, blobs, model_id)
        assert card.count("### On ") == 2
        assert "### On second \\# title \n" in card
        assert "100% \\| \\<b\\>right\\</b\\>" in card
        assert f"pretext export {model_id} --stage stage2 --watch" in card
        assert len(ModelCard(card).data.eval_results) == 2

    def test_the_one_before_goes_when_the_new_one_is_safe(
        self,
        database: Database,
        blobs: LocalBlobs,
        model_id: str,
    ):
        with database.read() as session:
            before = blobs.path(models.file(session, model_id, "README.md").key)

        def cut_short() -> None:
            with database.write() as session:
                cards.rewrite(session, blobs, model_id, "eval_1")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            cut_short()
        cards.discard(blobs, model_id, "eval_1")
        assert before.is_file()
        assert card_of(database, blobs, model_id)
        with database.write() as session:
            cards.rewrite(session, blobs, model_id, "eval_2")
        assert not before.exists()
        assert card_of(database, blobs, model_id)

    def test_uploaded_weights_get_one_by_it(self, database: Database, blobs: LocalBlobs):
        with blobs.writer("models/mine/config.json") as writer:
            writer.write(b'{"encoder": {"name": "resnet18", "stem": "standard"}, "features": 512, "image_size": 224}')
        file = ModelFile(name="config.json", key="models/mine/config.json", bytes=1, sha256="0" * 64)
        report = {"sentence": "so", "knn": {who: {"accuracy": 0.5, "interval": [0.4, 0.6], "best_stage": "layer3"} for who in WHO}}
        with database.write() as session:
            mine = factories.model(session, task="imported", files=[file]).id
            made = factories.evaluation(session, model_id=mine, dataset_id="ds_gone", report=report)
            cards.rewrite(session, blobs, mine, made.id)
        with database.read() as session:
            card = blobs.path(models.file(session, mine, "README.md").key).read_text()
        assert "# resnet18, trained elsewhere" in card
        assert "### On ds\\_gone" in card
        assert f"pretext export {mine} --stage layer3 --watch" in card

    def test_two_at_once_both_come_onto_it(self, database: Database, blobs: LocalBlobs, model_id: str):
        report = {"sentence": "so", "knn": {who: {"accuracy": 0.5, "interval": [0.4, 0.6], "best_stage": "stage4"} for who in WHO}}
        together = threading.Barrier(3)

        def tell() -> None:
            together.wait(5)
            with database.write() as session:
                dataset = factories.dataset(session)
                made = factories.evaluation(session, model_id=model_id, dataset_id=dataset.id, report=report)
                cards.rewrite(session, blobs, model_id, made.id)

        threads = [threading.Thread(target=tell) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert card_of(database, blobs, model_id).count("### On ") == 3

    def test_what_goes_wrong_with_it_does_not_cost_the_evaluation(
        self,
        engine: Engine,
        database: Database,
        blobs: LocalBlobs,
        evaluate,
        model_id: str,
        read_job,
        tmp_path,
    ):
        (tmp_path / "config.json").write_text('{"encoder": {"name": "tiny", "stem": "standard"}, "image_size": 32}')
        blobs.put("models/odd/config.json", tmp_path / "config.json")
        with database.write() as session:
            models.file(session, model_id, "config.json").key = "models/odd/config.json"
        job_id = evaluate(protocols=["knn"])
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        with database.read() as session:
            messages = [str(event.data.get("message")) for event in events.page(session, job_id, after=0, limit=500)[0]]
            assert jobs.get(session, job_id).evaluation_id
        assert any("the model's card does not tell of this evaluation" in message for message in messages)


WHO = ("pretrained", "untrained")
