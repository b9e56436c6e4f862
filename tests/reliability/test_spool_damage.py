"""T14: spools that are cut, whose bits flip, and whose disk is full."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from events.event_strategies import event_of
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from streams.spool.spool_steps import append_of, drained, flipped, says, segment_paths, spooling, synced

from relayna.events import DeadLetterRecorded, StatusPublished, encode_event, encode_frame
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.spool import Spool, Written
from relayna.streams.spool.record_format import HEADER_BYTES

pytestmark = pytest.mark.fault


def frame_of(chance: random.Random, number: int, earlier: bytes) -> Append:
    """A status, or a dead letter whose body is what a segment held before."""
    task_id = TaskId(f"task-{number}")
    body = (
        DeadLetterRecorded(dead_letter_id="letter", body=earlier[: chance.randint(0, 3_000)])
        if earlier and chance.random() < 0.4
        else StatusPublished(status="processing", message="\0" * chance.randint(0, 200))
    )
    event = event_of(body, task_id=task_id, event_id=f"{number:016x}.0")
    return Append(TaskAddress(task_id), encode_frame(task_id, None, number, [encode_event(event)]))


def ends_of(directory: Path, appends: list[Append]) -> list[int]:
    """Put and sync one after the other; where each one's record ends in the file."""
    spool = Spool(directory)
    ends = []
    for append in appends:
        assert isinstance(spool.put([append]), Written)
        [path] = segment_paths(directory)
        ends.append(path.stat().st_size)
    synced(spool)
    spool.close()
    return ends


def damage(chance: random.Random, data: bytes) -> tuple[bytes, set[int]]:
    """Damaged bytes, and the offsets that are not what they were."""
    kind = chance.choice(["cut", "flip", "flips", "hole", "cut and flip"])
    cut = chance.randint(0, len(data)) if "cut" in kind else len(data)
    flips = {"flip": 1, "flips": chance.randint(2, 40), "cut and flip": 3}.get(kind, 0)
    damaged = flipped(data, {chance.randrange(len(data) * 8) for _ in range(flips)})
    if kind == "hole":
        start = chance.randrange(len(data))
        damaged = damaged[:start] + bytes(min(512, len(data) - start)) + damaged[start + 512 :]
    touched = {offset for offset in range(len(data)) if offset >= cut or damaged[offset] != data[offset]}
    return damaged[:cut], touched


@sized(damages=4_000)
def test_damaged_spools_give_back_every_whole_record(
    damages: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T14: cuts, flips and holes, anywhere: also in headers, lengths and sums."""
    seed = 14
    chance = random.Random(seed)
    print(f"seed {seed}")
    earlier = b""
    frames = lost = unexpected = 0
    for case in range(damages):
        if case % 20 == 0:  # one spool is damaged in twenty ways
            shutil.rmtree(tmp_path / "sound", ignore_errors=True)
            appends = [frame_of(chance, case + number, earlier) for number in range(chance.randint(1, 12))]
            ends = ends_of(tmp_path / "sound", appends)
            [sound] = segment_paths(tmp_path / "sound")
            earlier = data = sound.read_bytes()
            starts = [HEADER_BYTES, *ends]
        directory = tmp_path / f"damaged-{case}"
        (directory / "dead").mkdir(parents=True)
        damaged, touched = damage(chance, data)
        (directory / "dead" / sound.name).write_bytes(damaged)
        whole = [
            append
            for append, start, end in zip(appends, starts, ends, strict=False)
            if touched.isdisjoint(range(start, end))
        ]
        spool = Spool(directory)
        found = drained(spool)
        spool.close()
        frames += len(whole)
        lost += sum(append not in found for append in whole)
        unexpected += sum(append not in whole for append in found) + abs(len(found) - len(whole))
        kept = [path for path in directory.iterdir() if path.suffix == ".damaged"]
        in_part = touched and len(damaged) not in (0, *starts)
        assert kept or not in_part, "a segment that was damaged is kept aside"
        shutil.rmtree(directory)
    assert lost == unexpected == 0
    reliability.add("T14 damaged spools", Findings(events=frames, bad_inputs=damages))


@sized(disks=1_000)
def test_full_disks_refuse_whole_frames_and_keep_the_others(
    disks: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T14: files that may not grow any more, in mid-record; what was taken before and after is there."""
    taken = lost = unexpected = 0
    with spooling(tmp_path, "limits", str(disks), "14") as process:
        for disk in range(disks):
            written = [append_of(int(number)).address for number in says(process).split()]
            found = [append.address for append in drained(Spool(tmp_path / str(disk)))]
            taken += len(written)
            lost += len(set(written) - set(found))
            unexpected += len(set(found) - set(written)) + abs(len(found) - len(written))
        assert process.wait() == 0
    assert lost == unexpected == 0
    reliability.add("T14 full disks", Findings(events=taken, faults=disks))
