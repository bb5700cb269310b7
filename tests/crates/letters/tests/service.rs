//! Tests of the guide that name the library's items.

use letters::{drafts, save_drafts, service};
use lifecycle_runtime::testing::{TestApp, TestAppBuilder};

fn faked() -> TestAppBuilder {
    TestApp::of(service()).replace::<drafts>(Vec::new())
}

#[lifecycle_runtime::test(setup = faked)]
async fn drafts_are_saved(app: TestApp) {
    app.stop().await.assert_clean().assert_ran_once::<save_drafts>();
}
