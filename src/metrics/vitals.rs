//! What the generator used of the machine, second by second, each against its limit.

use serde::{Deserialize, Serialize};

/// What palier used in one second, and how much of it there was; `None` where the system does not say, or has no
/// such limit. Of several seconds, shards or machines, the worst of each stands: that is what a limit is about, and it
/// is the same in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// CPU time, of the CPU time that palier may use.
    pub cpu: Option<Share>,
    /// The time for which a CPU quota held palier back, of the time there was.
    pub throttled: Option<Share>,
    /// Sockets that were open.
    pub sockets: Option<u64>,
    /// File descriptors that were open, of those that may be.
    pub descriptors: Option<Used>,
    /// Local ports in use, of those that outgoing connections are given. Ports of closed connections that the system
    /// still holds (`TIME_WAIT`) count, whoever closed them: it is an upper bound.
    pub ports: Option<Used>,
}

/// A share in millionths: whole numbers, so that results can be compared exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(u32);

/// So many, of so many that there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// In use.
    pub count: u64,
    /// The most there may be.
    pub limit: u64,
}

impl Share {
    /// A part of a whole, at most all of it; `None` of nothing.
    pub fn of(part: f64, whole: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a million")]
        (whole > 0.0).then(|| Self((part / whole * 1e6).clamp(0.0, 1e6).round() as u32))
    }

    /// As a fraction.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl Used {
    /// As a fraction of the limit; a limit of nothing is used up.
    pub fn share(self) -> f64 {
        if self.limit == 0 { 1.0 } else { self.count as f64 / self.limit as f64 }
    }

    /// The one that is nearer to its limit.
    fn worse(self, other: Self) -> Self {
        let key = |used: Self| (used.count, u64::MAX - used.limit);
        let product = |used: Self, other: Self| u128::from(used.count) * u128::from(other.limit);
        // By cross-multiplication, so that no rounding makes the order matter.
        match product(self, other).cmp(&product(other, self)).then(key(self).cmp(&key(other))) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => self,
        }
    }
}

impl Vitals {
    /// Takes over what was worse elsewhere, or at another time.
    pub fn merge(&mut self, other: &Self) {
        self.cpu = self.cpu.max(other.cpu);
        self.throttled = self.throttled.max(other.throttled);
        self.sockets = self.sockets.max(other.sockets);
        let worse = |own: Option<Used>, other: Option<Used>| match (own, other) {
            (Some(own), Some(other)) => Some(own.worse(other)),
            (own, other) => own.or(other),
        };
        self.descriptors = worse(self.descriptors, other.descriptors);
        self.ports = worse(self.ports, other.ports);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_worst_stands_whatever_is_merged_first() {
        let few = Vitals { descriptors: Some(Used { count: 90, limit: 100 }), ..Vitals::default() };
        let many = Vitals { descriptors: Some(Used { count: 900, limit: 10_000 }), ..Vitals::default() };
        let (mut one, mut other) = (few, many);
        one.merge(&many);
        other.merge(&few);
        assert_eq!((one, other), (few, few), "90 of 100 is nearer to the limit than 900 of 10,000");
        one.merge(&Vitals::default());
        assert_eq!(one, few, "what is not known takes nothing away");
    }

    #[test]
    fn a_share_is_never_more_than_all() {
        assert_eq!(Share::of(1.0, 4.0), Some(Share(250_000)));
        assert_eq!(Share::of(5.0, 4.0), Some(Share(1_000_000)));
        assert_eq!(Share::of(1.0, 0.0), None);
    }

    fn vitals() -> impl Strategy<Value = Vitals> {
        let used =
            || proptest::option::of((0..50_u64, 0..50_u64).prop_map(|(count, limit)| Used { count, limit }));
        let share = || proptest::option::of((0..9_u32).prop_map(Share));
        (share(), share(), proptest::option::of(0..9_u64), used(), used()).prop_map(
            |(cpu, throttled, sockets, descriptors, ports)| Vitals {
                cpu,
                throttled,
                sockets,
                descriptors,
                ports,
            },
        )
    }

    proptest! {
        #[test]
        fn merging_knows_no_order(a in vitals(), b in vitals(), c in vitals()) {
            let merged = |parts: [Vitals; 3]| {
                let mut all = Vitals::default();
                for part in &parts {
                    all.merge(part);
                }
                all
            };
            prop_assert_eq!(merged([a, b, c]), merged([c, b, a]));
            prop_assert_eq!(merged([a, b, c]), merged([b, a, c]));
        }
    }
}
