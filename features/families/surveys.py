"""What an account says of us: answers to surveys on their own scales, and what is said elsewhere, by its sentiment."""

from features.definitions import Derived, Feature, Selected, at_least, at_most, difference, events, ratio

QUARTER, YEAR = 90, 365

PROMOTER, DETRACTOR = 9, 6
"""An answer of 9 or 10 to "would you recommend us" is a promoter's, one of 0 to 6 a detractor's (Reichheld 2003)."""
NEGATIVE = -0.3
"""Sentiment from here down counts as negative."""

recommend = events("engagement", kind="survey", scale="nps")
satisfied = events("engagement", kind="survey", scale="csat")
easy = events("engagement", kind="survey", scale="ces")
judged = events("engagement")
"""Every event with a sentiment: opinions, mails, notes of meetings."""


def net_promoters(answers: Selected, days: float) -> Derived:
    """Promoters less detractors, per answer: −1 to 1."""
    promoters, detractors = answers.where(score=at_least(PROMOTER)), answers.where(score=at_most(DETRACTOR))
    answered = answers.where(score=at_least(0))
    return ratio(difference(promoters.count(days=days), detractors.count(days=days)), answered.count(days=days))


_NOT_ANSWERED = "not asked, or not answered, in that time"

FEATURES = (
    Feature(
        "surveys_nps_last", recommend.last("score"), "latest answer to would you recommend us", "0-10", "never answered"
    ),
    Feature(
        "surveys_nps_net_365d",
        net_promoters(recommend, YEAR),
        "promoters less detractors per answer of the last 365 days to would you recommend us",
        "net share",
        _NOT_ANSWERED,
    ),
    Feature(
        "surveys_nps_change",
        difference(recommend.last("score"), recommend.mean("score")),
        "latest answer to would you recommend us, less the average of all",
        "points",
        "never answered",
    ),
    Feature(
        "surveys_days_since_detractor",
        recommend.where(score=at_most(DETRACTOR)).days_since_last(),
        "time since somebody of the account last said that they would not recommend us (0 to 6)",
        "days",
        "nobody ever did",
    ),
    Feature(
        "surveys_satisfaction_mean_365d",
        satisfied.mean("score", days=YEAR),
        "average satisfaction in surveys of the last 365 days",
        "1-5",
        _NOT_ANSWERED,
    ),
    Feature(
        "surveys_effort_mean_365d",
        easy.mean("score", days=YEAR),
        "how easy we are to work with, on average in surveys of the last 365 days",
        "1-7",
        _NOT_ANSWERED,
    ),
    Feature(
        "surveys_sentiment_mean_90d",
        judged.mean("sentiment", days=QUARTER),
        "how what was said in the last 90 days sounds, on average",
        "sentiment",
        "nothing was said, or not judged",
    ),
    Feature(
        "surveys_sentiment_change_90d",
        difference(judged.mean("sentiment", days=QUARTER), judged.mean("sentiment", days=YEAR)),
        "how what was said in the last 90 days sounds, less how it sounded over the last 365",
        "change of sentiment",
        "nothing was said in the last 90 days, or not judged",
    ),
    Feature(
        "surveys_negative_count_90d",
        judged.where(sentiment=at_most(NEGATIVE)).count(days=QUARTER),
        "negative things said in the last 90 days",
        "times",
        "0: none, or not judged",
    ),
)
