//! Exploration of a test: the same test under every order that the plan allows.

mod blame;
mod failure;
mod quiet;
mod search;
mod seed;
mod trial;

use std::fmt;
use std::panic::Location;

use self::failure::FailedSchedule;
use self::search::Search;
use self::seed::Seed;
use self::trial::ExploredTest;
use super::app::TestApp;
use super::app::builder::TestAppBuilder;
use super::assertions::TestReport;
use super::moment::Signal;
use super::scheduler::Injections;
use crate::process::config::SEED;

/// Runs a test under every order of the hooks that the plan allows, or under a thousand orders if
/// there are more. Uses [`Explore`] with all registered hooks and no settings of its own.
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::{TestApp, explore};
/// use lifecycle_runtime::{Dep, on_startup};
/// use std::sync::Mutex;
///
/// #[on_startup]
/// async fn rooms() -> Mutex<Vec<&'static str>> { Mutex::default() }
/// #[on_startup]
/// async fn lobby(rooms: Dep<rooms>) { rooms.lock().unwrap().push("lobby") }
/// #[on_startup]
/// async fn bar(rooms: Dep<rooms>) { rooms.lock().unwrap().push("bar") }
///
/// let explored = explore(async |app: TestApp| {
///     // Either may be the first.
///     assert_eq!(app.get::<rooms>().lock().unwrap().len(), 2);
/// });
/// assert_eq!(explored.to_string(), "all 2 schedules");
/// ```
///
/// # Panics
///
/// As [`Explore::run`].
#[track_caller]
pub fn explore<F: Future<Output = ()>>(test: impl Fn(TestApp) -> F) -> Explored {
    Explore::new().run(test)
}

/// Builder of an exploration: a test that runs under many schedules.
///
/// The plan says which hooks wait for which; the others may run in any order. A scheduler lets one
/// hook go on at a time: the hook begins, or comes back from an `.await` that had to wait. A
/// schedule consists of the scheduler's decisions. If there are no more schedules than
/// [`schedules`](Self::schedules) allows, each runs once. If there are more, half of those that run
/// are the nearest to the plan's own order. The other half are drawn at random, the same each time.
///
/// ```standalone_crate
/// use lifecycle_runtime::testing::{Explore, Signal, TestApp, TestReport};
/// use lifecycle_runtime::{Dep, on_shutdown, on_startup};
///
/// #[on_startup]
/// async fn db() -> String { unreachable!("no test needs a real one") }
/// #[on_shutdown]
/// async fn flush(db: Dep<db>) {}
/// #[on_shutdown(of = db)]
/// async fn close_db(db: Dep<db>) {}
///
/// let explored = Explore::new()
///     .setup(|| TestApp::builder().replace::<db>("a fake".to_owned()))
///     .signals([Signal::SIGTERM])
///     .faults()
///     .check(|report: &TestReport| {
///         // Whatever went wrong.
///         let ended = report.hooks.iter();
///         let closed = ended.filter(|ended| ended.hook.name() == "close_db").count();
///         assert_eq!(closed, 1);
///     })
///     .run(async |app: TestApp| {
///         assert_eq!(*app.get::<db>(), "a fake");
///     });
/// assert!(explored.exhaustive);
/// ```
///
/// # What goes on at a time
///
/// - Time is paused, and each permit takes a millisecond of it. So the timeout of a hook also
///   counts the permits of others; the grace period and the startup timeout are at least a minute
///   here.
/// - A plain `fn` runs to its end under one permit. A service that is a plain `fn` has a thread of
///   its own and needs no permits. The scheduler gives none to others either until the service is
///   ready, and from when it is told to stop until it has ended. If such a service makes others go
///   on in between, [replace](TestAppBuilder::replace) it.
/// - A hook that waits for something other than a hook, such as a timer, waits without a permit.
///   The scheduler may also choose that it goes on before another hook begins, if it does so within
///   five seconds of paused time.
/// - Tasks that a hook spawns run as soon as they can, and so does the test, once it has begun.
///   Until the test ends, no signal is sent and no fault is injected.
/// - Real I/O, under [`real_io`](super::real_io()), takes as long as it takes, and the scheduler
///   gives no permits meanwhile. [Replace](TestAppBuilder::replace) a service that does real I/O.
#[must_use = "nothing happens until `run`"]
pub struct Explore<'t> {
    /// Line of the test.
    place: &'static Location<'static>,
    setup: Box<dyn Fn() -> TestAppBuilder + 't>,
    check: Option<ReportCheck<'t>>,
    schedules: usize,
    injections: Injections,
    seed: Option<String>,
}

