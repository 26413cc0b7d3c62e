//! The two notations, read character by character as pandas does.
//!
//! A text that begins with `P` or `-P` is an ISO 8601 duration ([`iso`]); any other is a sequence of
//! numbers with units, a clock, or units and then a clock ([`Plain`]).

use std::fmt;
use std::time::Duration;

/// A span of time that was read.
///
/// ```
/// let parsed = tenure_duration::parse_duration("ttl", "3600").unwrap();
/// assert_eq!(parsed.duration.as_nanos(), 3600); // seconds were meant
/// assert!(parsed.bare_number);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// How long it is.
    pub duration: Duration,
    /// Whether the text was a number without a unit, which means nanoseconds and is seldom meant:
    /// the caller warns.
    pub bare_number: bool,
}

/// Why a text is no span of time for a setting. Its text names the setting, the value, the
/// accepted forms and an example.
///
/// ```
/// let error = tenure_duration::parse_duration("ttl", "1 fortnight").unwrap_err();
/// assert!(error.to_string().contains("unknown unit \"fortnight\""));
/// assert!(error.to_string().ends_with("Example: ttl=\"1h30m\""));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TtlError {
    setting: Box<str>,
    value: Box<str>,
    problem: Problem,
}

impl TtlError {
    /// Whether the text could be read, but is a time below zero.
    ///
    /// ```
    /// assert!(tenure_duration::parse_duration("ttl", "-1h").unwrap_err().is_negative());
    /// assert!(!tenure_duration::parse_duration("ttl", "soon").unwrap_err().is_negative());
    /// ```
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.problem == Problem::Negative
    }

    /// Whether the text could be read, but is longer than 64 bits of nanoseconds: 292 years.
    ///
    /// ```
    /// assert!(tenure_duration::parse_duration("ttl", "110000 days").unwrap_err().is_too_long());
    /// assert!(tenure_duration::parse_duration("ttl", "100000 days").is_ok());
    /// ```
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.problem == Problem::TooLong
    }
}

impl fmt::Display for TtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            value,
            problem,
        } = self;
        write!(f, "{setting}={value:?} {problem}. ")?;
        f.write_str(
            "Accepted are numbers with units (W, D or days, h or hours, m, min or minutes, \
             s or seconds, ms, us, ns), a clock as in \"1 days 02:03:04.5\", and ISO 8601 as in \
             \"P1DT2H\". ",
        )?;
        write!(f, "Example: {setting}=\"1h30m\"")
    }
}

impl fmt::Debug for TtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TtlError({self})")
    }
}

impl std::error::Error for TtlError {}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NotATime,
    Negative,
    TooLong,
    NoNumber,
    NoUnit,
    UnknownUnit(Box<str>),
    UncertainUnit(Box<str>),
    LateSign,
    Clock,
    Iso,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATime => f.write_str("is not a time"),
            Self::Negative => f.write_str("is negative"),
            Self::TooLong => f.write_str("is too long: at most 292 years can be counted"),
            Self::NoNumber => f.write_str("has no number where one must be"),
            Self::NoUnit => f.write_str("has a number without a unit"),
            Self::UnknownUnit(unit) => write!(f, "has the unknown unit {unit:?}"),
            Self::UncertainUnit(unit) => {
                write!(f, "has the unit {unit:?}, which has no fixed length")
            }
            Self::LateSign => f.write_str("has a minus sign that is not in front"),
            Self::Clock => f.write_str("has a clock that is not hh:mm:ss"),
            Self::Iso => f.write_str("is not an ISO 8601 duration"),
        }
    }
}

/// Reads the span of time that a setting was given; the error names the setting.
///
/// ```
/// use std::time::Duration;
///
/// let parsed = tenure_duration::parse_duration("ttl", "1h30m").unwrap();
/// assert_eq!(parsed.duration, Duration::from_secs(5400));
/// assert!(tenure_duration::parse_duration("ttl", "soon").is_err());
/// ```
///
/// # Errors
///
/// [`TtlError`] where pandas cannot read the text, where it is not a time (`""`, `"NaT"`), where
/// it is negative, and where it is longer than 292 years.
pub fn parse_duration(setting: &str, text: &str) -> Result<Parsed, TtlError> {
    let read = if matches!(text, "" | "NaT" | "nat" | "NAT" | "nan" | "NaN" | "NAN") {
        Err(Problem::NotATime)
    } else if text.starts_with('P') || text.starts_with("-P") {
        iso(text).map(|nanoseconds| (nanoseconds, false))
    } else {
        Plain::default().read(text)
    };
    read.and_then(|(nanoseconds, bare_number)| {
        let nanoseconds = u64::try_from(nanoseconds).map_err(|_| Problem::Negative)?;
        Ok(Parsed {
            duration: Duration::from_nanos(nanoseconds),
            bare_number,
        })
    })
    .map_err(|problem| TtlError {
        setting: setting.into(),
        value: text.into(),
        problem,
    })
}

