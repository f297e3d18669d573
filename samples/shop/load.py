"""Drives the shop and counts what it did, with Python's standard library alone.

`load.py PORT REQUESTS SEED` prints one JSON object: requests and statuses by method and route template, so that a report
made from the server's log can be held against it.
"""

import http.client
import json
import random
import sys
import uuid


class Client:
    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.seen = {}

    def ask(self, method, path, route, *, body=None, token=None, headers=None):
        """One request; its status and body. Counted under `route`."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 500:
            self.connection.close()             # uvicorn hangs up after an unhandled exception without saying so
        self.count(method, route, answer.status)
        return answer.status, text

    def count(self, method, route, status):
        statuses = self.seen.setdefault((method, route), {})
        statuses[str(status)] = statuses.get(str(status), 0) + 1

    def websocket(self, room):
        """Shakes hands, reads the first frame, leaves. 101 or the refusal's status, under the method WEBSOCKET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", f"/ws/{room}", headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                                          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        answer = connection.getresponse()
        if answer.status == 101:
            answer.fp.read(2)
        connection.close()
        self.count("WEBSOCKET", "/ws/{room}", answer.status)


def visit(client, rng):
    """One thing that somebody does."""
    token = f"token-{rng.randint(1, 20)}"
    number = rng.randint(1, 210)
    roll = rng.random()
    if roll < 0.22:
        etag = {"If-None-Match": f'"p{number}"'} if rng.random() < 0.2 else None
        client.ask("GET", f"/products/{number}", "/products/{product_id}", headers=etag)
    elif roll < 0.38:
        client.ask("GET", f"/products?page={rng.randint(0, 10)}", "/products")
    elif roll < 0.43:
        client.ask("GET", "/products/featured", "/products/featured")
    elif roll < 0.50:
        client.ask("GET", f"/products/{min(number, 200)}/price?currency={rng.choice(['EUR', 'USD', 'EUR', 'GBP'])}", "/products/{product_id}/price")
    elif roll < 0.60:
        client.ask("GET", "/search?q=" + rng.choice(["product", "product+1", "gr%C3%BCn", "x"]), "/search")
    elif roll < 0.66:
        client.ask("GET", "/cart", "/cart", token=token if rng.random() < 0.8 else None)
    elif roll < 0.78:
        client.ask("POST", "/cart/items", "/cart/items", token=token, body={"product_id": number, "quantity": rng.randint(0, 5)})
    elif roll < 0.80:
        client.ask("DELETE", f"/cart/items/{number}", "/cart/items/{product_id}", token=token)
    elif roll < 0.86:
        status, text = client.ask("POST", "/orders", "/orders", token=token)
        if status == 201:
            client.ask("GET", f"/orders/{json.loads(text)['id']}", "/orders/{order_id}", token=rng.choice([token, "token-1"]))
    elif roll < 0.88:
        client.ask("GET", f"/orders/{uuid.UUID(int=rng.getrandbits(128), version=4)}", "/orders/{order_id}", token=token)
    elif roll < 0.91:
        client.ask("GET", "/users/me", "/users/me", token=token)
    elif roll < 0.94:
        client.ask("GET", f"/users/{rng.randint(1, 25)}", "/users/{user_id}")
    elif roll < 0.95:
        client.ask("GET", f"/events?count={rng.randint(1, 5)}", "/events")
    elif roll < 0.96:
        client.websocket(rng.choice(["main", "blue", "closed"]))
    elif roll < 0.97:
        client.ask("GET", "/old-products", "/old-products")
    elif roll < 0.98:
        client.ask("GET", "/reports/sales", "/reports/sales")
    elif roll < 0.985:
        client.ask("GET", "/reports/stock", "/reports/stock")
    elif roll < 0.99:
        client.ask("PUT", f"/products/{number}", "/products/{product_id}")
    else:
        client.ask("GET", rng.choice(["/wp-login.php", "/.env", "/favicon.ico"]), None)


def drive(port, requests, seed):
    """What was done, as plain data."""
    client, rng = Client(port), random.Random(seed)
    while sum(sum(s.values()) for s in client.seen.values()) < requests:
        visit(client, rng)
    client.connection.close()
    total = {}
    for (method, _route), statuses in client.seen.items():
        for status, count in statuses.items():
            if method != "WEBSOCKET":
                total[status] = total.get(status, 0) + count
    routes = [{"method": m, "route": r, "requests": sum(s.values()), "status": dict(sorted(s.items()))}
              for (m, r), s in sorted(client.seen.items(), key=lambda one: (one[0][0], one[0][1] or ""))]
    return {"requests": sum(total.values()), "status": dict(sorted(total.items())), "routes": routes}


if __name__ == "__main__":
    print(json.dumps(drive(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), indent=1))