type ReportCheck<'t> = Box<dyn Fn(&TestReport) + 't>;

/// Result of an exploration in which no schedule failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// Number of schedules that were run.
    pub schedules: usize,
    /// Number of schedules that were drawn at random.
    pub random: usize,
    /// Set if there are no other schedules.
    pub exhaustive: bool,
}

impl Default for Explore<'_> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<'t> Explore<'t> {
    /// Creates an exploration of all registered hooks that the test
    /// [sees](super::guide#whose-hooks).
    #[track_caller]
    pub fn new() -> Self {
        let place = Location::caller();
        Self {
            place,
            setup: Box::new(TestApp::builder),
            check: None,
            schedules: 1_000,
            injections: Injections::default(),
            seed: None,
        }
    }

    /// Sets the function that makes the app; each schedule has an app of its own.
    pub fn setup(mut self, setup: impl Fn() -> TestAppBuilder + 't) -> Self {
        self.setup = Box::new(setup);
        self
    }

    /// Sets the highest number of schedules to run; 1,000 by default. At least one is run.
    pub fn schedules(mut self, most: usize) -> Self {
        self.schedules = most.max(1);
        self
    }

    /// Sends one of these signals at each permit of the start and of the stop, each in a run of its
    /// own.
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.injections.signals.extend(signals);
        self
    }

    /// Makes one hook fail, panic or hang: every hook in turn, each in a run of its own. No run has
    /// both a fault and a signal.
    pub fn faults(mut self) -> Self {
        self.injections.faults = true;
        self
    }

    /// Makes one hook fail, panic or hang inside its body: where it comes back from an `.await`
    /// that had to wait, at each of these, and each in a run of its own. Together with
    /// [`faults`](Self::faults) also before the body.
    ///
    /// For a single such place, plant a fault in the setup by
    /// [`Fault::at_await`](super::Fault::at_await).
    ///
    /// ```standalone_crate
    /// use lifecycle_runtime::testing::{Explore, TestReport};
    /// use lifecycle_runtime::hook::Hook;
    /// use lifecycle_runtime::{on_shutdown, on_startup};
    ///
    /// #[on_startup]
    /// async fn db() { tokio::task::yield_now().await }
    /// #[on_shutdown(of = db)]
    /// async fn close_db() {}
    ///
    /// let check = |report: &TestReport| assert!(!report.ran(close_db::META) || report.is_clean());
    /// let explored = Explore::new().faults_at_awaits().check(check).run(async |_| {});
    /// // One as it is, and one for each way to go wrong.
    /// assert_eq!(explored.to_string(), "all 4 schedules");
    /// ```
    pub fn faults_at_awaits(mut self) -> Self {
        self.injections.faults_at_awaits = true;
        self
    }

    /// Calls `check` with the report of each run, even of those whose start failed. It replaces the
    /// rule that a run without a fault or signal has to be clean.
    pub fn check(mut self, check: impl Fn(&TestReport) + 't) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Runs only this schedule, as `LIFECYCLE_SEED` does: to keep a schedule that has failed once
    /// as a test.
    ///
    /// ```should_panic,standalone_crate
    /// # use lifecycle_runtime::testing::Explore;
    /// Explore::new().replay("the first one").run(async |_| {}); // no seed
    /// ```
    pub fn replay(mut self, seed: impl Into<String>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Runs the test under one schedule after the other, each on an async runtime of its own, on
    /// this thread.
    ///
    /// The test runs once the app is ready. It may [stop](TestApp::stop) the app, or leave that to
    /// the exploration. If the start fails, or a signal stops the app first, the test doesn't run,
    /// and only the function given to [`check`](Self::check) sees the report.
    ///
    /// With `LIFECYCLE_SEED` in the environment, only the schedule of that seed is run.
    ///
    /// # Panics
    ///
    /// Under the first schedule that fails: the test panics, or the function given to
    /// [`check`](Self::check) does; or a run without a fault or signal is not clean, and neither
    /// the test, by stopping the app, nor a check judges it. The message has the seed, the
    /// schedule, what happened, and the edge that the plan lacks. It also panics if a seed does not
    /// parse or is of another plan, if nobody hears a signal, and inside of an async runtime.
    #[track_caller]
    pub fn run<F: Future<Output = ()>>(self, test: impl Fn(TestApp) -> F) -> Explored {
        let Self { place, setup, check, schedules, injections, seed } = self;
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "an exploration makes an async runtime for each schedule: call it from a plain \
             `#[test]`"
        );
        let setup = || setup().seen_from(place);
        let test = ExploredTest { setup: &setup, check: check.as_deref(), test, injections };
        match explored(&test, schedules, seed) {
            Ok(explored) => explored,
            Err(error) => panic!("{error}"),
        }
    }
}

