"""A host app with nothing but Flask and SQLAlchemy; `python core.py` goes through what it can."""

from __future__ import annotations

import json
import os

from flask import Flask
from sqlalchemy import Integer, create_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column, scoped_session, sessionmaker

from dibs import Dibs


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "members"
    id = mapped_column(Integer, primary_key=True)


engine = create_engine(os.environ["HOST_DATABASE"])
Session = scoped_session(sessionmaker(engine))
own = None if "HOST_WITHOUT_TABLES" in os.environ else Base.metadata
dibs = Dibs(lambda: Session(), metadata=own)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["DIBS_DATABASE_URL"] = os.environ["HOST_DATABASE"]
    dibs.init_app(app, component=True, url_prefix="/names")

    @app.post("/join/<name>")
    def join(name: str) -> dict[str, int]:
        member = Member()
        Session.add(member)
        dibs.claim(name, owner=member)
        Session.commit()
        return {"id": member.id}

    @app.post("/rename/<name>/<to>")
    def rename(name: str, to: str) -> dict[str, str]:
        member = Session.query(Member).order_by(Member.id).first()
        became = dibs.rename(name, to, owner=member)
        Session.commit()
        return {"became": str(became)}

    @app.post("/release/<name>")
    def release(name: str) -> dict[str, int]:
        released = dibs.release(name, at_once=True)
        Session.commit()
        return {"released": released}

    app.teardown_appcontext(lambda error: Session.remove())
    return app


def main() -> None:
    client = create_app().test_client()
    Base.metadata.create_all(engine)
    said = {
        "claim": client.post("/join/Ada"),
        "taken": client.post("/join/ADA", headers={"Accept-Language": "zh-CN"}),
        "invalid": client.post("/join/a", headers={"Accept-Language": "ja"}),
        "rename": client.post("/rename/ada/Анна"),
        "check": client.get("/names/usernames/анна"),
        "old token": client.get("/names/usernames/ada", headers={"Authorization": "Bearer abc"}),
        "check many": client.post("/names/usernames/check", json={"names": ["नमस्ते", "a", "анна"]}),
        "unknown field": client.post("/names/usernames/check", json={"names": ["a"], "x": 1}),
        "field": client.get("/names/dibs-username.js"),
        "release": client.post("/release/анна"),
        "free": client.get("/names/usernames/анна"),
    }
    print(json.dumps({name: [one.status_code, one.json] for name, one in said.items()}))


if __name__ == "__main__":
    main()
