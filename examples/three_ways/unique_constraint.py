"""The second way: a UNIQUE column decides, and whatever goes wrong means that the name is there.

So a name is "taken" while the database is away, and one that is too long for the column is, too.
"""

import os

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True, nullable=False)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///second.db")
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.add_url_rule("/register", view_func=register, methods=["POST"])
    return app


def register():
    username = request.get_json()["username"]
    try:
        db.session.add(User(username=username))
        db.session.commit()
    except Exception:
        db.session.rollback()
        return jsonify(message="用户名已存在"), 409
    return jsonify(message="注册成功"), 201
