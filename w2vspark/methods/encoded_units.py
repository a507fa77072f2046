"""Keep the encoded units of the corpus in staging, so that a run encodes only what is new."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from w2vspark.base.log import get_logger, key_values
from w2vspark.config.config import deciding
from w2vspark.fingerprints.fingerprint import code_of, fingerprint, versions_of
from w2vspark.flow.run import Run
from w2vspark.methods.corpus import words_of
from w2vspark.methods.partial_counts import numbered_files, paths_of, units_in
from w2vspark.output.staging import PARTIAL
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages import encoded_units as encoding
from w2vspark.stages.corpus import read_files
from w2vspark.stages.encoded import EncodedConfig
from w2vspark.stages.encoded_units import GROUP_TOKENS, group_units, placing
from w2vspark.stages.input import InputConfig
from w2vspark.stages.input_units import Key, Unit
from w2vspark.stages.vocabulary import word_hashes
from w2vspark.storage.listed import ROWS, ListedFile, listed_elsewhere, listed_files, write_list

NAME = PARTIAL + "encoded"
MOST_SMALL_GROUPS = 64  # with more, they are encoded again, in fewer groups: a reader opens the files of all groups


class Group(NamedTuple):
    """Units that were encoded into files of their own."""

    uri: str  # of the attempt
    number: int
    units: list[Key]
    words: str  # a hash of the words that they were encoded with
    tokens: int


def encode_new_units(run: Run, rows: list[dict[str, Any]], buckets: int) -> dict[str, Any]:
    """Encode the units that are not in staging, and list the files of all units as the table encoded.

    rows: of the table units. Returns the record, with the groups whose files make up the table.
    """
    hashes = word_hashes(run.uri("vocabulary"), {row["words"] for row in rows})
    wanted = {(row["name"], row["identity"]): row | {"hash": hashes[row["words"]]} for row in rows}
    own = _identity(run, buckets)
    used = _usable(_groups(run, own), {key: row["hash"] for key, row in wanted.items()})
    small = [group for group in used if group.tokens < GROUP_TOKENS]
    if len(small) > MOST_SMALL_GROUPS:
        used = [group for group in used if group.tokens >= GROUP_TOKENS]
    there = {key for group in used for key in group.units}
    new = [unit for unit in units_in(run) or [] if unit.key not in there]
    get_logger().info(
        key_values(stage=NAME, event="units", units=len(rows), new=len(new), groups=len(used), fingerprint=own)
    )
    if new:
        used += _encode(run, new, [wanted[unit.key] for unit in new], len(new) == len(rows), buckets, own)
    uri = run.uri("encoded")
    groups = [[run.staging.relative(group.uri), group.number] for group in used]
    write_list(uri, list_groups(run, uri, groups))
    return {"buckets": buckets, "groups": groups}


def list_groups(run: Run, uri: str, groups: list[Any]) -> list[ListedFile]:
    """The files of some groups, for the list of a table at `uri`. groups: as in the record of encoded."""
    return list(_files(run, uri, groups, ""))


def list_bucket_counts(run: Run) -> list[ListedFile]:
    """The files with the bucket counts of all groups of the table encoded, for the list of the table bucket_counts."""
    return list(_files(run, run.uri("bucket_counts"), run.records["encoded"]["groups"], "buckets-"))


def _files(run: Run, uri: str, groups: list[Any], prefix: str) -> Iterator[ListedFile]:
    number = 0
    for attempt, group in groups:
        other = run.staging.absolute(attempt)
        for file in listed_files(other, f"{prefix}{group}"):
            yield listed_elsewhere(uri, other, file) | {"matrix": ROWS, "first_id": number}
            number += 1


def _identity(run: Run, buckets: int) -> str:
    """The fingerprint of encoded units: of the settings, code and libraries. A group's words are in its record.

    Where ids of documents repeat, they depend on the whole corpus, and so do the encoded units.
    """
    config = run.config[InputConfig]
    makers = encoding.encode_units, encoding.write_groups, read_files
    repeated = run.records["word_counts"]["duplicate_ids"]
    return fingerprint(
        words=run.records["vocabulary"]["identity"],
        input=deciding(config) | {"path": []},
        encoded=deciding(run.config[EncodedConfig]) | {"buckets": buckets},
        corpus=run.fingerprints["corpus"] if repeated else "",
        code=code_of(*makers),
        versions=versions_of(*makers),
    )


def _groups(run: Run, own: str) -> Iterator[Group]:
    for staged in run.staging.find_all(NAME, own):
        for number, group in enumerate(staged.record["groups"]):
            keys = [(name, identity) for name, identity in group["units"]]
            yield Group(staged.uri, number, keys, group["words"], group["tokens"])


def _usable(groups: Iterator[Group], hashes: dict[Key, str]) -> list[Group]:
    """The groups whose units are all in the corpus, with the words that they must have. Each unit stands in one."""
    found, left = [], dict(hashes)
    for group in groups:
        if all(left.get(key) == group.words for key in group.units):
            found.append(group)
            for key in group.units:
                del left[key]
    return found


def _encode(
    run: Run, units: list[Unit], rows: list[dict[str, Any]], all_new: bool, buckets: int, own: str
) -> list[Group]:
    tokens, words = [row["tokens"] for row in rows], [row["words"] for row in rows]
    groups = group_units(tokens, words)
    run.staging.discard_others(NAME, own)
    uri = run.staging.begin(NAME, own)
    try:
        files = None if all_new else [file for unit in units for file in unit.files]
        apart = run.records["word_counts"]["duplicate_ids"] > 0
        documents, names = read_files(run.session(), run.config[InputConfig], files, apart)
        place = placing(groups, tokens, words, buckets)
        frame = encoding.encoded_units(
            documents, numbered_files(units, names), run.uri("vocabulary"), words_of(run), run.config[EncodedConfig],
            place, uri,
        )  # fmt: skip
        write_listed(frame, uri)
        record = [
            {
                "units": [units[at].key for at in group],
                "words": rows[group[0]]["hash"],
                "tokens": sum(tokens[at] for at in group),
            }
            for group in groups
        ]
        of_all = {"groups": record, "units": [unit.key for unit in units], "paths": paths_of(run)}
        run.staging.complete(uri, of_all, [uri])
    except BaseException:
        run.staging.give_up(uri)
        raise
    return [Group(uri, number, group["units"], group["words"], group["tokens"]) for number, group in enumerate(record)]
