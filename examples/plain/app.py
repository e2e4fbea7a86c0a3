"""Flask and plain SQLAlchemy: dibs takes whatever session the app has."""

import os
import uuid

from flask import Flask, g, jsonify, request
from sqlalchemy import Engine, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dibs import Dibs


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "members"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    name: Mapped[str] = mapped_column(String(120))


def session() -> Session:
    """One session a request; what it did not commit is rolled back at its end."""
    return g.session


dibs = Dibs(session, metadata=Base.metadata)
dibs.guard(Member.name)


def create_app(engine: Engine | None = None) -> Flask:
    app = Flask(__name__)
    engine = engine or create_engine(os.environ.get("DATABASE_URL", "sqlite:///plain.db"))
    Base.metadata.create_all(engine)
    dibs.init_app(app)

    @app.before_request
    def open_session() -> None:
        g.session = Session(engine)

    @app.teardown_request
    def close_session(error: BaseException | None) -> None:
        g.session.close()

    @app.get("/names/<name>")
    def check(name: str):
        found = dibs.check(name)
        return jsonify(available=found.available, reason=found.reason)

    @app.post("/members")
    def join():
        member = Member(name=request.json["name"])
        session().add(member)
        session().commit()
        return jsonify(id=member.id), 201

    @app.delete("/members/<member_id>")
    def leave(member_id: str):
        session().delete(session().get_one(Member, member_id))  # and their name is free again
        session().commit()
        return "", 204

    return app
