"""The first way: ask whether the name is there, then insert.

Two requests that ask at the same moment both find nothing, and there are two of them.
"""

import os

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), nullable=False)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///first.db")
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.add_url_rule("/register", view_func=register, methods=["POST"])
    return app


def register():
    username = request.get_json()["username"]
    if User.query.filter_by(username=username).first():
        return jsonify(message="用户名已存在"), 409
    db.session.add(User(username=username))
    db.session.commit()
    return jsonify(message="注册成功"), 201
