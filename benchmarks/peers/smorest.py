"""Flask-smorest, Flask-SQLAlchemy and JWTs, as its tutorials put a sign-up together."""

import os

from flask import Flask
from flask.views import MethodView
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_smorest import Api, Blueprint, abort
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from passlib.hash import pbkdf2_sha256

db = SQLAlchemy()
blp = Blueprint("users", __name__)


class UserModel(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True, nullable=False)
    password = db.Column(db.String(200), nullable=False)


class UserSchema(Schema):
    id = fields.Int(dump_only=True)
    username = fields.Str(required=True)
    password = fields.Str(required=True, load_only=True)


@blp.route("/register")
class UserRegister(MethodView):
    @blp.arguments(UserSchema)
    def post(self, data):
        if UserModel.query.filter_by(username=data["username"]).first():
            abort(409, message="A user with that username already exists.")
        password = pbkdf2_sha256.hash(data["password"])
        db.session.add(UserModel(username=data["username"], password=password))
        db.session.commit()
        return {"message": "User created successfully."}, 201


@blp.route("/login")
class UserLogin(MethodView):
    @blp.arguments(UserSchema)
    def post(self, data):
        user = UserModel.query.filter_by(username=data["username"]).first()
        if user is None or not pbkdf2_sha256.verify(data["password"], user.password):
            abort(401, message="Invalid credentials.")
        return {"access_token": create_access_token(identity=str(user.id))}, 200


@blp.route("/users/me")
class Me(MethodView):
    @jwt_required()
    @blp.response(200, UserSchema)
    def get(self):
        return db.get_or_404(UserModel, int(get_jwt_identity()))


def create_app():
    app = Flask(__name__)
    app.config.update(
        API_TITLE="Users",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        JWT_SECRET_KEY="of a benchmark, and long enough",
        SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"],
    )
    db.init_app(app)
    JWTManager(app)
    with app.app_context():
        db.create_all()
    Api(app).register_blueprint(blp)
    return app
