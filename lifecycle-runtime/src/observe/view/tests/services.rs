//! Test of the states of services, as documents name them.

use super::millis;
use crate::event::{Outcome, ServiceState};

const DOCUMENT: &str = include_str!("../../../../docs/admin.md");

/// Returns the state behind this one, in the order of their declaration.
fn next(state: &ServiceState) -> Option<ServiceState> {
    let after = Outcome::Blocked;
    match state {
        ServiceState::Starting => Some(ServiceState::Running),
        ServiceState::Running => Some(ServiceState::Failing { after }),
        ServiceState::Failing { .. } => {
            Some(ServiceState::BackingOff { after, delay: millis(100) })
        }
        ServiceState::BackingOff { .. } => Some(ServiceState::Stopping),
        ServiceState::Stopping => Some(ServiceState::Stopped),
        ServiceState::Stopped => Some(ServiceState::Failed),
        ServiceState::Failed => None,
    }
}

#[test]
fn the_document_about_the_listener_names_every_state_and_field_of_a_service() {
    let (_, section) = DOCUMENT.split_once("### `/services`").expect("a section");
    let (section, _) = section.split_once("\n### ").expect("another section");
    let states = std::iter::successors(Some(ServiceState::Starting), next);
    for state in states {
        let json = serde_json::to_value(&state).expect("plain values");
        for (field, value) in json.as_object().expect("an object") {
            assert!(section.contains(&format!("`{field}`")), "{field}");
            if let Some(value) = value.as_str() {
                assert!(section.contains(&format!("`{value}`")), "{value}");
            }
        }
    }
}
