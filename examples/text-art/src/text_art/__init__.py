"""The task type ``text-art``: a text in a frame. A Starlette app, called in the runner's own process."""

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from delegate_core import TaskContext, TaskHandler, asgi, hookimpl


async def frame(request: Request) -> Response:
    """The request's body is the task's data; the response's is its result."""
    data = await request.json()
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        return PlainTextResponse("the data must be an object with a text", status_code=422)
    context: TaskContext = request.state.context
    context.log(f"framing {len(text)} characters")
    lines = text.splitlines()
    width = max(map(len, lines))
    edge = f"+{'-' * (width + 2)}+"
    return JSONResponse({"art": "\n".join([edge, *(f"| {line:<{width}} |" for line in lines), edge])})


app = Starlette(routes=[Route("/frame", frame, methods=["POST"])])
text_art = asgi("text-art", app, path="/frame", send="data")


@hookimpl
def task_handlers() -> Iterable[TaskHandler]:
    """What a runner finds here."""
    return [text_art]
