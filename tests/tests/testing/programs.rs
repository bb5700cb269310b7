//! Apps of a whole program, which do what the process does.

mod tests {
    use std::time::Duration;

    use actix_web::App;
    use lifecycle_runtime::event::StopCause;
    use lifecycle_runtime::hook::Hook as _;
    use lifecycle_runtime::plan::PlanFormat;
    use lifecycle_runtime::testing::TestApp;
    use lifecycle_runtime::{Lifecycle, on_shutdown, service};

    /// Ends at once.
    #[service]
    async fn job() {}

    #[on_shutdown(timeout = "10s")]
    async fn report() {}

    #[on_shutdown(reserve = "20s")]
    async fn upload() {}

    #[tokio::test(start_paused = true)]
    async fn a_program_without_a_server_ends_when_its_services_are_done() {
        let app = TestApp::of(Lifecycle::of([job::META])).start().await;
        let ended = app.end().await;
        ended.assert_clean();
        assert_eq!(ended.cause, Some(StopCause::ServicesDone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_program_goes_on_and_so_does_one_with_a_server_or_that_is_to_keep_running()
    {
        let served = Lifecycle::of([job::META]).http(App::new);
        let kept = Lifecycle::of([job::META]).keep_running(true);
        let part = TestApp::of(Lifecycle::of([job::META, report::META])).only::<job>();
        for builder in [TestApp::of(served), TestApp::of(kept), part] {
            let app = builder.start().await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            assert_eq!(app.stop().await.cause, Some(StopCause::Requested));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_report_names_the_failure_that_the_program_has_reported() {
        let app = TestApp::of(Lifecycle::of([report::META])).start().await;
        app.stop_handle().fail("the disk is on fire");
        let ended = app.end().await;
        assert_eq!(ended.cause, Some(StopCause::Failed("the disk is on fire".into())));
        assert_eq!(ended.exit_code(), 3);
    }

    #[test]
    fn its_time_table_is_that_of_the_process() {
        let program =
            || Lifecycle::of([report::META]).http(App::new).grace(Duration::from_secs(12));
        let table = |plan: &lifecycle_runtime::plan::Plan| plan.render(PlanFormat::Text).clone();
        let of_process = table(&program().plan().expect("a plan"));
        assert!(of_process.contains("requests"), "{of_process}");
        assert_eq!(table(&TestApp::of(program()).plan()), of_process);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the reserves of shutdown hooks and services need 20 s")]
    async fn what_the_process_refuses_is_refused() {
        let program = Lifecycle::of([upload::META]).grace(Duration::from_secs(10));
        assert!(program.plan().is_err());
        TestApp::of(program).run().await;
    }
}
