//! Rules of who may see what, besides the probes, which are for everybody.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentType, HeaderValue};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};

const NO_DETAILS: &str = "only probes and metrics are shown on an address that others reach: set \
                          `admin_details(true)` or LIFECYCLE_ADMIN_DETAILS=on to show the rest\n";

const OTHER_HOST: &str = "this listener has another host name: ask for localhost or an IP address, \
                          or add the name by `admin_hosts` or LIFECYCLE_ADMIN_HOSTS\n";

const OTHER_ORIGIN: &str = "a page of another origin may not change anything here\n";

/// Access to everything but the probes.
pub(super) struct Access {
    /// Set if everybody who reaches the address has access to details.
    pub(super) details: bool,
    /// Host names that clients may use, besides those of this machine, in lower case.
    pub(super) hosts: Vec<String>,
}

/// Content that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Numbers, which name neither clients nor errors.
    Metrics,
    /// Everything else: paths of requests, errors, settings.
    Details,
}

/// Denial of a request.
#[derive(Debug, PartialEq, Eq)]
enum Denial {
    /// The address is one that others reach.
    NoDetails,
    /// The client has another host name for the listener, as a page in a browser has after it has
    /// led its own name here (DNS rebinding).
    OtherHost,
    /// A page of another origin would change something.
    OtherOrigin,
}

/// Passes a request on if its client has access, and answers it otherwise.
pub(super) async fn guard(
    access: Arc<Access>,
    content: Content,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match access.denial(content, request.request()) {
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Some(denial) => Ok(request.into_response(denial.response())),
    }
}

impl Denial {
    fn response(&self) -> HttpResponse {
        let (status, text) = match self {
            Self::NoDetails => (StatusCode::FORBIDDEN, NO_DETAILS),
            Self::OtherHost => (StatusCode::MISDIRECTED_REQUEST, OTHER_HOST),
            Self::OtherOrigin => (StatusCode::FORBIDDEN, OTHER_ORIGIN),
        };
        HttpResponse::build(status).content_type(ContentType::plaintext()).body(text)
    }
}

impl Access {
    fn denial(&self, content: Content, request: &HttpRequest) -> Option<Denial> {
        // No browser reaches a Unix socket, whose clients have no address.
        let address = request.peer_addr().map(|_| request.app_config().local_addr());
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let hosts = request.headers().get_all(header::HOST).map(HeaderValue::as_bytes);
        let hosts: Vec<_> = hosts.chain(authority).collect();
        let origin = request.headers().get(header::ORIGIN).map(HeaderValue::as_bytes);
        self.judge(content, address, &hosts, request.method(), origin)
    }

    /// Returns the reason to refuse a request to this address, which is `None` for a Unix socket.
    /// `hosts` are all names of the listener in the request.
    fn judge(
        &self,
        content: Content,
        address: Option<SocketAddr>,
        hosts: &[&[u8]],
        method: &Method,
        origin: Option<&[u8]>,
    ) -> Option<Denial> {
        let address = address?;
        let is_loopback = address.ip().to_canonical().is_loopback();
        // Scrapers ask for names that only their network knows, and anybody may ask as they do.
        if !is_loopback && content == Content::Metrics {
            return None;
        }
        if !is_loopback && !self.details {
            return Some(Denial::NoDetails);
        }
        if hosts.is_empty() || !hosts.iter().all(|host| self.knows(host, is_loopback)) {
            return Some(Denial::OtherHost);
        }
        // A browser sends a plain POST of any page without a question, and its origin with it.
        let is_safe = method == Method::GET || method == Method::HEAD;
        let is_own = |origin: &[u8]| {
            origin.strip_prefix(b"http://").is_some_and(|host| hosts.contains(&host))
        };
        if !is_safe && origin.is_some_and(|origin| !is_own(origin)) {
            return Some(Denial::OtherOrigin);
        }
        None
    }

