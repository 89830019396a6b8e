"""One seed, one story: everything that can go wrong at once, drawn from keyed hashes, so that a seed plays it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from engine.domain.news import NOES, DeliveryNews, NewsKind
from engine.steps import receiving, subscribing, suppressing
from engine.store import pauses
from engine.store.message_tables import MessageEvent
from engine.store.tables import Address, Customer
from tests.people import NOW
from tests.simulation.judge import RELEASED, Promise, Verdict, judge
from tests.simulation.life import DAY, LAST_DAY, MESSAGES, Program, any_open, next_look, scalar
from tests.simulation.provider import KEYED, LOOKED_UP, SETTLES, Book, Outcome, Style, Taken, Voice
from tests.simulation.shop import lay_out, live_store, shop, with_people
from tests.simulation.stage import Crash, Process, Stage

Thing = TypeVar("Thing")
EVENTS: sa.Table = MessageEvent.__table__  # type: ignore[attr-defined]
ADDRESSES: sa.Table = Address.__table__  # type: ignore[attr-defined]
CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PAUSES = (5 * SECOND, MINUTE, MINUTE, 5 * MINUTE, 11 * MINUTE, 25 * MINUTE, 90 * MINUTE)
"""From one tick to the next."""
DOWN = (10 * SECOND, MINUTE, 5 * MINUTE, 40 * MINUTE, 2 * HOUR)
"""From a death to the next birth."""
FREEZES = (2 * SECOND, 3 * MINUTE, 10 * MINUTE)
"""A process that stands still in the middle of something: never past the margin by which a key is left alone early."""
TICKS = 14
CALM = NOW.replace(hour=16)
"""When the faults stop at the latest: an hour before the window of the first day closes."""

SURE = (Outcome.ACCEPTED,)
MOODS: tuple[tuple[Outcome, ...], ...] = (
    SURE,
    (*SURE * 3, Outcome.TAKEN, Outcome.LOST, Outcome.REFUSED),
    (Outcome.TAKEN, Outcome.LOST, Outcome.TOO_FEW, Outcome.TOO_MANY, Outcome.RAISES, *SURE),
    (Outcome.NOT_SENT, Outcome.ACCOUNT, *SURE * 2),
    (Outcome.PARTLY, Outcome.PARTLY_DOUBT, *SURE * 2),
)


class Dice:
    """Draws that depend on the seed and on what was drawn before, and on nothing else."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drawn = 0

    def share(self) -> float:
        """Return a number from 0 up to 1."""
        self.drawn += 1
        digest = hashlib.blake2b(f"{self.seed}|{self.drawn}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") / 2**48

    def one_of(self, things: Sequence[Thing]) -> Thing:
        """Return one of these."""
        return things[int(self.share() * len(things))]


@dataclass(frozen=True, slots=True)
class Said:
    """A "no" that was answered: to which mailbox, and the last event before it."""

    address_id: int
    after: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """How a story ended."""

    seed: int
    verdict: Verdict
    crashes: int
    style: Style
    trace: list[str]


