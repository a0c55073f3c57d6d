"""The live stream."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from hybrid_ml_scheduler.service.resources import resources_of

router = APIRouter()


@router.websocket("/ws")
async def stream(socket: WebSocket) -> None:
    """Messages about the run as they come; see docs/api.md."""
    resources = resources_of(socket)
    await resources.connections.serve(socket, resources.feed)
