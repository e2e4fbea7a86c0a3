"""fastapi-users on FastAPI and SQLAlchemy's async sessions, as its documentation shows it."""

import asyncio
import os
import uuid
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = "of a benchmark, and long enough"
engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = verification_token_secret = SECRET


async def session():
    async with sessions() as one:
        yield one


async def users(one: Annotated[AsyncSession, Depends(session)]):
    yield SQLAlchemyUserDatabase(one, User)


async def manager(of: Annotated[SQLAlchemyUserDatabase, Depends(users)]):
    yield UserManager(of)


jwt = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=3600),
)
fastapi_users = FastAPIUsers[User, uuid.UUID](manager, [jwt])


async def make_tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


def create_app():
    """Made once before the workers start; they find the tables."""
    asyncio.run(make_tables())
    return app


app = FastAPI()
read, write, change = schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate, schemas.BaseUserUpdate
app.include_router(fastapi_users.get_auth_router(jwt))
app.include_router(fastapi_users.get_register_router(read, write))
app.include_router(fastapi_users.get_users_router(read, change), prefix="/users")