/// The units, and how long each is.
#[derive(Clone, Copy)]
enum Unit {
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl Unit {
    /// The unit of this name. Case does not count, but for `M` and `Y`, which were once months
    /// and years.
    fn named(name: &str) -> Result<Self, Problem> {
        if matches!(name, "M" | "Y" | "y") {
            return Err(Problem::UncertainUnit(name.into()));
        }
        Ok(match name.to_lowercase().as_str() {
            "w" => Self::Week,
            "d" | "day" | "days" => Self::Day,
            "h" | "hr" | "hour" | "hours" => Self::Hour,
            "m" | "min" | "minute" | "minutes" => Self::Minute,
            "s" | "sec" | "second" | "seconds" => Self::Second,
            "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Self::Millisecond,
            "us" | "\u{b5}s" | "micro" | "micros" | "microsecond" | "microseconds" => {
                Self::Microsecond
            }
            "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => Self::Nanosecond,
            _ => return Err(Problem::UnknownUnit(name.into())),
        })
    }

    fn nanoseconds(self) -> i64 {
        match self {
            Self::Week => 7 * Self::Day.nanoseconds(),
            Self::Day => 24 * Self::Hour.nanoseconds(),
            Self::Hour => 60 * Self::Minute.nanoseconds(),
            Self::Minute => 60 * Self::Second.nanoseconds(),
            Self::Second => 1_000_000_000,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
        }
    }

    /// The length of a decimal number of this unit. Its fraction is rounded to the digits that a
    /// nanosecond needs, half to even, and what is below a nanosecond after that is cut off.
    fn times(self, number: &str) -> Result<i64, Problem> {
        const END: f64 = 9_223_372_036_854_775_808.0;
        let number: f64 = number.parse().map_err(|_| Problem::NoNumber)?;
        if number >= END {
            return Err(Problem::TooLong);
        }
        let size = self.nanoseconds();
        let whole = number.trunc();
        let digits = size.ilog10() as usize;
        let mut fraction = number - whole;
        if digits > 0 {
            let rounded = format!("{fraction:.digits$}");
            fraction = rounded.parse().map_err(|_| Problem::NoNumber)?;
        }
        (whole as i64)
            .checked_mul(size)
            .and_then(|whole| whole.checked_add((fraction * size as f64) as i64))
            .ok_or(Problem::TooLong)
    }
}

/// A sum of nanoseconds, whose parts are taken off while the sign is set.
#[derive(Default)]
struct Total {
    nanoseconds: i64,
    negative: bool,
}

impl Total {
    fn add(&mut self, part: i64) -> Result<(), Problem> {
        let part = if self.negative { -part } else { part };
        self.nanoseconds = self.nanoseconds.checked_add(part).ok_or(Problem::TooLong)?;
        Ok(())
    }
}

/// How far a clock was read.
#[derive(Clone, Copy, Default, PartialEq)]
enum Clock {
    #[default]
    None,
    Hours,
    Minutes,
    /// Seconds, with another colon behind them.
    Beyond,
}

/// A text of units and clocks, read up to some character.
#[derive(Default)]
struct Plain {
    total: Total,
    number: String,
    fraction: String,
    unit: String,
    /// Whether digits go to the fraction, or did until a unit came.
    after_point: bool,
    /// Whether a unit, or the seconds of a clock, came.
    has_value: bool,
    clock: Clock,
}

impl Plain {
    /// Nanoseconds, and whether they were a number without a unit.
    fn read(mut self, text: &str) -> Result<(i64, bool), Problem> {
        for c in text.chars() {
            match c {
                ' ' | ',' | '+' => {}
                '-' => self.minus()?,
                '0'..='9' => self.digit(c)?,
                ':' => self.colon()?,
                '.' => self.point()?,
                _ => {
                    self.unit.push(c);
                    self.has_value = true;
                    self.after_point = false;
                }
            }
        }
        let bare_number = self.end()?;
        Ok((self.total.nanoseconds, bare_number))
    }

    fn minus(&mut self) -> Result<(), Problem> {
        if self.total.negative || self.has_value || self.clock != Clock::None {
            return Err(Problem::LateSign);
        }
        self.total.negative = true;
        Ok(())
    }

    fn digit(&mut self, c: char) -> Result<(), Problem> {
        match (self.after_point, self.unit.is_empty()) {
            (true, true) => self.fraction.push(c),
            (true, false) => {
                // A point behind a unit: pandas goes on with the number in front of it.
                self.number.push(c);
                self.after_point = false;
            }
            (false, true) => self.number.push(c),
            (false, false) => {
                self.add_units()?;
                self.number = c.into();
                self.fraction.clear();
                self.unit.clear();
            }
        }
        Ok(())
    }

    fn colon(&mut self) -> Result<(), Problem> {
        if self.has_value {
            // "-1 days 02:00:00" is one day back and two hours forth.
            self.total.negative = false;
        }
        if self.number.is_empty() {
            return Err(Problem::Clock);
        }
        let (clock, field) = match self.clock {
            Clock::None => (Clock::Hours, Unit::Hour),
            Clock::Hours => (Clock::Minutes, Unit::Minute),
            Clock::Minutes | Clock::Beyond => (Clock::Beyond, Unit::Second),
        };
        self.clock = clock;
        self.add_field(field)?;
        self.number.clear();
        self.unit.clear();
        Ok(())
    }

