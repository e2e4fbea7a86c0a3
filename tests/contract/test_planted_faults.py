"""The contract catches the stores it is there to catch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dibs.context import Deadline
from dibs.store import Claim, Failed, Lost, NameRow, Outcome, Won
from dibs.store.names.moves import Rename, Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.records import owned
from tests.contract import test_contract
from tests.support.contract import StoreContract
from tests.support.memory import MemoryStore


class GrantsTwice(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        return Won(owned(claim, version=1))


class ForgetsTokens(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        row = self._names.get(claim.place)
        return Lost(row) if row and not row.free else super()._claim(claim)


class RemembersTokensForEver(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._won: dict[str, Outcome] = {}

    def _claim(self, claim: Claim) -> Outcome:
        outcome = self._won.get(claim.token) or super()._claim(claim)
        if isinstance(outcome, Won):
            self._won[claim.token] = outcome
        return outcome


class SaysTakenForEver(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        row = self._names.get(claim.place)
        return Lost(row) if row and row.free else super()._claim(claim)


class StartsVersionsAnew(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        outcome = super()._claim(claim)
        if isinstance(outcome, Won):
            outcome = Won(replace(outcome.row, version=1))
            self._names[claim.place] = outcome.row
        return outcome


class TakesWhatIsHeld(MemoryStore):
    def _seen(self, at: tuple[str, str]) -> NameRow | None:
        row = super()._seen(at)
        return replace(row, free=True) if row and row.state == "held" else row


class ReleasesForAnybody(MemoryStore):
    def release(self, key: str, *, owner: str, **others: Any) -> bool:
        row = self._names.get(("default", key))
        return super().release(key, owner=(row and row.owner) or owner, **others)


class AnswersInKeyOrder(MemoryStore):
    def claim_many(self, claims: Sequence[Claim], **others: Any) -> list[Outcome | Failed]:
        return super().claim_many(sorted(claims, key=lambda claim: claim.place), **others)


class WritesLosersToo(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        outcome = super()._claim(claim)
        if claim.user is not None:
            self._users.setdefault(claim.user.id, (claim.user, 0))
            row = owned(claim, version=1)
            self._names[claim.namespace, f"{row.key}+{row.owner}"] = row
        return outcome


class IgnoresCase(MemoryStore):
    def claim_many(self, claims: Sequence[Claim], **others: Any) -> list[Outcome | Failed]:
        folded = [replace(c, username=c.username._replace(key=c.place[1].lower())) for c in claims]
        return super().claim_many(folded, **others)


class FindsTooMuch(MemoryStore):
    def find(self, keys: Sequence[str], **others: Any) -> Mapping[str, NameRow]:
        found = super().find([k for _, k in self._names], **others)
        return found if keys else {}


class OpensHoldsToAll(MemoryStore):
    def _seen(self, at: tuple[str, str]) -> NameRow | None:
        row = super()._seen(at)
        return replace(row, claim_token="") if row and row.state == "held" else row


class KeepsHoldsForEver(MemoryStore):
    def _seen(self, at: tuple[str, str]) -> NameRow | None:
        row = super()._seen(at)
        return replace(row, free=False) if row and row.state == "held" else row


class EndsAnyHold(MemoryStore):
    def free(self, key: str, *, token: str | None = None, **others: Any) -> bool:
        del token
        return super().free(key, **others)


class ForgetsLastOwners(MemoryStore):
    def _let_go(self, row: NameRow, rest: Quarantine) -> None:
        super()._let_go(row, replace(rest, remembered=False))


class GivesBackToAnybody(MemoryStore):
    def _claim(self, claim: Claim) -> Outcome:
        return super()._claim(replace(claim, by_staff=True))


class TakesAndKeeps(MemoryStore):
    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        outcome = super().rename(wish, deadline=deadline)
        if isinstance(outcome, Won):
            self._names[wish.old.namespace, wish.old.key] = wish.old
        return outcome


class GivesUpFirst(MemoryStore):
    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        outcome = super().rename(wish, deadline=deadline)
        if isinstance(outcome, Lost):
            self._let_go(wish.old, wish.rest)
        return outcome


class NeverReadsAgain(MemoryStore):
    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        old = self._names[wish.old.namespace, wish.old.key]
        return super().rename(replace(wish, old=old), deadline=deadline)


class HurriesAlong(MemoryStore):
    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        return super().rename(replace(wish, pace=None), deadline=deadline)


class KeepsTokens(MemoryStore):
    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        outcome = super().transfer(wish, deadline=deadline)
        at = wish.name.namespace, wish.name.key
        self._names[at] = replace(self._names[at], claim_token=wish.name.claim_token)
        return outcome


class ListsWhatIsOver(MemoryStore):
    def names_of(self, owner_kind: str, owner: str, **others: Any) -> list[NameRow]:
        del others
        return [row for row in self._names.values() if row.is_of(owner_kind, owner)]


CAUGHT: list[tuple[type[MemoryStore], Any]] = [
    (GrantsTwice, StoreContract.test_the_second_loses_to_the_row_that_was_there),
    (ForgetsTokens, StoreContract.test_a_token_seen_again_wins_again_for_its_first_owner),
    (RemembersTokensForEver, StoreContract.test_a_token_is_no_success_after_a_release),
    (SaysTakenForEver, StoreContract.test_a_released_name_is_won_and_its_version_grows),
    (StartsVersionsAnew, StoreContract.test_a_released_name_is_won_and_its_version_grows),
    (TakesWhatIsHeld, StoreContract.test_an_unexpired_hold_or_quarantine_stands),
    (ReleasesForAnybody, StoreContract.test_only_the_owner_releases),
    (AnswersInKeyOrder, StoreContract.test_a_batch_answers_in_its_own_order),
    (WritesLosersToo, StoreContract.test_only_winners_get_a_user),
    (IgnoresCase, StoreContract.test_keys_are_compared_by_their_bytes),
    (OpensHoldsToAll, StoreContract.test_a_hold_becomes_a_name_by_its_token),
    (TakesWhatIsHeld, StoreContract.test_nobody_else_gets_what_is_held),
    (KeepsHoldsForEver, StoreContract.test_a_hold_that_is_over_is_anybodys),
    (EndsAnyHold, StoreContract.test_a_hold_is_ended_early_by_its_token_alone),
    (ForgetsLastOwners, StoreContract.test_who_is_remembered_takes_her_own_back),
    (GivesBackToAnybody, StoreContract.test_a_resting_name_is_nobodys),
    (TakesAndKeeps, StoreContract.test_a_rename_gives_one_and_takes_one),
    (GivesUpFirst, StoreContract.test_a_refused_rename_changes_neither),
    (NeverReadsAgain, StoreContract.test_a_rename_of_what_has_changed_is_none),
    (HurriesAlong, StoreContract.test_the_next_rename_has_to_wait),
    (KeepsTokens, StoreContract.test_a_token_is_no_success_after_a_transfer),
    (ListsWhatIsOver, StoreContract.test_what_an_owner_holds_or_had_is_asked_for_by_its_state),
    (FindsTooMuch, StoreContract.test_find_returns_what_was_claimed_and_nothing_else),
]


@pytest.mark.parametrize(("broken", "test"), CAUGHT, ids=[broken.__name__ for broken, _ in CAUGHT])
def test_a_planted_fault_fails_the_contract(broken: type[MemoryStore], test: Any) -> None:
    """The same test passes for the store as it is and fails for the broken one."""
    test(test_contract.TestMemoryStore(), MemoryStore())
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(test_contract.TestMemoryStore(), broken())
