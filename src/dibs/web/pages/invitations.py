"""Registering by an invitation, and what staff do with these."""

from __future__ import annotations

import re
from http import HTTPStatus

from flask import Response, request, url_for

from dibs.accounts.registration import MOST, WEEK_DAYS
from dibs.errors import InvitationRefused
from dibs.web.api.invitations import refuse_ended
from dibs.web.api.representations import is_id, paged
from dibs.web.http.bodies import BodyInvalid, broken
from dibs.web.http.current import deadline, parts
from dibs.web.i18n import say
from dibs.web.pages import browser_session, figures
from dibs.web.pages.base import go, go_to, page, registration
from dibs.web.pages.forms import Form, require_staff, sent, shows, shows_form, takes_form
from dibs.web.pages.sign_in import landing, sign_up_page

PAGE = 50
NUMBER = re.compile("[0-9]{1,9}")


@shows("/join/<token>", admits="anybody", limit="check")
def join(token: str) -> Response:
    """The form to sign up with, if the invitation is good."""
    if browser_session.visitor():
        return go_to(landing())
    if registration() == "invite":
        try:
            parts().registration.refuse_uninvited(token, deadline=deadline())
        except InvitationRefused:
            said = say(InvitationRefused.message)
            return page("sign-up.html", HTTPStatus.FORBIDDEN, form=Form(), closed=said, next=None)
    return sign_up_page(Form())


@shows_form("/staff/invitations", "staff_invitations", admits="staff")
def invitations_page(form: Form) -> Response:
    """All of them, the newest first, and a form to make one."""
    require_staff()
    after = request.args.get("after", "")
    found, following = paged(
        parts().registration.invitations.page(
            after=after if is_id(after) else None, limit=PAGE + 1, deadline=deadline()
        ),
        PAGE,
    )
    ids = {one.actor for one in found if one.actor}
    return page(
        "staff-invitations.html",
        form.status,
        form=form if form.name else Form(typed={"uses": "1", "days": str(WEEK_DAYS)}),
        invitations=found,
        people=parts().history.names_now([*ids], deadline=deadline()),
        after=following,
        is_by_invitation=registration() == "invite",
        moment=figures.moment,
        here=url_for("dibs_pages.staff_invitations"),
    )


@takes_form("/staff/invitations", invitations_page, admits="staff")
def do_invite() -> Response:
    """Make one, and show its link, this once."""
    typed = {field: sent(field).strip() for field in ("uses", "days")}
    wrong = [
        broken(field, "not_a_number")
        for field, text in typed.items()
        if not (NUMBER.fullmatch(text) and 1 <= int(text) <= MOST)
    ]
    if wrong:
        raise BodyInvalid(wrong)
    uses, days = int(typed["uses"]), int(typed["days"])
    _, token = parts().registration.invite(uses, days, deadline=deadline())
    link = url_for("dibs_pages.join", token=token, _external=True)
    return page("invitation.html", uses=uses, days=days, link=link)


@takes_form("/staff/invitations/end", invitations_page, admits="staff")
def do_end_invitation() -> Response:
    """Have nobody else register by one."""
    refuse_ended(sent("id"))
    return go("staff_invitations", "invitation_ended")
