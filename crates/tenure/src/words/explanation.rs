//! Whether a call would be a hit, and why not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::words::cause::Cause;
use crate::words::miss::Miss;

/// What a call would meet, as [`Function::explain`](crate::Function::explain) finds it: nothing is built, counted or
/// checked for it.
///
/// ```
/// # use std::time::Duration;
/// use tenure::{Cause, Miss};
///
/// #[tenure::cache_resource]
/// fn pool(shard: u32) -> u32 {
///     shard
/// }
///
/// assert_eq!(pool::explain(1).miss, Some(Miss::Absent));
/// drop(pool(1));
/// assert!(pool::explain(1).is_hit());
/// pool::clear_entry(1);
/// let why = pool::explain(1);
/// assert_eq!(why.miss, Some(Miss::Ended(Cause::Cleared)));
/// assert!(why.to_string().starts_with("pool would be a miss: it was cleared"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The function.
    pub function: Arc<str>,
    /// Why the call would be a miss; nothing for a hit.
    pub miss: Option<Miss>,
    /// For a hit, the time since it was built; for a miss, the time since what was kept ended.
    pub age: Option<Duration>,
    /// Who ended what was kept, where that is known.
    pub by: Option<Arc<str>>,
    /// For a miss of what nothing is known of, the time since all that the function kept was cleared, where it was: what
    /// was kept for this call may have been a part of that.
    pub last_clear: Option<Duration>,
    /// For a hit, whether the call has a successor built: its time is over, or nearly.
    pub refreshes: bool,
    /// For a hit, whether `validate` is asked before.
    pub validates: bool,
    /// For a hit, the leases of it that are out now.
    pub leases: u64,
    /// For a miss of what nothing is known of, the arguments in which alone calls that have an entry differ from this one,
    /// and how many do: such an argument may be one that ought not to count. Calls of very many arguments are not compared.
    pub differs: Vec<(Arc<str>, u64)>,
}

impl Explanation {
    /// A hit of this function.
    pub(crate) fn of(function: &Arc<str>) -> Self {
        Self {
            function: Arc::clone(function),
            miss: None,
            age: None,
            by: None,
            last_clear: None,
            refreshes: false,
            validates: false,
            leases: 0,
            differs: Vec::new(),
        }
    }

    /// A call of this function for whose scope nothing has been kept.
    pub(crate) fn nothing(function: &Arc<str>) -> Self {
        Self {
            miss: Some(Miss::Absent),
            ..Self::of(function)
        }
    }

    /// Whether the call would have what is kept, if `validate` does not turn it down.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// assert!(!pools.explain(&KeyRef::EMPTY).unwrap().is_hit());
    /// ```
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.miss.is_none()
    }
}

/// Why a call is a miss, in words.
fn why(miss: Miss) -> &'static str {
    match miss {
        Miss::Absent => "nothing is kept for these arguments, and nothing is known to have been",
        Miss::Building => "another call is building it",
        Miss::Stale => "its time is over, and it is kept only until its successor is built",
        Miss::Apart => "it may not be current: this process is cut off from its fleet",
        Miss::Ended(cause) => match cause {
            Cause::Evicted => "it had to make room",
            Cause::Expired => "its time was over",
            Cause::Cleared => "it was cleared",
            Cause::Invalid => "it was found invalid or discarded",
            Cause::Replaced => "it was replaced",
            Cause::SessionEnded => "its scope ended",
            Cause::Superseded => "the function was edited",
            Cause::Orphaned => {
                "what was built last was not kept: it was cleared meanwhile, or turned down"
            }
            Cause::Idle => "nobody had asked for it for as long as max_idle says",
            Cause::Shutdown => "it was released at a shutdown",
        },
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = &self.function;
        let Some(miss) = self.miss else {
            write!(f, "{function} would be a hit: it is kept")?;
            if let Some(age) = self.age {
                write!(f, ", built {} ago", span(age))?;
            }
            if self.refreshes {
                f.write_str(", and the call has a successor built")?;
            }
            if self.validates {
                f.write_str(", if validate finds it good")?;
            }
            return Ok(());
        };
        write!(f, "{function} would be a miss: {}", why(miss))?;
        if let Some(ago) = self.age {
            write!(f, ", {} ago", span(ago))?;
        }
        if let Some(ago) = self.last_clear {
            write!(f, "; all was cleared {} ago", span(ago))?;
        }
        if let Some(by) = &self.by {
            write!(f, ", by {by}")?;
        }
        for (argument, number) in &self.differs {
            let differ = match number {
                1 => "entry differs",
                _ => "entries differ",
            };
            write!(f, "; {number} {differ} in `{argument}` alone")?;
        }
        Ok(())
    }
}

/// A time in the unit that says it in a few digits.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if !time.is_zero() => format!("{} ms", time.as_millis()),
        1..10 if time.subsec_millis() >= 100 => format!("{:.1} s", time.as_secs_f64()),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn v4_a_time_is_said_in_a_few_digits() {
        let said = [0, 1, 119, 120, 7199, 7200, 172_800].map(|it| span(Duration::from_secs(it)));
        assert_eq!(
            said,
            ["0 s", "1 s", "119 s", "2 min", "119 min", "2 h", "2 days"]
        );
        let short = [3, 1_050, 2_500].map(|it| span(Duration::from_millis(it)));
        assert_eq!(short, ["3 ms", "1 s", "2.5 s"]);
    }
}
