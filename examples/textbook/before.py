"""Registration as every tutorial has it: look whether the name is there, then insert.

Two requests that look at the same moment both find nothing. The second INSERT
then fails, which nobody catches: a 500. And `Ada` and `ada` are two users.
"""

import os

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(120), unique=True, nullable=False)


def create_app(config=None):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///textbook.db")
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
    app.config.update(config or {})
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.add_url_rule("/register", view_func=register, methods=["POST"])
    return app


def register():
    username = request.get_json().get("username")
    if not username:
        return jsonify(error="A username is required."), 400
    if User.query.filter_by(username=username).first():
        return jsonify(error="A user with that username already exists."), 409
    user = User(username=username)
    db.session.add(user)
    db.session.commit()
    return jsonify(id=user.id, username=user.username), 201
