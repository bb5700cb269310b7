//! Limits on the requests of one address.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::X_FORWARDED_FOR;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota};
use lifecycle_runtime::{Dep, Stop, on_startup, service};

use crate::problem::Problem;
use crate::settings::settings;

/// A limit for each address: one for all workers.
pub type Limit = DefaultKeyedRateLimiter<IpAddr>;

/// Creates the limit for all requests.
#[on_startup]
pub fn limit(settings: Dep<settings>) -> Limit {
    Limit::keyed(Quota::per_second(settings.requests_per_second).allow_burst(settings.burst))
}

/// Creates the limit for requests that hash a password.
#[on_startup]
pub fn sign_in_limit(settings: Dep<settings>) -> Limit {
    Limit::keyed(Quota::per_minute(settings.sign_ins_per_minute))
}

/// Forgets the addresses that have their whole allowance again, which would take more and more
/// memory.
#[service]
pub async fn forget_addresses(limit: Dep<limit>, sign_in_limit: Dep<sign_in_limit>, stop: Stop) {
    while tokio::time::timeout(Duration::from_secs(60), stop.requested()).await.is_err() {
        limit.retain_recent();
        sign_in_limit.retain_recent();
    }
}

/// Refuses an address that asks for too much. Probes and metrics have no limit: operators need them
/// at any time.
pub async fn limit_requests<B: MessageBody>(
    limit: Dep<limit>,
    settings: Dep<settings>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    const FOR_OPERATORS: [&str; 4] = ["/livez", "/readyz", "/startupz", "/metrics"];
    if FOR_OPERATORS.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    pass(&limit, client(&request, settings.proxies), request, next).await
}

/// Refuses an address that tries too many passwords.
pub async fn limit_sign_ins<B: MessageBody>(
    limit: Dep<sign_in_limit>,
    settings: Dep<settings>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    pass(&limit, client(&request, settings.proxies), request, next).await
}

async fn pass<B: MessageBody>(
    limit: &Limit,
    client: IpAddr,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match limit.check_key(&client) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refused) => {
            let refusal = Problem::TooMany(refused.wait_time_from(limit.clock().now()));
            // This is an answer and not an error: the middleware around it adds its headers to
            // answers only.
            Ok(request.into_response(refusal.error_response()).map_into_right_body())
        }
    }
}

/// Returns the address that is limited: an IPv4 address; for IPv6 the network, as one customer has
/// many addresses; on a Unix socket one address for everybody.
///
/// It is the address that is connected. Behind proxies it is the address that the first of our
/// proxies has seen: anybody could have written the entries before that in `X-Forwarded-For`.
fn client(request: &ServiceRequest, proxies: usize) -> IpAddr {
    let said = request.headers().get_all(X_FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let said: Vec<_> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let forwarded =
        proxies.checked_sub(1).and_then(|last| said.iter().rev().nth(last)?.parse::<IpAddr>().ok());
    match forwarded
        .or(request.peer_addr().map(|address| address.ip()))
        .map(|address| address.to_canonical())
    {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[track_caller]
    fn is_limited_as(proxies: usize, peer: &str, forwarded: &[&str], expected: &str) {
        let request = TestRequest::get().peer_addr(peer.parse().unwrap());
        let request = forwarded
            .iter()
            .fold(request, |request, said| request.append_header((X_FORWARDED_FOR, *said)));
        assert_eq!(client(&request.to_srv_request(), proxies), expected.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_client_is_who_is_connected() {
        is_limited_as(0, "10.0.0.1:1", &[], "10.0.0.1");
        is_limited_as(0, "10.0.0.1:1", &["10.0.0.2"], "10.0.0.1");
        is_limited_as(0, "[::ffff:10.0.0.1]:1", &[], "10.0.0.1");
        is_limited_as(0, "[2001:db8:1:2:3:4:5:6]:1", &[], "2001:db8:1:2::");
    }

    #[test]
    fn behind_proxies_a_client_is_who_the_first_of_them_has_seen() {
        is_limited_as(1, "10.0.0.1:1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4");
        is_limited_as(1, "10.0.0.1:1", &["6.6.6.6", "1.2.3.4"], "1.2.3.4");
        is_limited_as(2, "10.0.0.1:1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4");
        is_limited_as(1, "10.0.0.1:1", &["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::");
        // The request did not come through all of the proxies.
        is_limited_as(2, "10.0.0.1:1", &["1.2.3.4"], "10.0.0.1");
        is_limited_as(1, "10.0.0.1:1", &["nobody"], "10.0.0.1");
    }
}
