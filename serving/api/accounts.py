"""GET /v1/accounts and /v1/accounts/{id}: lists to work through, and all about one account."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from features.history.streams import STREAMS
from features.timestamps import now
from serving.accounts import listing, profile
from serving.accounts.listing import After, Listing
from serving.api.cursors import cursor_of, foreign, place_of
from serving.api.dependencies import Served, Threads
from serving.api.problems import UNKNOWN_ACCOUNT
from serving.api.schemas.accounts import Account, Accounts, ListedAccount, Timeline, TimelineEvent, risk, stored_score
from serving.database.engine import reading
from serving.errors import UnknownAccount
from serving.online.in_service import InService
from serving.online.schemas import AccountId, Instant, Text

router = APIRouter()

MOST_LISTED = 500
MOST_EVENTS = 500


class EventPlace(BaseModel):
    """Where a page of a timeline ended."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: Instant
    known_at: Instant
    stream: str
    event_id: str


class ListPlace(BaseModel):
    """Where a page of a list ended, and in which order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sort: str
    descending: bool
    value: float | Text | None
    account_id: AccountId


class ListQuery(BaseModel):
    """Which accounts are listed, in which order. Of a parameter given several times any may hold."""

    model_config = ConfigDict(extra="forbid")

    band: list[Literal["low", "medium", "high"]] = Field(default=[], description="of the highest risk")
    tier: list[Text] = []
    quadrant: list[Text] = []
    segment: list[Text] = []
    severity: list[Literal["low", "medium", "high", "critical"]] = []
    owner: list[Text] = []
    region: list[Text] = []
    industry: list[Text] = []
    sort: Literal["value_at_stake", "value", "health", "name"] = "value_at_stake"
    order: Literal["ascending", "descending"] | None = Field(
        default=None,
        description="if absent: the most at stake, the most valuable, the least healthy first, names from A",
    )
    limit: int = Field(default=50, ge=1, le=MOST_LISTED)
    cursor: str | None = Field(default=None, description="`next` of the page before")
    count: bool = Field(default=False, description="whether to count the accounts on all pages")

    def listing(self) -> Listing:
        """What is asked for, but for the page."""
        having = {name: words for name in listing.FILTERS if (words := getattr(self, name))}
        natural = listing.DESCENDING[self.sort]
        return Listing(having, self.sort, natural if self.order is None else self.order == "descending")

    def after(self) -> After | None:
        """Where the page begins; MalformedRequest for a cursor of another order."""
        if self.cursor is None:
            return None
        place, asked = place_of(self.cursor, ListPlace), self.listing()
        kind = str if asked.sort == "name" else float
        if (place.sort, place.descending) != (asked.sort, asked.descending) or not isinstance(place.value, kind | None):
            raise foreign(self.cursor)
        return After(place.value, place.account_id)


class AccountQuery(BaseModel):
    """Which page of the timeline comes with the account."""

    model_config = ConfigDict(extra="forbid")

    stream: list[Literal[tuple(STREAMS)]] = Field(default=[], description="events of these streams; of all if absent")  # type: ignore[valid-type]
    limit: int = Field(default=50, ge=1, le=MOST_EVENTS, description="events in the timeline")
    cursor: str | None = Field(default=None, description="`timeline.next` of the answer before")


@router.get("/accounts")
async def accounts(service: Served, threads: Threads, query: Annotated[ListQuery, Query()]) -> Accounts:
    """Accounts as the last night left them, the most at stake first. Those without a value in the sorted column come last.

    Each page goes on where the one before ended, whatever has changed meanwhile.
    """
    return await threads.run(_page, service, query)


@router.get("/accounts/{account_id:path}", responses={HTTPStatus.NOT_FOUND: {"description": UNKNOWN_ACCOUNT.title}})
async def account(
    account_id: Annotated[AccountId, Path(examples=["17850"])],
    service: Served,
    threads: Threads,
    query: Annotated[AccountQuery, Query()],
) -> Account:
    """All about one account: what it is and did, up to this moment, and how the last night left it.

    Its timeline comes page by page, the newest first; events that arrive between two pages repeat and hide no other.
    """
    return await threads.run(_account, service, account_id, query, service.settings.moment or now())


def _page(service: InService, query: ListQuery) -> Accounts:
    asked = query.listing()
    with reading(service.database) as connection:
        rows, after = listing.page(connection, asked, query.limit, query.after())
        risks = listing.risks_of(connection, [row.account_id for row in rows])
        count = listing.count(connection, asked) if query.count else None
    return Accounts(
        accounts=[
            ListedAccount(segmentation=row, risks=list(map(risk, risks.get(row.account_id, ())))) for row in rows
        ],
        next=cursor_of(ListPlace(sort=asked.sort, descending=asked.descending, **vars(after))) if after else None,
        count=count,
    )


def _account(service: InService, account_id: str, query: AccountQuery, as_of: datetime) -> Account:
    known = service.accounts.known([account_id]).get(account_id)
    if known is None or known.first_known > as_of:
        raise UnknownAccount(f"nothing is known of account '{account_id}' as of {as_of.isoformat()}")
    with reading(service.database) as connection:
        stored = profile.stored(connection, account_id)
    return Account(
        account_id=account_id,
        as_of=as_of,
        first_known=known.first_known,
        attributes=profile.attributes(known, as_of),
        contacts=[{**row, "since": row["occurred_at"]} for row in profile.contacts(known, as_of)],
        segmentation=stored.segmentation,
        scores=[_stored_score(row, stored, service) for row in stored.scores],
        moves=stored.moves,
        interventions=stored.interventions,
        past_interventions=stored.past_interventions,
        warnings=stored.warnings,
        not_chosen=stored.not_chosen,
        timeline=_timeline(known, query, as_of),
    )


def _stored_score(row: Any, stored: profile.Stored, service: InService) -> BaseModel:
    served = service.models.get(row.target)
    return stored_score(row, stored.history.get(row.target, []), served.target.definition if served else None)


def _timeline(known: profile.HasEvents, query: AccountQuery, as_of: datetime) -> Timeline:
    before = profile.Place(**vars(place_of(query.cursor, EventPlace))) if query.cursor else None
    events, last = profile.timeline(known, as_of, query.stream or list(STREAMS), query.limit, before)
    after = cursor_of(EventPlace(**last._asdict())) if last else None
    return Timeline(events=[_event(*event) for event in events], next=after)


def _event(place: profile.Place, row: profile.Event) -> TimelineEvent:
    own = (column.name for column in STREAMS[place.stream].own_columns)
    details = {name: row[name] for name in own if row.get(name) is not None}
    return TimelineEvent(**place._asdict(), details=details)
