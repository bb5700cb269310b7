//! Snapshot of the plan, as it was reviewed.
//!
//! `INSTA_UPDATE=always cargo test -p lifecycle-tests --test testing snapshots` writes it anew;
//! read the diff.

use lifecycle_runtime::Lifecycle;
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::plan::{Plan, PlanError, PlanFormat};

use crate::hooks::{announce, farewell, flush, import, outbox, ping, reload, service, withdraw};

/// Returns the plan of the service's hooks, without those that a library brings.
fn plan() -> Result<Plan, PlanError> {
    Plan::new([
        import::META,
        outbox::META,
        announce::META,
        ping::META,
        reload::META,
        withdraw::META,
        flush::META,
        farewell::META,
        crate::hooks::close_db::META,
    ])
}

#[test]
fn the_plan_is_the_one_that_was_reviewed() -> Result<(), PlanError> {
    insta::assert_snapshot!(plan()?.render(PlanFormat::Snapshot));
    Ok(())
}

#[test]
fn a_plan_has_no_places_that_change_with_the_machine() -> Result<(), PlanError> {
    let plan: Plan = service().plan()?;
    let text = plan.render(PlanFormat::Snapshot);
    assert!(!text.contains(".rs") && !text.contains('/'), "{text}");
    assert_eq!(text, Lifecycle::new().plan()?.render(PlanFormat::Snapshot));
    Ok(())
}
