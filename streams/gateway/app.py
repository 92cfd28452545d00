"""The gateway's HTTP application.

In: a `Gateway`. Out: an ASGI application, and its OpenAPI document. Errors become problem details; a store
that cannot be reached is a 503.
"""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from schemas.errors import SchemaError
from streams.gateway import demo, files, health, operator_routes, posting, problems, shop, shoppers
from streams.gateway.core import Gateway
from streams.gateway.guards import Guards
from vectorstore.base import VectorStoreError

ROUTERS = (
    shoppers.router,
    posting.router,
    shop.router,
    operator_routes.router,
    demo.router,
    health.router,
    files.router,
)
_ABOUT = "Recommendation sets to browsers, interactions and products from them, similar products and look."


def build_app() -> FastAPI:
    """The application without a gateway: good for its document only."""
    app = FastAPI(
        title="lookstream gateway",
        version=version("lookstream"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(problems.Problem, problems.on_problem)
    app.add_exception_handler(SchemaError, problems.on_schema_error)
    app.add_exception_handler(HTTPException, problems.on_http_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_request)
    app.add_exception_handler(VectorStoreError, _on_store_error)
    app.add_exception_handler(Exception, _on_failure)
    return app


def serve(gateway: Gateway) -> Guards:
    """The application of a gateway, guarded."""
    app = build_app()
    app.state.gateway = gateway
    settings = gateway.settings
    return Guards(app, settings.bind, settings.gateway_origins, gateway.metrics)


def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    return build_app().openapi()


async def _on_store_error(_: Request, error: Exception) -> Response:
    return problems.unavailable(f"the vector store: {error}").response()


async def _on_failure(_: Request, error: Exception) -> Response:
    """The log has the traceback, callers do not."""
    return problems.Problem(500, f"the gateway failed ({type(error).__name__})").response()
