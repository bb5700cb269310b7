//! Types that a hook can't take or return, from a macro.

use lifecycle_runtime::on_startup;

macro_rules! typed {
    ($name:ident, $argument:ty, $output:ty) => {
        #[on_startup]
        fn $name(argument: $argument) -> $output {
            panic!("{}", argument)
        }
    };
}
typed! { takes, &'static str, u32 }
typed! { returns, u32, ! }

fn main() {}
