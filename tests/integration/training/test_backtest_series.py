"""Quality over time and lead times, beside a slow reckoning from the plain orders."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from training_company import company, rule_model

from features.catalog import named
from registry.versions import load_alias
from registry.writer import log_and_register
from serving.scoring.scores import percentile_in as served
from training.backtest.series import dates_between, evaluate_series, losses, percentile_in
from training.data.dataset import labelled
from training.data.targets import ChurnTarget, HorizonOpen
from training.metrics.probabilities import log_losses

HORIZON, EVERY = timedelta(days=60), timedelta(days=30)
DATES = [datetime(2022, 10, 1, tzinfo=UTC) + step * EVERY for step in range(11)]
CLOSED = DATES[:10]
KNOWN_BY = datetime(2023, 9, 1, tzinfo=UTC)
DAYS = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def record(history, blank_store, tmp_path_factory):
    """A rule whose high band is: no order for 15 days and more (a log-odds above that of nine tenths of the reference)."""
    folder = tmp_path_factory.mktemp("record")
    uri = f"sqlite:///{folder}/mlflow.db"
    (folder / "mlflow.db").write_bytes(blank_store.read_bytes())
    log_and_register(rule_model(10.0, -10.0 * np.log(16.0) + 2.2, trained_as_of=DATES[6]), uri)
    ask = {"name": "acme-churn", "tracking_uri": uri, "known_by": KNOWN_BY}
    return evaluate_series(history, DATES, report_to=folder / "page.html", **ask), load_alias(uri, "acme-churn")


def reckoned():
    """Losses and their warnings, account by account from the plain orders: slow, and nothing shared with the code."""
    for account, streams in company().items():
        known = [order for order in streams["purchases"] if order["known_at"] <= KNOWN_BY]
        moments = sorted(order["occurred_at"] for order in known)
        for last, following in zip(moments, [*moments[1:], datetime.max.replace(tzinfo=UTC)], strict=True):
            told = [date for date in CLOSED if last <= date and date + HORIZON < following and scored(known, date)]
            if last >= DATES[0] and told:
                yield account, last, warning(known, last + HORIZON)


def scored(known, date):
    """Eligible: an order within 180 days before, as was known then."""
    return any(date - timedelta(days=180) < one["occurred_at"] <= date and one["known_at"] <= date for one in known)


def warning(known, lost_at):
    """The first of the last unbroken dates before the loss on which the account had been silent for 15 days and more."""
    first = None
    for date in reversed([date for date in CLOSED if date < lost_at and scored(known, date)]):
        seen = max(one["occurred_at"] for one in known if one["known_at"] <= date and one["occurred_at"] <= date)
        if date - seen < timedelta(days=15):
            break
        first = date
    return first


def test__evaluate_series__losses__as_reckoned_from_the_orders(record):
    """Orders entered six weeks late included: who warns knows only what was known, who counts losses knows it all."""
    found, _ = record
    expected = sorted(reckoned())
    assert len(expected) > 50
    assert [(one.account_id, one.last_order, one.warned_at) for one in found.losses] == expected
    days = [(last + HORIZON - warned) / DAYS for _, last, warned in expected if warned]
    assert found.lead["median_days"] == pytest.approx(np.median(days))
    assert (found.lead["lost"], found.lead["warned"]) == (len(expected), len(days))
    assert found.lead["warned"] + found.lead["withdrawn"] + found.lead["never"] == found.lead["lost"]


def test__evaluate_series__each_date__as_if_asked_for_alone(record, history):
    """Many dates in one go give what a table of one date gives."""
    found, model = record
    alone = labelled(history, ChurnTarget("churn", 60, 180), [DATES[3]], named(model.features), KNOWN_BY)
    said, point = model.answers(alone.matrix), found.points[3]
    assert point.as_of == DATES[3]
    assert point.evaluation.rows == len(alone)
    assert (point.happened, point.foreseen) == pytest.approx((alone.labels.mean(), said.mean()))
    assert point.evaluation.metrics["model"]["log_loss"].value == pytest.approx(log_losses(said, alone.labels).mean())
    assert point.high_churned == alone.labels[said > 0.9].sum()


def test__evaluate_series__dates_the_training_had_seen__are_marked(record):
    """Trained at the seventh date: it knew five horizons whole, one in part, and nothing of the four later ones."""
    found, _ = record
    assert [point.seen for point in found.points] == ["all of"] * 5 + ["part of"] + [""] * 4
    assert found.notes[0].startswith("1 of 11 dates are left out")
    assert found.notes[1].startswith("6 of 10 dates are no fair test")


def test__evaluate_series__page__picture_and_lead_time_in_one_file(record):
    """One file, without anything from elsewhere."""
    found, _ = record
    text = found.report_path.read_text(encoding="utf-8")
    assert text.count("<svg") == 1
    assert "<script" not in text
    assert f"Of {found.lead['warned']} (" in text
    assert f"for {found.lead['median_days']:.0f} days in the median" in text
    assert text.count("<tr>") == 1 + len(found.points)


def rows(*dates_high_churned, last_order="2023-01-01"):
    """One account: (date, in the high band, churned) a row, all with the same last order."""
    moments = pd.to_datetime([date for date, *_ in dates_high_churned], utc=True)
    high, churned = zip(*((high, churned) for _, high, churned in dates_high_churned), strict=True)
    return pd.DataFrame(
        {
            "account_id": "a",
            "as_of": moments,
            "last_order": pd.Timestamp(last_order, tz="UTC"),
            "high": high,
            "churned": churned,
        }
    )


def one_loss(*given):
    (loss,) = losses(rows(*given), HORIZON, datetime(2022, 1, 1, tzinfo=UTC))
    return loss


def test__losses__high_and_stayed__lead_from_the_first_date_of_the_run():
    """Lost on 2023-03-02 (60 days after the last order); high from 2023-02-01 on: 29 days before. The first high of all went."""
    loss = one_loss(
        ("2022-12-01", True, 0.0), ("2023-01-02", False, 1.0), ("2023-02-01", True, 1.0), ("2023-03-01", True, 1.0)
    )
    assert loss.lost_at == datetime(2023, 3, 2, tzinfo=UTC)
    assert (loss.lead_days, loss.at_least, loss.withdrawn) == (29.0, False, False)


def test__losses__high_only_after_the_loss__is_no_warning():
    """Whoever says on 2023-03-15 that the account is lost tells nothing new."""
    loss = one_loss(("2023-01-02", False, 1.0), ("2023-03-15", True, 1.0))
    assert loss.warned_at is None
    assert not loss.withdrawn
    assert np.isnan(loss.lead_days)


def test__losses__high_and_low_again__withdrawn():
    """A warning that was taken back before the loss warned nobody."""
    loss = one_loss(("2023-01-02", True, 1.0), ("2023-02-01", False, 1.0))
    assert (loss.warned_at, loss.withdrawn) == (None, True)


def test__losses__high_from_the_first_date_on__at_least_that_long():
    """What was before the record nobody can tell."""
    assert one_loss(("2022-12-01", True, 0.0), ("2023-02-01", True, 1.0)).at_least


def test__losses__silence_began_before_the_record__left_out():
    """Its warning may lie anywhere before."""
    since = datetime(2023, 1, 2, tzinfo=UTC)
    assert list(losses(rows(("2023-01-05", True, 1.0)), HORIZON, since)) == []


def test__percentile_in__any_scores__as_served():
    """The band of the past is the band that the service would have given."""
    reference, scores = np.sort(np.round(np.random.default_rng(0).random(101), 2)), np.linspace(0, 1, 50)
    assert (percentile_in(reference, scores) == served(reference, scores)).all()


def test__dates_between__steps_of_elapsed_days__last_included_where_met():
    """By hand; and an end before the beginning is refused."""
    first = datetime(2023, 1, 1, tzinfo=UTC)
    assert dates_between(first, first + timedelta(days=60), 30) == (first, first + EVERY, first + 2 * EVERY)
    assert dates_between(first, first + timedelta(days=59), 30) == (first, first + EVERY)
    with pytest.raises(ValueError, match="would end on 2022-12-31, before it begins on 2023-01-01"):
        dates_between(first, first - timedelta(days=1), 30)


def test__evaluate_series__no_horizon_closed__says_which_date_could_be_judged(history, new_store):
    """Nothing has closed: the newest date that could be judged is named."""
    log_and_register(rule_model(), new_store)
    with pytest.raises(HorizonOpen, match="the newest date to be judged is 2023-07-02"):
        evaluate_series(history, [KNOWN_BY], name="acme-churn", tracking_uri=new_store, known_by=KNOWN_BY)