@dataclass(slots=True)
class Story:
    """A story under way."""

    seed: int
    dice: Dice = field(init=False)
    stage: Stage = field(init=False)
    book: Book = field(init=False)
    batch: int = 1
    resend: bool = False
    workers: int = 1
    mood: Sequence[Outcome] = SURE
    calm: bool = False
    plans: bool = True
    depth: int = 0
    programs: dict[int, Program | None] = field(default_factory=dict)
    noes: list[Said] = field(default_factory=list)
    news: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dice = self.dice = Dice(self.seed)
        lay_out(with_people(dice.one_of((4, 6, 9)), planned=False))
        self.batch, self.workers = dice.one_of((1, 1, 2, 3)), dice.one_of((1, 2))
        self.resend = dice.share() < 0.4
        self.stage = Stage(meanwhile=self.meanwhile, files=self.version("as it was"))
        self.book = Book(dice.one_of(tuple(Style)), mood=self.outcome)
        if self.book.style in LOOKED_UP:
            self.book.lag = dice.one_of((timedelta(0), SETTLES / 2, SETTLES - MINUTE))
            self.book.lies, self.book.silent = dice.one_of((0, 0, 1)), dice.one_of((0, 0, 2))
        self.mood = dice.one_of(MOODS)
        self.programs = dict.fromkeys(range(self.workers))
        self.stage.note(f"seed {self.seed}: {self.book.style}, batch {self.batch}, {self.files_doubt}, "
                        f"{self.workers} at work, lag {self.book.lag}, lies {self.book.lies}")  # fmt: skip

    @property
    def files_doubt(self) -> str:
        """Return the campaign's word about doubts."""
        return "resend" if self.resend else "hold"

    def version(self, name: str) -> str:
        """Return the name of a version of the campaign's file."""
        return f"{name}, {self.files_doubt}"

    def outcome(self) -> Outcome:
        """Draw what becomes of a call."""
        drawn = self.dice.one_of(self.mood)
        in_parts = drawn in {Outcome.PARTLY, Outcome.PARTLY_DOUBT}
        return Outcome.ACCEPTED if in_parts and self.book.style in {Style.PROVES, Style.BOTH} else drawn

    # -- what happens in between -------------------------------------------------------------------------------------

    def meanwhile(self, process: Process, point: str) -> None:
        """Let something happen at a boundary: not inside a transaction, where nobody else could write."""
        if self.calm or self.depth:
            return
        share = self.dice.share()
        if share < 0.03:
            self.stage.kill(process, point)
        if point == "before a commit" or share > 0.17:
            return
        self.depth += 1
        try:
            self.one_of_many(process)
        finally:
            self.depth -= 1
        process.live()

    def one_of_many(self, process: Process) -> None:
        """Do one of the things that happen to a shop."""
        others = [lambda: self.other(process)] * 2
        acts: list[Callable[[], None]] = [self.freeze, self.swing, self.say_no, self.edit, self.tell_news, *others]
        self.dice.one_of(acts)()

    def freeze(self) -> None:
        """Let time pass while nobody moves."""
        span = self.dice.one_of(FREEZES)
        self.stage.note(f"frozen for {span}")
        self.stage.hands.forward(span)

    def swing(self) -> None:
        """Change the provider's mood."""
        self.mood = self.dice.one_of(MOODS)
        self.stage.note(f"mood: {', '.join(self.mood)}")

    def edit(self) -> None:
        """Save another version of the campaign's file; it counts from the next tick on."""
        self.stage.files = self.version(self.dice.one_of(("as it was", "edited", "off")))
        self.stage.note(f"file: {self.stage.files}")

    def other(self, process: Process) -> None:
        """Let the other worker do a whole tick in between."""
        for number, program in list(self.programs.items()):
            if program is None or program.process is not process:
                self.tick(number)
                return

    def say_no(self) -> None:
        """Let somebody object, withdraw, or be blocked."""
        who = self.dice.one_of(sorted(self.mailboxes()))
        self.dice.one_of((self.object_now, self.withdraw_now, self.block_now))(who)

    def mailboxes(self) -> dict[str, tuple[int, str]]:
        """Return everybody's mailbox."""
        asked = sa.select(CUSTOMERS.c.customer_id, ADDRESSES.c.id, ADDRESSES.c.email)
        joined = asked.join(ADDRESSES, ADDRESSES.c.id == CUSTOMERS.c.address_id)
        with live_store().read() as session:
            return {who: (number, email) for who, number, email in session.connection().execute(joined)}

    def object_now(self, who: str) -> None:
        """Take an objection on the telephone."""
        subscribing.object_from_any_channel(self.desk(), who, "am Telefon", self.stage.hands())
        self.answered(who, "objects")

    def withdraw_now(self, who: str) -> None:
        """Take a withdrawal on the telephone."""
        subscribing.withdraw(self.desk(), who, "am Telefon", self.stage.hands())
        self.answered(who, "withdraws")

    def block_now(self, who: str) -> None:
        """Let the owner block a mailbox."""
        suppressing.suppress(self.desk(), self.mailboxes()[who][1], "wollte nicht", self.stage.hands())
        self.answered(who, "is blocked")

    def tell_news(self) -> None:
        """Let the provider tell of mails it has taken: late, in any order, some of it again."""
        news = [self.news_of(self.dice.one_of(self.book.taken)) for _ in range(3)] if self.book.taken else []
        for one in news:
            self.receive(one)

    def tell_arrival(self, taken: Taken) -> None:
        """Let the provider tell that a mail has arrived."""
        number = f"arrived-{taken.message_id}"
        self.receive(DeliveryNews(NewsKind.DELIVERED, number, taken.message_id, f"id-{taken.message_id[:8]}", taken.at))

    def receive(self, one: DeliveryNews) -> None:
        """Take what the provider tells, and note what was released before."""
        receiving.take(self.desk(), Voice.name, [one], self.stage.hands())
        self.stage.note(f"provider tells: {one.kind} {one.message_id[:8]}")
        self.news.setdefault(one.message_id, self.last_event())
        if one.kind in NOES:
            to = next(taken.to for taken in self.book.taken if taken.message_id == one.message_id)
            address = next(number for number, email in self.mailboxes().values() if email == to)
            self.noes.append(Said(address, self.last_event(), self.stage.hands.now))

    def news_of(self, taken: Taken) -> DeliveryNews:
        """Return an event about a mail; most tell that it has arrived."""
        kind = self.dice.one_of(
            (*[NewsKind.DELIVERED] * 4, NewsKind.OPENED, NewsKind.COMPLAINED, NewsKind.UNSUBSCRIBED)
        )
        number = f"{kind}-{taken.message_id}-{taken.at.timestamp()}"
        return DeliveryNews(kind, number, taken.message_id, f"id-{taken.message_id[:8]}", taken.at)

    def desk(self) -> Any:
        """Return the program as the owner's command line has it: beside those that send."""
        return replace(shop().app, database=live_store())

    def answered(self, who: str, act: str) -> None:
        """Note that a "no" has been answered, and what was released before."""
        self.noes.append(Said(self.mailboxes()[who][0], self.last_event(), self.stage.hands.now))
        self.stage.note(f"{who} {act}")

    def last_event(self) -> int:
        """Return the number of the last step any message has taken."""
        found: int = scalar(sa.select(sa.func.coalesce(sa.func.max(EVENTS.c.id), 0)))
        return found

    # -- the course --------------------------------------------------------------------------------------------------

    def tick(self, number: int) -> bool:
        """Let one worker do a tick, born anew if it has died; say whether it lived through it."""
        program = self.programs[number]
        try:
            if program is None:
                program = Program.begin(self.stage, self.book, self.batch)
                self.programs[number] = program
            program.reload()
            program.plans = self.plans
            program.tick()
        except Crash:
            self.programs[number] = None
            return False
        return True

    def tell(self) -> Told:
        """Play the story to its end and judge it."""
        for number in range(TICKS):
            self.plans = number < 2 or self.dice.share() < 0.3
            lived = self.tick(self.dice.one_of(range(self.workers)))
            if number > 2 and self.book.taken and not any_open():
                break
            self.stage.hands.forward(self.dice.one_of(PAUSES if lived else DOWN))
            if self.stage.hands.now >= CALM:
                break
        self.come_to_rest()
        self.stage.end()
        verdict = judge(self.book, self.promise())
        verdict.faults += self.written_after_a_no() + self.in_spite_of_news()
        return Told(self.seed, verdict, self.stage.crashes, self.book.style, self.stage.trace)

    def come_to_rest(self) -> None:
        """End all faults and let everything come to its end."""
        self.stage.note("calm")
        self.calm, self.plans = True, True
        with live_store().write() as session:
            pauses.resume_all(session)  # after so many complaints nothing goes on before the owner's word
        self.mood, self.stage.files = SURE, self.version("as it was")
        step = SECOND
        while self.stage.hands.now < NOW + LAST_DAY:
            for number in self.programs:
                self.tick(number)
            if self.stage.hands.now >= NOW + DAY and not any_open():
                return
            step *= 2
            self.stage.hands.forward(max(next_look() - self.stage.hands.now, step))

    def promise(self) -> Promise:
        """Return what may be expected after all that."""
        return Promise(
            resend=self.resend,
            keys_fail=self.book.style in KEYED,
            whole_calls=not (self.batch > 1 and self.noes),
            excused=self.excused(),
            told=frozenset(self.news),
        )

    def excused(self) -> frozenset[str]:
        """Return the messages to mailboxes whose owner said no."""
        said = {one.address_id for one in self.noes}
        asked = (
            sa.select(MESSAGES.c.message_id)
            .join(CUSTOMERS, CUSTOMERS.c.id == MESSAGES.c.customer_id)
            .where(CUSTOMERS.c.address_id.in_(said))
        )
        with live_store().read() as session:
            return frozenset(session.connection().execute(asked).scalars())

    def written_after_a_no(self) -> list[str]:
        """Return every release that came after its mailbox's owner had been answered."""
        late: list[str] = []
        for no in self.noes:
            asked: Any = (
                sa.select(MESSAGES.c.message_id)
                .join(EVENTS, EVENTS.c.message == MESSAGES.c.id)
                .join(CUSTOMERS, CUSTOMERS.c.id == MESSAGES.c.customer_id)
                .where(CUSTOMERS.c.address_id == no.address_id, RELEASED, EVENTS.c.id > no.after)
            )
            with live_store().read() as session:
                found = session.connection().execute(asked).scalars().all()
            late += [f"released after a no: {one[:8]} at {no.at}" for one in found]
        return late

    def in_spite_of_news(self) -> list[str]:
        """Return every release of a mail the provider had told us of before."""
        released = sa.select(sa.func.max(EVENTS.c.id)).join(MESSAGES, MESSAGES.c.id == EVENTS.c.message)
        asked = {one: released.where(MESSAGES.c.message_id == one, EVENTS.c.after == "sending") for one in self.news}
        late = [one for one, after in self.news.items() if scalar(asked[one]) > after]
        return [f"released after its proof: {one[:8]}" for one in late]


def tell(seed: int) -> Told:
    """Tell the story of one seed."""
    return Story(seed).tell()
