"""Flask-Security with usernames, its JSON API and its own defaults."""

import os

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    pass


class User(db.Model, fsqla_v3.FsUserMixin):
    pass


@auth_required("token")
def me():
    return {"id": current_user.id, "username": current_user.username}


def create_app():
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="of a benchmark, and long enough",
        SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SECURITY_REGISTERABLE=True,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_USERNAME_ENABLE=True,
        SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"],
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_ENABLED=False,
    )
    db.init_app(app)
    Security(app, SQLAlchemyUserDatastore(db, User, Role))
    with app.app_context():
        db.create_all()
    app.add_url_rule("/users/me", view_func=me)
    return app
