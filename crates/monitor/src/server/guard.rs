//! Who may read what.
//!
//! A page of another origin must not read this one through the user's browser, whatever its name resolves to: the `Host` must be
//! one of this machine's own names or one that was allowed, an `Origin` must be that host, and data needs the token, which no
//! browser sends on its own: it is in a header, a WebSocket's protocol or the query, never in a cookie. Tokens are compared by
//! their hashes, so the time says nothing. Only GET and HEAD are answered.

use super::Shared;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;

/// What a WebSocket's protocol with a token begins with.
pub(super) const TOKEN_PROTOCOL: &str = "lapack-ai.token.";

pub(crate) struct Guard {
    token: [u8; 32],
    hosts: Vec<String>,
    policy: HeaderValue,
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address without a port ends in a bracket.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl Guard {
    pub(super) fn new(token: &str, address: SocketAddr, mut hosts: Vec<String>) -> Self {
        hosts.iter_mut().for_each(|host| *host = host.to_ascii_lowercase());
        let ancestors: String = hosts.iter().filter(|host| *host != "*").map(|host| format!(" {host}:*")).collect();
        let own = ["localhost", "127.0.0.1", "[::1]"];
        hosts.extend(own.map(str::to_string));
        if !address.ip().is_unspecified() {
            let ip = address.ip();
            hosts.push(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
        }
        // Notebooks on this machine may show the page in a frame.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; \
             frame-ancestors 'self' http://localhost:* http://127.0.0.1:* vscode-webview:{ancestors}"
        );
        let fallback = HeaderValue::from_static("default-src 'none'");
        let policy = HeaderValue::from_str(&policy).unwrap_or(fallback);
        Self { token: Sha256::digest(token).into(), hosts, policy }
    }

    fn knows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|known| known == "*" || *known == without_port(&host) || *known == host)
    }

    /// Whether the request's `Host` and `Origin` are this server's own.
    fn is_own(&self, request: &Request) -> bool {
        let headers = request.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if headers.get_all(header::HOST).iter().count() != 1 {
            return false;
        }
        let Some(host) = text(header::HOST).filter(|host| self.knows_host(host)) else { return false };
        match headers.contains_key(header::ORIGIN) {
            false => true,
            true => text(header::ORIGIN)
                .and_then(|origin| origin.split_once("://"))
                .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host) || self.is_allowed_proxy(from)),
        }
    }

    /// A proxy may pass on its own name as origin and this server's as host; only names that were allowed count.
    fn is_allowed_proxy(&self, from: &str) -> bool {
        let own = self.hosts.len().saturating_sub(4);
        let from = from.to_ascii_lowercase();
        self.hosts[..own].iter().any(|known| *known == without_port(&from) || *known == from)
    }

    fn has_token(&self, request: &Request) -> bool {
        let is_token = |text: &str| <[u8; 32]>::from(Sha256::digest(text)) == self.token;
        let headers = request.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let protocols = text(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default().split(',');
        let protocol = protocols.into_iter().find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL));
        let query = request.uri().query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("token="));
        [bearer, protocol, query].into_iter().flatten().any(is_token)
    }
}

fn refuse(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

/// For every request: lets it through, or says why not, and puts the headers on the answer.
pub(super) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let guard = &shared.guard;
    let mut response = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        refuse(StatusCode::METHOD_NOT_ALLOWED, "this page is read-only\n")
    } else if !guard.is_own(&request) {
        refuse(StatusCode::FORBIDDEN, "this host or origin is not allowed; allow it with hosts=[...]\n")
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, guard.policy.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// For requests of data: they need the token, and nobody keeps the answer.
pub(super) async fn check_token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = if shared.guard.has_token(&request) {
        next.run(request).await
    } else {
        refuse(StatusCode::UNAUTHORIZED, "the token is missing or wrong; open the address that was printed\n")
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn guard(hosts: &[&str]) -> Guard {
        let hosts = hosts.iter().map(|host| (*host).to_string()).collect();
        Guard::new("0123456789abcdef", "127.0.0.1:8080".parse().unwrap(), hosts)
    }

    fn request(headers: &[(&str, &str)], path: &str) -> Request {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn only_names_of_this_machine_and_allowed_ones_are_answered() {
        let (own, proxied) = (guard(&[]), guard(&["Hub.example.org"]));
        for (host, by_own, by_proxied) in [
            ("127.0.0.1:8080", true, true),
            ("localhost", true, true),
            ("[::1]:8080", true, true),
            ("hub.example.org", false, true),
            ("evil.example", false, false),
            ("127.0.0.1.evil.example:8080", false, false),
            ("localhost@evil.example", false, false),
            ("", false, false),
        ] {
            let request = request(&[("host", host)], "/");
            assert_eq!((own.is_own(&request), proxied.is_own(&request)), (by_own, by_proxied), "{host}");
        }
        assert!(!own.is_own(&request(&[("host", "localhost"), ("host", "evil")], "/")), "two hosts");
        assert!(guard(&["*"]).is_own(&request(&[("host", "any.example")], "/")));
    }

    #[test]
    fn an_origin_must_be_the_host() {
        let guard = guard(&["hub.example.org"]);
        for (origin, own) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.0.0.1:9999", false),
            ("https://hub.example.org", true),
            ("https://evil.example", false),
            ("null", false),
        ] {
            let request = request(&[("host", "127.0.0.1:8080"), ("origin", origin)], "/");
            assert_eq!(guard.is_own(&request), own, "{origin}");
        }
    }

    #[test]
    fn the_token_is_taken_from_header_protocol_or_query_and_must_be_whole() {
        let guard = guard(&[]);
        let token = "0123456789abcdef";
        assert!(guard.has_token(&request(&[("authorization", &format!("Bearer {token}"))], "/")));
        let protocols = format!("lapack-ai, {TOKEN_PROTOCOL}{token}");
        assert!(guard.has_token(&request(&[("sec-websocket-protocol", &protocols)], "/")));
        assert!(guard.has_token(&request(&[], &format!("/api/snapshot?a=b&token={token}"))));
        assert!(!guard.has_token(&request(&[], "/api/snapshot?token=0123456789abcde")));
        assert!(!guard.has_token(&request(&[("authorization", token)], "/?token=")));
        assert!(!guard.has_token(&request(&[("cookie", &format!("token={token}"))], "/")));
    }
}