    /// Returns whether a client may use this host, which may have a port.
    fn knows(&self, host: &[u8], is_loopback: bool) -> bool {
        let Ok(authority) = Authority::try_from(host) else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let number = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = number.parse::<IpAddr>() {
            // No name leads here if the client asks by number.
            return !is_loopback || ip.to_canonical().is_loopback();
        }
        name == "localhost" || name.ends_with(".localhost") || self.hosts.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1:9000";
    const REACHABLE: &str = "10.0.0.7:9000";

    fn access(details: bool) -> Access {
        Access { details, hosts: vec!["admin.internal".to_owned()] }
    }

    #[track_caller]
    fn check(details: bool, address: &str, hosts: &[&str], expected: impl Into<Option<Denial>>) {
        let names: Vec<_> = hosts.iter().map(|host| host.as_bytes()).collect();
        let address = Some(address.parse().expect("an address"));
        let denial = access(details).judge(Content::Details, address, &names, &Method::GET, None);
        assert_eq!(denial, expected.into(), "{hosts:?}");
    }

    #[test]
    fn details_are_hidden_where_others_reach_unless_details_are_on() {
        for address in ["10.0.0.7:9000", "0.0.0.0:9000", "[::]:9000", "[2001:db8::1]:9000"] {
            check(false, address, &["10.0.0.7:9000"], Denial::NoDetails);
            check(true, address, &["10.0.0.7:9000"], None);
        }
        for address in ["127.0.0.1:9000", "127.8.9.10:9000", "[::1]:9000", "[::ffff:127.0.0.1]:9"] {
            check(false, address, &["localhost"], None);
        }
    }

    #[test]
    fn a_name_that_somebody_else_could_lead_here_is_refused() {
        for host in [
            "localhost",
            "localhost:9000",
            "LocalHost.:9000",
            "app.localhost:9000",
            "127.0.0.1:9000",
            "127.1.2.3",
            "[::1]:9000",
            "admin.internal:9000",
            "Admin.Internal",
        ] {
            check(false, LOOPBACK, &[host], None);
            check(true, REACHABLE, &[host], None);
        }
        for host in [
            "evil.example",
            "evil.example:9000",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "",
            ":9000",
        ] {
            check(false, LOOPBACK, &[host], Denial::OtherHost);
            check(true, REACHABLE, &[host], Denial::OtherHost);
        }
        check(false, LOOPBACK, &[], Denial::OtherHost);
        check(false, LOOPBACK, &["localhost", "evil.example"], Denial::OtherHost);
    }

    #[test]
    fn the_number_of_another_machine_is_refused_on_loopback_only() {
        for host in ["10.0.0.7:9000", "[2001:db8::1]:9000"] {
            check(false, LOOPBACK, &[host], Denial::OtherHost);
            check(true, REACHABLE, &[host], None);
        }
    }

    #[test]
    fn metrics_are_for_all_but_a_page_that_has_led_its_name_here() {
        let judge = |address: &str, host: &str| {
            let address = Some(address.parse().expect("an address"));
            access(false).judge(Content::Metrics, address, &[host.as_bytes()], &Method::GET, None)
        };
        assert_eq!(judge(REACHABLE, "shop.svc:9000"), None);
        assert_eq!(judge(LOOPBACK, "localhost:9000"), None);
        assert_eq!(judge(LOOPBACK, "evil.example"), Some(Denial::OtherHost));
    }

    #[test]
    fn a_unix_socket_has_no_rule() {
        let hosts: [&[u8]; 1] = [b"evil.example"];
        let judge = |content| access(false).judge(content, None, &hosts, &Method::POST, None);
        assert_eq!((judge(Content::Details), judge(Content::Metrics)), (None, None));
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let judge = |method, origin: Option<&str>| {
            let address = Some(LOOPBACK.parse().expect("an address"));
            let origin = origin.map(str::as_bytes);
            access(false).judge(Content::Details, address, &[b"localhost:9000"], method, origin)
        };
        for (method, origin) in [
            (&Method::GET, Some("http://evil.example")),
            (&Method::POST, None),
            (&Method::POST, Some("http://localhost:9000")),
        ] {
            assert_eq!(judge(method, origin), None, "{method} {origin:?}");
        }
        for origin in ["http://evil.example", "null", "http://localhost:8080"] {
            assert_eq!(judge(&Method::POST, Some(origin)), Some(Denial::OtherOrigin), "{origin}");
        }
    }
}
