"""Dead letters of a task over HTTP: listed, shown, planned to be replayed, and replayed.

Owns the routes, and which refusal of a replay is which problem. Decides nothing, and never sees a broker: the
keeper does both. Of each route there is one by path and one by query, for every id there is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, ParamSpec, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.dead_letter_answers import (
    DeadLetterDetail,
    DeadLettersOfTask,
    PlanTold,
    ReplayTold,
    ReplayWanted,
    detail_of,
    in_short,
    plan_told,
    replay_told,
)
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.executions import asked_task_id, task_id_parameter
from relayna.api.problems import RequestRefused
from relayna.api.responses import JSON, make_response
from relayna.api.strict_json import body_of
from relayna.api.tenants import OfCaller
from relayna.errors import (
    BrokerError,
    DeadLetterNotFound,
    Disconnected,
    ExecutionNotFound,
    InvalidQuery,
    OutcomeUnknown,
    Unroutable,
)
from relayna.observability.admission import Admission
from relayna.observability.dead_letter_replayer import DeadLetterKeeper, ReplayResult, Via
from relayna.projections.replay_plan import ReplayPlan

__all__ = ["carry_out_replay", "dead_letter_endpoints"]

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_LETTER: Final = "dead_letter_id"
_FORCE: Final = Parameter(
    name="force",
    about="Without the guards against a second copy beside a first, and against loops.",
    schema={"type": "string", "enum": ["true", "false"], "default": "false"},
)
_AGAIN: Final = (
    "Replay it again in a minute, when the claim to it has run out: it is handled once all the same."
)


def dead_letter_endpoints(
    keepers: OfCaller[DeadLetterKeeper], names: HttpNames, admission: Admission | None = None
) -> tuple[Endpoint, ...]:
    """The routes, those by query first. `keepers` gives who answers a caller; whoever reads takes a turn."""
    routes = _Routes(keepers, names, admission or Admission())
    return tuple(_both_ways(_table(routes), names.parameter))


async def carry_out_replay(
    keeper: DeadLetterKeeper,
    task_id: str,
    letter_id: str,
    wanted: ReplayWanted,
    *,
    replayed_by: str | None,
    via: Via,
) -> ReplayTold:
    """What was done. Raises `RequestRefused` for all that stands in the way, and `StoreError`."""
    if not keeper.can_replay:
        raise _no_broker()
    try:
        result = await keeper.replay(
            task_id,
            letter_id,
            force=wanted.force,
            replayed_by=replayed_by,
            via=via,
            reason=wanted.reason,
            expect_replay_count=wanted.expect_replay_count,
        )
    except BrokerError as error:
        raise _broker_problem(error) from error
    done = replay_told(result)
    if done is None:
        raise _undone(result)
    return done


def _table(routes: _Routes) -> Iterable[Endpoint]:
    """Each once, with the end of its path."""
    listed = Endpoint(
        path="",
        name="dead_letters",
        summary="The dead letters of a task.",
        answer=routes.list_letters,
        returns={JSON: DeadLettersOfTask},
        problems=(404, 422, 503),
    )
    shown = replace(
        listed,
        path="/letter",
        name="dead_letter",
        summary="One dead letter; its headers and body with the scope `payloads`.",
        answer=routes.show,
        returns={JSON: DeadLetterDetail},
    )
    planned = replace(
        listed,
        path="/plan",
        name="replay_plan",
        summary="What replaying a dead letter would do now; changes nothing.",
        answer=routes.plan,
        parameters=(_FORCE,),
        returns={JSON: PlanTold},
    )
    replayed = replace(
        listed,
        path="/replay",
        name="replay",
        summary="Send a dead letter again, to the queue that it came from.",
        answer=routes.replay,
        method="POST",
        scope="replay",
        takes=ReplayWanted,
        returns={JSON: ReplayTold},
        problems=(404, 409, 412, 422, 503),
    )
    return listed, shown, planned, replayed


def _both_ways(endpoints: Iterable[Endpoint], task: str) -> Iterable[Endpoint]:
    """Each by query, then each by path: the longer paths first, so that no id is taken for one."""
    table = tuple(endpoints)
    for endpoint in table:
        yield replace(
            endpoint,
            path=f"/executions/dead-letters{endpoint.path}",
            name=f"{endpoint.name}_by_query",
            parameters=(task_id_parameter(task, "query"), *_letter(endpoint, "query"), *endpoint.parameters),
        )
    for endpoint in reversed(table):
        rest = "" if endpoint.path == "" else f"/{{{_LETTER}}}{endpoint.path.removeprefix('/letter')}"
        yield replace(
            endpoint,
            path=f"/executions/{{{task}:path}}/dead-letters{rest}",
            parameters=(task_id_parameter(task, "path"), *_letter(endpoint, "path"), *endpoint.parameters),
        )


def _letter(endpoint: Endpoint, of: str) -> tuple[Parameter, ...]:
    if endpoint.path == "":
        return ()
    about = "The dead letter's id."
    return (Parameter(name=_LETTER, about=about, of="path" if of == "path" else "query", required=True),)


class _Routes:
    """Answers the requests."""

    def __init__(self, keepers: OfCaller[DeadLetterKeeper], names: HttpNames, admission: Admission) -> None:
        self._admission = admission
        self._keepers = keepers
        self._names = names

    async def list_letters(self, request: ApiRequest) -> Response:
        task_id, keeper = asked_task_id(request, self._names.parameter), self._keepers(request.caller)
        records = await self._in_turn(keeper.list_dead_letters, task_id)
        if not records and not await keeper.is_known(task_id):
            raise ExecutionNotFound(task_id)
        letters = [in_short(record) for record in records]
        return self._answer(DeadLettersOfTask(task_id=task_id, dead_letters=letters))

    async def show(self, request: ApiRequest) -> Response:
        task_id, letter_id = self._asked(request)
        try:
            record = await self._in_turn(self._keepers(request.caller).get_dead_letter, task_id, letter_id)
        except DeadLetterNotFound as error:
            raise _not_found(error) from None
        return self._answer(detail_of(record, task_id, request.caller))

    async def plan(self, request: ApiRequest) -> Response:
        task_id, letter_id = self._asked(request)
        given = request.query.text("force")
        force = "false" if given is None else given
        if force not in ("true", "false"):
            raise InvalidQuery("force", f"{force[:80]!r} is neither true nor false")
        make_plan = partial(self._keepers(request.caller).plan, force=force == "true")
        plan = await self._in_turn(make_plan, task_id, letter_id)
        return self._answer(plan_told(_found(plan)))

    async def replay(self, request: ApiRequest) -> Response:
        task_id, letter_id = self._asked(request)
        wanted = await body_of(request, ReplayWanted)
        done = await carry_out_replay(
            self._keepers(request.caller), task_id, letter_id, wanted,
            replayed_by=request.caller.name, via="http",
        )  # fmt: skip
        return self._answer(done)

    async def _in_turn(
        self, read: Callable[P, Awaitable[ResultT]], *asked: P.args, **how: P.kwargs
    ) -> ResultT:
        """Streams are read whole, and may be long."""
        with self._admission.turn() as turn:
            await turn.take()
            return await read(*asked, **how)

    def _asked(self, request: ApiRequest) -> tuple[str, str]:
        task_id = asked_task_id(request, self._names.parameter)
        letter_id = request.http.path_params.get(_LETTER) or request.query.text(_LETTER)
        if not letter_id:
            raise InvalidQuery(_LETTER, "nothing is given; the list of dead letters has them")
        return task_id, letter_id

    def _answer(self, answer: Struct) -> Response:
        return make_response(self._names.encode(answer), media_type=JSON)


def _found(plan: ReplayPlan) -> ReplayPlan:
    if any(note.code == "not_found" for note in plan.reasons):
        raise _not_found(DeadLetterNotFound(plan.task_id, plan.dead_letter_id))
    return plan


def _not_found(error: DeadLetterNotFound) -> RequestRefused:
    detail = f"Task {error.task_id!r} has no dead letter {error.dead_letter_id!r}."
    hint = "List the task's dead letters for their ids; records pass with the task's retention."
    return RequestRefused(404, "dead_letter_not_found", detail, hint)


def _no_broker() -> RequestRefused:
    hint = "Whoever runs the service can set RELAYNA_AMQP_URL; relayna dlq replay works without the service."
    return RequestRefused(409, "no_broker", "This service has no broker to publish to.", hint)


def _broker_problem(error: BrokerError) -> RequestRefused:
    """Nothing was published. What the broker said may name its address: it is in the program's log."""
    match error:
        case Unroutable():
            hint = "Start a worker of that queue, which declares it, and replay the letter then."
            return RequestRefused(409, "unroutable", "The queue that it came from is not there.", hint)
        case Disconnected() | OutcomeUnknown():
            hint = "Nothing was published. Ask again later; if it stays so, see that the broker runs."
            return RequestRefused(503, "broker_unreachable", "The broker does not answer.", hint)
        case _:
            hint = "Nothing was published. The service's log has the broker's reason."
            return RequestRefused(503, "broker_refused", "The broker refused the message.", hint)


def _undone(result: ReplayResult) -> RequestRefused:
    plan = _found(result.plan)
    match result.outcome.value:
        case "unknown":
            detail = "The broker did not confirm the message: it may be published."
            return RequestRefused(503, "outcome_unknown", detail, _AGAIN)
        case "unmarked":
            detail = "The message is published, and that could not be recorded."
            return RequestRefused(503, "not_recorded", detail, _AGAIN)
    codes = [note.code for note in plan.reasons]
    detail = f"It is not replayed: {'; '.join(note.text for note in plan.reasons)}."
    if "replayed_since" in codes:
        return RequestRefused(412, "replayed_since", detail, "Look at the letter again, then decide anew.")
    return RequestRefused(409, codes[0], detail, _HINTS.get(codes[0], _OVERRULE))


_OVERRULE: Final = 'Look at the task\'s graph; {"force": true} replays it in spite of this.'
_HINTS: Final = {
    "claimed": "Wait until that has ended, then look at the letter again.",
    "no_target": "Publish the message anew where it belongs.",
    **dict.fromkeys(
        ("no_body", "body_cut", "body_redacted"),
        "Move the message itself back from its dead-letter queue, by the broker's own means.",
    ),
}
