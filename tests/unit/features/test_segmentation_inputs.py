"""The inputs of segmentation that the catalog does not have, on one history computed by hand."""

from datetime import timedelta

import pytest
from histories import AS_OF
from storing import store

from features.engine.table import build_feature_table
from features.families.segmentation import DAYS_KNOWN, DAYS_SERVED, ENGAGEMENT, FEATURES, NPS, ORDERS_BEFORE


def ago(days, **row):
    moment = AS_OF - timedelta(days=days)
    return {"occurred_at": moment, "known_at": moment} | row


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    accounts = {
        "buyer": {
            "purchases": [ago(days, kind="order", amount=1.0, order_id=str(days)) for days in (10, 190, 200, 360)],
            "engagement": [
                ago(500, kind="visit"), ago(200, kind="mail"), ago(100, kind="login"), ago(20, kind="mail"), ago(5, kind="visit"),
                ago(370, kind="survey", scale="nps", score=0.0), ago(300, kind="survey", scale="nps", score=10.0),
                ago(30, kind="survey", scale="nps", score=7.0), ago(30, kind="survey", scale="csat", score=1.0),
            ],
        },
        "holder": {"contracts": [ago(40, kind="signed", contract_id="c", term="open")]},
        "old friend": {"accounts": [ago(3, joined_at=AS_OF - timedelta(days=2000))]},
        "visitor": {"engagement": [ago(60, kind="visit")]},
        "name": {"accounts": [ago(7, name="N Ltd")]},
    }  # fmt: skip
    found = build_feature_table(store(tmp_path_factory.mktemp("segmentation"), accounts), AS_OF, FEATURES)
    return found.droplevel("as_of")


def test__days_served__since_it_joined_bought_or_signed__not_since_it_was_first_heard_of(table):
    served = {"buyer": 360, "holder": 40, "old friend": 2000, "visitor": 0, "name": 0}
    assert table[DAYS_SERVED.name].to_dict() == served
    assert table[DAYS_KNOWN.name].to_dict() == served | {"buyer": 500, "visitor": 60, "name": 7}


def test__nps__answers_of_a_year_alone(table):
    """10 and 7; the 0 of more than a year ago is over, and satisfaction is another question."""
    assert table.loc["buyer", NPS.name] == 8.5
    assert table[NPS.name].drop("buyer").isna().all()


def test__orders_before__the_half_year_before_the_last(table):
    """(as_of − 360, as_of − 180]: the order exactly 360 days ago is outside."""
    assert table[ORDERS_BEFORE.name].to_dict() == {"buyer": 2, "holder": 0, "old friend": 0, "visitor": 0, "name": 0}


def test__engagement__half_year_against_the_one_before(table):
    """Five contacts of the last 180 days (surveys are two of them), two of the 180 before: 3 / 7."""
    assert table.loc["buyer", ENGAGEMENT.name] == pytest.approx((5 - 2) / (5 + 2))