fn explored<Test: Fn(TestApp) -> F, F: Future<Output = ()>>(
    test: &ExploredTest<'_, Test>,
    schedules: usize,
    seed: Option<String>,
) -> Result<Explored, String> {
    let variable = std::env::var_os(SEED).map(|seed| seed.to_string_lossy().into_owned());
    let given = match (variable, seed) {
        (Some(seed), _) => Some(seed.parse::<Seed>().map_err(|error| format!("{SEED}: {error}"))?),
        (None, Some(seed)) => Some(seed.parse::<Seed>()?),
        (None, None) => None,
    };
    let mut search = Search::new(schedules);
    let mut passed = Vec::new();
    let mut next = given.clone().or_else(|| search.next());
    while let Some(seed) = next {
        let trial = test.run(seed.strategy())?;
        if let Some(misfit) =
            trial.trace.misfit.clone().or_else(|| seed.misfit(trial.trace.choices.len()))
        {
            return Err(match given {
                Some(_) => {
                    format!("seed {seed} is of another test, or of another version of it: {misfit}")
                }
                None => format!(
                    "the test is not the same each time: what it did before it did not do again \
                     under schedule {seed}: \
                     {misfit}; {}",
                    trial.trace.chance()
                ),
            });
        }
        if trial.failure.is_some() {
            let is_replay = given.is_some();
            return Err(FailedSchedule { test, trial, seed, passed, is_replay }.text());
        }
        if given.is_some() {
            return Ok(Explored { schedules: 1, random: 0, exhaustive: false });
        }
        search.ran(&seed, &trial.trace.choices);
        if trial.trace.injected.is_none() {
            passed.push(trial.order());
        }
        next = search.next();
    }
    let (schedules, random) = search.count();
    Ok(Explored { schedules, random, exhaustive: search.is_exhausted() })
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedules, random, exhaustive } = self;
        match (exhaustive, schedules) {
            (true, 1) => f.write_str("the only schedule"),
            (true, _) => write!(f, "all {schedules} schedules"),
            (false, 1) => f.write_str("one schedule of more"),
            (false, _) => {
                let nearest = schedules - random;
                write!(
                    f,
                    "{schedules} schedules: the {nearest} nearest to the plan's own order, and \
                     {random} at random"
                )
            }
        }
    }
}
