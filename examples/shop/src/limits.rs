//! How much one address may ask for.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota};
use lifecycle_runtime::{Dep, Stop, on_startup, service};

use crate::problem::Problem;
use crate::settings::settings;

/// A limit for each address: one for all workers.
pub type Limit = DefaultKeyedRateLimiter<IpAddr>;

/// For everything.
#[on_startup]
pub fn limit(settings: Dep<settings>) -> Limit {
    Limit::keyed(Quota::per_second(settings.requests_per_second).allow_burst(settings.burst))
}

/// For whatever hashes a password.
#[on_startup]
pub fn sign_in_limit(settings: Dep<settings>) -> Limit {
    Limit::keyed(Quota::per_minute(settings.sign_ins_per_minute))
}

/// Forgets the addresses that could ask for everything again, which would take more and more memory.
#[service]
pub async fn forget_addresses(limit: Dep<limit>, sign_in_limit: Dep<sign_in_limit>, stop: Stop) {
    while tokio::time::timeout(Duration::from_secs(60), stop.requested()).await.is_err() {
        limit.retain_recent();
        sign_in_limit.retain_recent();
    }
}

/// Refuses an address that asks for too much. The probes and the metrics are for whoever looks after the shop, at any time.
pub async fn limit_requests<B: MessageBody>(
    limit: Dep<limit>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    const FOR_OPERATORS: [&str; 4] = ["/livez", "/readyz", "/startupz", "/metrics"];
    match FOR_OPERATORS.contains(&request.path()) {
        true => Ok(next.call(request).await?.map_into_left_body()),
        false => pass(&limit, request, next).await,
    }
}

/// Refuses an address that tries too many passwords.
pub async fn limit_sign_ins<B: MessageBody>(
    limit: Dep<sign_in_limit>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    pass(&limit, request, next).await
}

async fn pass<B: MessageBody>(
    limit: &Limit,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match limit.check_key(&peer(&request)) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refused) => {
            let refusal = Problem::TooMany(refused.wait_time_from(limit.clock().now()));
            // An answer, and not an error: what stands around it adds its headers to answers only.
            Ok(request.into_response(refusal.error_response()).map_into_right_body())
        }
    }
}

/// Who is limited: an IPv4 address; of IPv6 the network, as one customer has many addresses; on a Unix socket everybody
/// together.
///
/// It is the address that is connected, and not what a header says, which anybody can write. Behind a proxy, limit there.
fn peer(request: &ServiceRequest) -> IpAddr {
    match request.peer_addr().map(|address| address.ip().to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}
