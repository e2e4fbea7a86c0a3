"""The third way: a set in Redis answers for names that are there, a UNIQUE column for the rest.

Each new name asks Redis in vain, and a name that is free again stays in the set.
"""

import os

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from sqlalchemy.exc import IntegrityError

db = SQLAlchemy()
cache = Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), unique=True, nullable=False)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///third.db")
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.add_url_rule("/register", view_func=register, methods=["POST"])
    return app


def register():
    username = request.get_json()["username"]
    if cache.sismember("usernames", username):
        return jsonify(message="用户名已存在"), 409
    try:
        db.session.add(User(username=username))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return jsonify(message="用户名已存在"), 409
    cache.sadd("usernames", username)
    return jsonify(message="注册成功"), 201
