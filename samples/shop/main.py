"""A small shop: every kind of traffic that a FastAPI service writes into its access log, failures included."""

import asyncio
import logging
import uuid

from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Query, Response, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel, Field

log = logging.getLogger("uvicorn.error")
app = FastAPI(title="Shop", version="1.0.0")

PRODUCTS = {n: {"id": n, "name": f"Product {n}", "price": 5 + n * 3 % 95, "stock": n % 7} for n in range(1, 201)}
USERS = {f"token-{n}": {"id": n, "name": f"user{n}"} for n in range(1, 21)}
CARTS: dict[int, dict[int, int]] = {}
ORDERS: dict[uuid.UUID, dict] = {}


class Item(BaseModel):
    product_id: int
    quantity: int = Field(default=1, ge=1, le=10)


def user(authorization: str = Header(default="")) -> dict:
    """Who asks; 401 for nobody."""
    found = USERS.get(authorization.removeprefix("Bearer "))
    if found is None:
        raise HTTPException(401, "who are you?")
    return found


@app.get("/health", include_in_schema=False)
async def health():
    return {"status": "ok"}


@app.get("/products", tags=["products"])
async def list_products(response: Response, page: int = Query(default=1, ge=1), limit: int = Query(default=20, le=100)):
    response.headers["Cache-Control"] = "public, max-age=60"
    return list(PRODUCTS.values())[(page - 1) * limit : page * limit]


@app.get("/products/featured", tags=["products"])
async def featured(response: Response):
    response.headers["Cache-Control"] = "public, max-age=300"
    return [PRODUCTS[n] for n in (3, 14, 159)]


@app.get("/products/{product_id}", tags=["products"])
async def product(product_id: int, response: Response, if_none_match: str = Header(default="")):
    if product_id not in PRODUCTS:
        raise HTTPException(404, "no such product")
    etag = f'"p{product_id}"'
    response.headers.update({"Cache-Control": "public, max-age=60", "ETag": etag})
    if if_none_match == etag:
        return Response(status_code=304, headers=dict(response.headers))
    return PRODUCTS[product_id]


@app.get("/products/{product_id}/price", tags=["products"])
async def price(product_id: int, currency: str = "EUR"):
    rates = {"EUR": 1.0, "USD": 1.1}
    return {"price": PRODUCTS[product_id]["price"] * rates[currency]}


@app.get("/search", tags=["products"])
async def search(q: str = Query(min_length=2)):
    await asyncio.sleep(0.004)
    return [p for p in PRODUCTS.values() if q.lower() in p["name"].lower()][:20]


@app.get("/cart", tags=["cart"])
async def cart(response: Response, me: dict = Depends(user)):
    response.headers["Cache-Control"] = "private, no-store"
    return CARTS.get(me["id"], {})


@app.post("/cart/items", status_code=201, tags=["cart"])
async def put_in_cart(item: Item, me: dict = Depends(user)):
    if item.product_id not in PRODUCTS:
        raise HTTPException(404, "no such product")
    content = CARTS.setdefault(me["id"], {})
    content[item.product_id] = content.get(item.product_id, 0) + item.quantity
    return content


@app.delete("/cart/items/{product_id}", status_code=204, tags=["cart"])
async def take_from_cart(product_id: int, me: dict = Depends(user)):
    CARTS.get(me["id"], {}).pop(product_id, None)


def send_receipt(order: uuid.UUID, fails: bool):
    """Runs after the answer: a failure here is in the log, but the client has its 201."""
    if fails:
        raise RuntimeError(f"no mail server took the receipt of {order}")


@app.post("/orders", status_code=201, tags=["orders"])
async def place(tasks: BackgroundTasks, me: dict = Depends(user)):
    content = CARTS.pop(me["id"], {})
    if not content:
        raise HTTPException(409, "the cart is empty")
    await asyncio.sleep(0.01)
    order = uuid.uuid4()
    ORDERS[order] = {"id": order, "user": me["id"], "items": content, "total": sum(PRODUCTS[p]["price"] * n for p, n in content.items())}
    tasks.add_task(send_receipt, order, len(ORDERS) % 25 == 0)
    return ORDERS[order]


@app.get("/orders/{order_id}", tags=["orders"])
async def order(order_id: uuid.UUID, me: dict = Depends(user)):
    found = ORDERS.get(order_id)
    if found is None:
        raise HTTPException(404, "no such order")
    if found["user"] != me["id"]:
        raise HTTPException(403, "not yours")
    return found


@app.get("/users/me", tags=["users"])
async def who(me: dict = Depends(user)):
    return me


@app.get("/users/{user_id}", tags=["users"])
async def other(user_id: int):
    for known in USERS.values():
        if known["id"] == user_id:
            return known
    raise HTTPException(404, "no such user")


@app.get("/events", response_class=StreamingResponse, tags=["live"],
         responses={200: {"content": {"text/event-stream": {}}}})
async def events(count: int = Query(default=3, le=20)):
    async def stream():
        for n in range(count):
            yield f"data: {n}\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.websocket("/ws/{room}")
async def chat(socket: WebSocket, room: str):
    if room == "closed":
        await socket.close()
        return
    await socket.accept()
    await socket.send_text(f"welcome to {room}")
    await socket.close()


@app.get("/old-products", include_in_schema=False)
async def old():
    return RedirectResponse("/products", 301)


@app.get("/reports/sales", tags=["failing"])
async def sales():
    """Divides by the number of orders, which may be none."""
    return {"mean": sum(o["total"] for o in ORDERS.values()) / len([o for o in ORDERS.values() if o["total"] < 0])}


@app.get("/reports/stock", tags=["failing"])
async def stock():
    """The warehouse does not answer, and what handles that fails too."""
    try:
        await asyncio.wait_for(asyncio.sleep(1), 0.01)
    except TimeoutError as error:
        log.warning("warehouse: no answer")
        raise HTTPException(503, "try later") from error
