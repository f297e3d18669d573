//! The service that is imitated: 64 routes, most wanted first.

/// One operation. In `template` `{id}`, `{uuid}` and `{slug}` stand for what varies.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    /// What a success is answered with.
    pub(crate) success: u16,
    /// Median latency in microseconds.
    pub(crate) median_us: u32,
    /// Spread of the latency's logarithm.
    pub(crate) sigma: f64,
}

const fn r(method: &'static str, template: &'static str, success: u16, median_us: u32, sigma: f64) -> Route {
    Route { method, template, success, median_us, sigma }
}

/// The route that the incident hits.
pub(crate) const INCIDENT: &str = "/checkout";

/// By falling share of the traffic.
pub(crate) const ROUTES: [Route; 64] = [
    r("GET", "/products/{id}", 200, 14_000, 0.6),
    r("GET", "/products", 200, 38_000, 0.5),
    r("GET", "/search", 200, 61_000, 0.7),
    r("GET", "/cart", 200, 9_000, 0.4),
    r("GET", "/static/{slug}", 200, 800, 0.3),
    r("POST", "/cart/items", 201, 22_000, 0.5),
    r("GET", "/categories/{slug}", 200, 27_000, 0.5),
    r("GET", "/users/me", 200, 6_000, 0.4),
    r("GET", "/products/{id}/reviews", 200, 31_000, 0.6),
    r("GET", "/orders/{uuid}", 200, 18_000, 0.5),
    r("POST", "/checkout", 201, 210_000, 0.6),
    r("GET", "/orders", 200, 44_000, 0.5),
    r("GET", "/products/{id}/stock", 200, 4_000, 0.4),
    r("GET", "/blog/{slug}", 200, 12_000, 0.4),
    r("DELETE", "/cart/items/{id}", 204, 11_000, 0.4),
    r("PUT", "/cart/items/{id}", 200, 13_000, 0.4),
    r("POST", "/login", 200, 180_000, 0.3),
    r("GET", "/recommendations", 200, 95_000, 0.8),
    r("GET", "/brands/{slug}", 200, 16_000, 0.5),
    r("GET", "/profiles/{slug}", 200, 15_000, 0.5),
    r("GET", "/api/v1/items/{id}", 200, 7_000, 0.5),
    r("GET", "/api/v1/items", 200, 24_000, 0.5),
    r("GET", "/api/v1/items/{id}/prices", 200, 12_000, 0.5),
    r("GET", "/api/v1/items/{id}/images/{id}", 200, 9_000, 0.4),
    r("POST", "/api/v1/items", 201, 48_000, 0.4),
    r("PUT", "/api/v1/items/{id}", 200, 36_000, 0.4),
    r("DELETE", "/api/v1/items/{id}", 204, 17_000, 0.4),
    r("GET", "/orders/{uuid}/invoice", 200, 130_000, 0.5),
    r("GET", "/orders/{uuid}/items", 200, 21_000, 0.4),
    r("POST", "/orders/{uuid}/cancel", 202, 52_000, 0.5),
    r("GET", "/orders/{uuid}/tracking", 200, 88_000, 0.9),
    r("POST", "/products/{id}/reviews", 201, 41_000, 0.4),
    r("GET", "/users/{id}", 200, 8_000, 0.4),
    r("PATCH", "/users/{id}", 200, 29_000, 0.4),
    r("GET", "/users/{id}/orders", 200, 47_000, 0.6),
    r("GET", "/users/{id}/addresses", 200, 10_000, 0.4),
    r("POST", "/users/{id}/addresses", 201, 26_000, 0.4),
    r("DELETE", "/users/{id}/addresses/{id}", 204, 15_000, 0.4),
    r("GET", "/wishlists/{uuid}", 200, 12_000, 0.5),
    r("POST", "/wishlists/{uuid}/items", 201, 19_000, 0.4),
    r("DELETE", "/wishlists/{uuid}/items/{id}", 204, 14_000, 0.4),
    r("POST", "/wishlists", 201, 23_000, 0.4),
    r("POST", "/logout", 204, 5_000, 0.3),
    r("POST", "/users", 201, 240_000, 0.3),
    r("POST", "/password/reset", 202, 160_000, 0.4),
    r("GET", "/coupons/{id}", 200, 7_000, 0.4),
    r("POST", "/coupons/{id}/redeem", 200, 33_000, 0.5),
    r("GET", "/shipping/rates", 200, 290_000, 0.7),
    r("GET", "/payments/{uuid}", 200, 28_000, 0.5),
    r("POST", "/payments", 201, 420_000, 0.5),
    r("POST", "/payments/{uuid}/refund", 202, 510_000, 0.4),
    r("POST", "/webhooks/payments", 204, 16_000, 0.4),
    r("GET", "/reports/daily", 200, 900_000, 0.5),
    r("GET", "/reports/{id}", 200, 640_000, 0.6),
    r("POST", "/reports", 202, 75_000, 0.4),
    r("GET", "/exports/{uuid}", 200, 1_400_000, 0.5),
    r("GET", "/notifications", 200, 11_000, 0.4),
    r("POST", "/notifications/{id}/read", 204, 8_000, 0.3),
    r("GET", "/settings", 200, 6_000, 0.3),
    r("PUT", "/settings", 200, 18_000, 0.3),
    r("GET", "/stores", 200, 20_000, 0.4),
    r("GET", "/stores/{id}/hours", 200, 5_000, 0.3),
    r("GET", "/", 200, 3_000, 0.4),
    r("HEAD", "/products/{id}", 200, 6_000, 0.5),
];

/// How many values `{slug}` takes under the route with this template.
pub(crate) fn slugs(template: &str) -> u64 {
    match template {
        "/static/{slug}" => 40,
        "/categories/{slug}" => 60,
        "/blog/{slug}" => 500,
        "/brands/{slug}" => 80,
        _ => 550,
    }
}

/// What scanners ask for and nobody serves.
pub(crate) const SCANNED: [&str; 24] = [
    "/wp-login.php",
    "/.env",
    "/.git/config",
    "/phpmyadmin/index.php",
    "/xmlrpc.php",
    "/admin.php",
    "/config.json",
    "/backup.sql",
    "/server-status",
    "/actuator/env",
    "/cgi-bin/luci",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/solr/admin/info/system",
    "/.aws/credentials",
    "/wp-content/plugins/hello.php",
    "/console",
    "/owa/auth/logon.aspx",
    "/robots.txt.bak",
    "/api/jsonws/invoke",
    "/boaform/admin/formLogin",
    "/hudson",
    "/.well-known/old.txt",
    "/autodiscover/autodiscover.xml",
    "/shell.php",
];
