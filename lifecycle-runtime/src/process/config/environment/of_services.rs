//! Variables that Kubernetes and Docker set to point to a service.

/// Returns whether Kubernetes or Docker has set this variable to point to another service.
///
/// Kubernetes sets such variables in each container of a namespace for each Service there, and a
/// Service may be named `lifecycle` or `lifecycle-web`: `LIFECYCLE_WEB_SERVICE_HOST`,
/// `LIFECYCLE_WEB_SERVICE_PORT`, the latter with `_` and a port's name for each port, and the forms
/// of Docker's links (kubernetes.io, "Service: Discovering services"). Those are
/// `LIFECYCLE_WEB_PORT=tcp://10.0.0.1:80`, `LIFECYCLE_WEB_PORT_80_TCP` with four endings (`_START`
/// and `_END` for ranges), `LIFECYCLE_WEB_NAME=/one/other` and `LIFECYCLE_WEB_ENV_` with a
/// variable's name (docs.docker.com, "Legacy container links").
pub(super) fn is_of_a_service(name: &str, value: &str) -> bool {
    // From here on `rest` begins with the `_` before each form, even behind the name `lifecycle`
    // itself.
    let Some(rest) = name.strip_prefix("LIFECYCLE") else { return false };
    let after = |form: &str| rest.split_once(form).map(|(_, after)| after);
    let is_of_port = |port: &str| {
        let mut words = port.split('_');
        words.next().is_some_and(|number| number.parse::<u16>().is_ok())
            && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
            && matches!(words.next(), None | Some("PROTO" | "PORT" | "ADDR" | "START" | "END"))
            && words.next().is_none()
    };
    rest.ends_with("_SERVICE_HOST")
        || rest.ends_with("_SERVICE_PORT")
        || after("_SERVICE_PORT_").is_some_and(|port| !port.is_empty())
        // A plain number there may be somebody's attempt at a setting, which is refused.
        || (rest.ends_with("_PORT") && value.contains("://"))
        // The service's own name may have such words, too.
        || rest.match_indices("_PORT_").any(|(at, form)| is_of_port(&rest[at + form.len()..]))
        || (rest.ends_with("_NAME") && value.starts_with('/'))
        || after("_ENV_").is_some_and(|variable| !variable.is_empty())
}
