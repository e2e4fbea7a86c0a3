"""The same API with dibs: of all who ask for a name at once, in any spelling, one gets it.

Who comes second is told so with a 409, whatever the moment; `Ada` and `ada` are one name. The
column keeps its UNIQUE, and passwords their hashes. `diff before.py app.py` shows the four lines.
"""

import os

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from passlib.hash import pbkdf2_sha256

from dibs import Dibs

db = SQLAlchemy()
dibs = Dibs(metadata=db.metadata)
blp = Blueprint("users", __name__, description="Users and their teams")


class TeamModel(db.Model):
    __tablename__ = "teams"

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)
    users = db.relationship("UserModel", back_populates="team", lazy="dynamic")


class UserModel(db.Model):
    __tablename__ = "users"

    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True, nullable=False)
    password = db.Column(db.String(200), nullable=False)
    team_id = db.Column(db.Integer, db.ForeignKey("teams.id"))
    team = db.relationship("TeamModel", back_populates="users")


dibs.guard(UserModel.username)


class PlainTeamSchema(Schema):
    id = fields.Int(dump_only=True)
    name = fields.Str(required=True)


class PlainUserSchema(Schema):
    id = fields.Int(dump_only=True)
    username = fields.Str(required=True)


class UserRegisterSchema(PlainUserSchema):
    password = fields.Str(required=True, load_only=True)
    team_id = fields.Int(load_only=True)


class UserSchema(PlainUserSchema):
    team = fields.Nested(PlainTeamSchema(), dump_only=True)


class TeamSchema(PlainTeamSchema):
    users = fields.List(fields.Nested(PlainUserSchema()), dump_only=True)


@blp.route("/team")
class TeamList(MethodView):
    @blp.arguments(TeamSchema)
    @blp.response(201, TeamSchema)
    def post(self, team_data):
        team = TeamModel(**team_data)
        db.session.add(team)
        db.session.commit()
        return team


@blp.route("/team/<int:team_id>")
class Team(MethodView):
    @blp.response(200, TeamSchema)
    def get(self, team_id):
        return db.get_or_404(TeamModel, team_id)


@blp.route("/register")
class UserRegister(MethodView):
    @blp.arguments(UserRegisterSchema)
    def post(self, user_data):
        if UserModel.query.filter(UserModel.username == user_data["username"]).first():
            abort(409, message="A user with that username already exists.")

        user = UserModel(
            username=user_data["username"],
            password=pbkdf2_sha256.hash(user_data["password"]),
            team_id=user_data.get("team_id"),
        )
        db.session.add(user)
        db.session.commit()

        return {"message": "User created successfully."}, 201


@blp.route("/user/<int:user_id>")
class User(MethodView):
    @blp.response(200, UserSchema)
    def get(self, user_id):
        return db.get_or_404(UserModel, user_id)

    def delete(self, user_id):
        user = db.get_or_404(UserModel, user_id)
        db.session.delete(user)
        db.session.commit()
        return {"message": "User deleted."}, 200


def create_app(config=None):
    app = Flask(__name__)
    app.config["API_TITLE"] = "Users and teams"
    app.config["API_VERSION"] = "v1"
    app.config["OPENAPI_VERSION"] = "3.0.3"
    app.config["OPENAPI_URL_PREFIX"] = "/"
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///course.db")
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
    app.config.update(config or {})
    db.init_app(app)
    dibs.init_app(app)
    api = Api(app)
    with app.app_context():
        db.create_all()
    api.register_blueprint(blp)
    return app
