"""Who may read what: one object, asked by everything that shows users and teams."""

from __future__ import annotations

from dibs.store.accounts.sessions import Living

Fields = frozenset[str]

USER_PUBLIC: Fields = frozenset({"id", "username"})
USER_ALL: Fields = USER_PUBLIC | {"created_at", "role", "teams"}
USER_STAFF: Fields = USER_ALL | {"disabled_at", "last_sign_in", "sessions"}
TEAM_PUBLIC: Fields = frozenset({"id", "name"})
TEAM_ALL: Fields = TEAM_PUBLIC | {"created_at", "members"}
STAFF = "staff"


class Reading:
    """Names are public; the rest is for whom it is about, and for staff.

    Subclass it for other rules. Who reads is None for somebody who is not logged in.
    """

    def user(self, reader: Living | None, user_id: str) -> Fields:
        """The fields of this user that the reader may see; without any, there is no such user."""
        if reader is not None and reader.role == STAFF:
            return USER_STAFF
        return USER_ALL if reader is not None and reader.user_id == user_id else USER_PUBLIC

    def team(self, reader: Living | None, *, inside: bool) -> Fields:
        """The fields of a team that the reader may see, who is inside or not; see `user`."""
        if reader is not None and (inside or reader.role == STAFF):
            return TEAM_ALL
        return TEAM_PUBLIC

    def listed(self, reader: Living | None) -> bool:
        """Whether the reader may go through all users and all teams."""
        del reader
        return True