    fn point(&mut self) -> Result<(), Problem> {
        if self.clock != Clock::None && !self.number.is_empty() {
            self.add_seconds()?;
            self.has_value = true;
            self.number.clear();
            self.fraction.clear();
            self.unit.clear();
        }
        self.after_point = true;
        Ok(())
    }

    /// Adds what the end of the text completes. The cases are: a fraction of the clock's seconds,
    /// the seconds themselves, a unit, and a number that no unit came for.
    fn end(&mut self) -> Result<bool, Problem> {
        if self.after_point && self.unit.is_empty() {
            if self.clock == Clock::None {
                return Err(Problem::NoUnit);
            }
            self.fraction.truncate(9);
            if self.fraction.is_empty() {
                return Err(Problem::NoNumber);
            }
            let padded = format!("{:0<9}", self.fraction);
            self.total.add(whole(&padded)?)?;
        } else if self.after_point {
            self.add_units()?;
        } else if self.clock != Clock::None {
            self.add_seconds()?;
            if !self.unit.is_empty() {
                return Err(Problem::Clock);
            }
        } else if !self.unit.is_empty() {
            if self.number.is_empty() {
                return Err(Problem::NoNumber);
            }
            self.add_units()?;
        } else if self.number.is_empty() {
            return Err(Problem::NoNumber);
        } else if self.has_value {
            return Err(Problem::NoUnit);
        } else {
            self.total.add(Unit::Nanosecond.times(&self.number)?)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn add_units(&mut self) -> Result<(), Problem> {
        let unit = Unit::named(&self.unit)?;
        let number = format!("{}.{}", self.number, self.fraction);
        self.total.add(unit.times(&number)?)
    }

    fn add_field(&mut self, unit: Unit) -> Result<(), Problem> {
        let count = whole(&self.number)?;
        self.total.add(
            count
                .checked_mul(unit.nanoseconds())
                .ok_or(Problem::TooLong)?,
        )
    }

    fn add_seconds(&mut self) -> Result<(), Problem> {
        if self.clock != Clock::Minutes {
            return Err(Problem::Clock);
        }
        self.add_field(Unit::Second)
    }
}

/// The number that some digits are.
fn whole(digits: &str) -> Result<i64, Problem> {
    if digits.is_empty() {
        return Err(Problem::NoNumber);
    }
    digits.parse().map_err(|_| Problem::TooLong)
}

/// The nanoseconds of an ISO 8601 duration.
///
/// `P` and `T` only mark, wherever they stand; a number without a letter counts for nothing. The
/// digits behind a point are read in threes: milliseconds, microseconds, nanoseconds.
fn iso(text: &str) -> Result<i64, Problem> {
    let (back, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut total = Total::default();
    let mut number = String::new();
    let mut has_digit = false;
    let mut after_point = false;
    // The unit of the three digits under way, and how many of them have come.
    let mut three = Unit::Millisecond;
    let mut come = 0;
    for c in text.chars() {
        match c {
            '0'..='9' => {
                has_digit = true;
                if after_point {
                    let next = match three {
                        Unit::Millisecond => Some(Unit::Microsecond),
                        Unit::Microsecond => Some(Unit::Nanosecond),
                        _ => None,
                    };
                    if let (3, Some(next)) = (come, next) {
                        total.add(three.times(&format!("{number}.0"))?)?;
                        total.negative = false;
                        number.clear();
                        three = next;
                        come = 0;
                    }
                    come += 1;
                }
                number.push(c);
            }
            'P' | 'T' | '+' => {}
            '-' if total.negative || has_digit => return Err(Problem::Iso),
            '-' => total.negative = true,
            'W' | 'D' | 'H' | 'M' => {
                let unit = match c {
                    'W' => Unit::Week,
                    'D' => Unit::Day,
                    'H' | 'M' if number.len() > 2 => return Err(Problem::Iso),
                    'H' => Unit::Hour,
                    _ => Unit::Minute,
                };
                total.add(unit.times(&format!("{number}.0"))?)?;
                total.negative = false;
                number.clear();
            }
            '.' => {
                if !number.is_empty() {
                    total.add(Unit::Second.times(&number)?)?;
                    number.clear();
                }
                after_point = true;
            }
            'S' if after_point => {
                if number.is_empty() || come > 3 {
                    return Err(Problem::Iso);
                }
                number.extend(std::iter::repeat_n('0', 3 - come));
                total.add(three.times(&number)?)?;
            }
            'S' => total.add(Unit::Second.times(&format!("{number}.0"))?)?,
            _ => return Err(Problem::Iso),
        }
    }
    if !has_digit {
        return Err(Problem::Iso);
    }
    if back {
        return total.nanoseconds.checked_neg().ok_or(Problem::TooLong);
    }
    Ok(total.nanoseconds)
}
