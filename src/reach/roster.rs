//! Which pods there are behind a Service, and who gets a seat at which.
//!
//! Connections are spread by their number: the next one goes to the pod with the fewest. A pod that comes later gets
//! its share because connections that others have too many are told to go; one that is on its way out, because all of
//! its connections are. A pod that breaks connections off has soon the fewest of them, and would draw all that are made
//! anew: it is put aside for a second, and for longer if it does it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// For how long a pod that broke a connection off is put aside, the first time.
const ASIDE: Duration = Duration::from_secs(1);

/// The most that it becomes by doubling.
const LONGEST_ASIDE: Duration = Duration::from_secs(8);

/// A pod as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) uid: String,
    pub(super) name: String,
    /// The port of the pod that the Service's leads to.
    pub(super) port: u16,
    pub(super) is_ready: bool,
}

/// What connections to a pod look at before each request. Written by whoever keeps the roster; these are hints, so
/// nothing has to be in order.
#[derive(Debug, Default)]
pub(super) struct Hints {
    leaves: AtomicBool,
    /// How many connections have to go elsewhere.
    surplus: AtomicU32,
}

impl Hints {
    pub(super) fn is_wanted_elsewhere(&self) -> bool {
        self.leaves.load(Relaxed)
            || (self.surplus.load(Relaxed) > 0
                && self.surplus.fetch_update(Relaxed, Relaxed, |surplus| surplus.checked_sub(1)).is_ok())
    }
}

/// A pod, and what came to it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) endpoint: Endpoint,
    pub(super) hints: Arc<Hints>,
    /// Connections that there are now.
    pub(super) seats: u32,
    /// All that there were.
    pub(super) connections: u64,
    /// Requests that were sent over those that are no more.
    pub(super) requests: u64,
    /// When it was ready for the first time.
    pub(super) taken_in: Option<Instant>,
    /// When it was gone, or not ready any more.
    pub(super) left: Option<Instant>,
    /// When it was given a seat last, in numbers of seats.
    turn: u64,
    aside_until: Option<Instant>,
    /// For how long it was put aside last.
    aside: Duration,
}

/// All pods that there ever were; the index of one stays the same.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) members: Vec<Member>,
    turns: u64,
}

impl Roster {
    /// Takes in what the cluster says now.
    pub(super) fn take(&mut self, found: &[Endpoint], now: Instant) {
        for endpoint in found {
            let known = self.members.iter_mut().find(|member| member.endpoint.uid == endpoint.uid);
            match known {
                Some(member) => member.endpoint = endpoint.clone(),
                None => self.members.push(Member {
                    endpoint: endpoint.clone(),
                    hints: Arc::default(),
                    seats: 0,
                    connections: 0,
                    requests: 0,
                    taken_in: None,
                    left: None,
                    turn: 0,
                    aside_until: None,
                    aside: Duration::ZERO,
                }),
            }
        }
        for member in &mut self.members {
            member.endpoint.is_ready &= found.iter().any(|endpoint| endpoint.uid == member.endpoint.uid);
            if member.endpoint.is_ready {
                member.taken_in.get_or_insert(now);
                member.left = None;
            } else if member.taken_in.is_some() {
                member.left.get_or_insert(now);
            }
            member.hints.leaves.store(!member.endpoint.is_ready, Relaxed);
        }
        self.balance(now);
    }

    /// Tells connections to go where their pod has more of them than others. One more or less is no reason to move.
    fn balance(&mut self, now: Instant) {
        for member in &self.members {
            member.hints.surplus.store(0, Relaxed);
        }
        let mut able: Vec<&Member> = self.members.iter().filter(|member| member.is_able(now)).collect();
        able.sort_by_key(|member| std::cmp::Reverse(member.seats));
        let (Some(most), Some(fewest)) = (able.first(), able.last()) else { return };
        if most.seats - fewest.seats < 2 {
            return;
        }
        let n = u32::try_from(able.len()).unwrap_or(u32::MAX);
        let all: u32 = able.iter().map(|member| member.seats).sum();
        let (share, extra) = (all / n, all % n);
        for (index, member) in (0..).zip(able) {
            let share = share + u32::from(index < extra);
            member.hints.surplus.store(member.seats.saturating_sub(share), Relaxed);
        }
    }

    /// Gives a seat to somebody who wants one; `None` while no pod is ready. Where all that are ready are put aside,
    /// the one is taken whose time is over first: somebody has to try.
    pub(super) fn seat(&mut self, now: Instant) -> Option<usize> {
        let ready = || (0..).zip(&self.members).filter(|(_, member)| member.endpoint.is_ready);
        let able = ready().filter(|(_, member)| member.is_able(now));
        let (index, _) = able
            .min_by_key(|(_, member)| (member.seats, member.turn))
            .or_else(|| ready().min_by_key(|(_, member)| (member.aside_until, member.turn)))?;
        self.turns += 1;
        let turn = self.turns;
        let member = self.members.get_mut(index)?;
        member.seats += 1;
        member.turn = turn;
        Some(index)
    }

    /// Somebody has given a seat back.
    pub(super) fn left(&mut self, index: usize, requests: u64) {
        if let Some(member) = self.members.get_mut(index) {
            member.seats = member.seats.saturating_sub(1);
            member.requests += requests;
        }
    }

    /// A pod broke a connection off. Several at once are one time.
    pub(super) fn broke(&mut self, index: usize, now: Instant) {
        let Some(member) = self.members.get_mut(index) else { return };
        match member.aside_until {
            Some(until) if now < until => {}
            Some(until) if now < until + LONGEST_ASIDE => {
                member.aside = (member.aside * 2).min(LONGEST_ASIDE);
                member.aside_until = Some(now + member.aside);
            }
            Some(_) | None => {
                member.aside = ASIDE;
                member.aside_until = Some(now + ASIDE);
            }
        }
    }

    /// How many pods there are now that are ready, and that are not.
    pub(super) fn count(&self) -> (usize, usize) {
        let ready = self.members.iter().filter(|member| member.endpoint.is_ready).count();
        (ready, self.members.iter().filter(|member| member.taken_in.is_none()).count())
    }
}

impl Member {
    fn is_able(&self, now: Instant) -> bool {
        self.endpoint.is_ready && self.aside_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint(name: &str, is_ready: bool) -> Endpoint {
        Endpoint { uid: format!("uid-{name}"), name: name.to_owned(), port: 5000, is_ready }
    }

    /// A roster with pods of these names, all ready.
    fn roster(names: &[&str], now: Instant) -> Roster {
        let mut roster = Roster::default();
        roster.take(&names.iter().map(|name| endpoint(name, true)).collect::<Vec<_>>(), now);
        roster
    }

    fn seats(roster: &Roster) -> Vec<u32> {
        roster.members.iter().map(|member| member.seats).collect()
    }

    /// Lets every connection make a request once: those who are told to go do, and come back for another seat.
    fn ask_all(roster: &mut Roster, now: Instant) {
        for index in 0..roster.members.len() {
            for _ in 0..roster.members[index].seats {
                if roster.members[index].hints.is_wanted_elsewhere() {
                    roster.left(index, 1);
                    roster.seat(now).expect("a pod");
                }
            }
        }
    }

    #[test]
    fn connections_are_spread_evenly() {
        let now = Instant::now();
        let mut roster = roster(&["a", "b", "c"], now);
        for _ in 0..10 {
            roster.seat(now).expect("a pod");
        }
        assert_eq!(seats(&roster), [4, 3, 3]);
        // One that comes back does not always go to the first.
        roster.left(1, 7);
        assert_eq!(roster.seat(now), Some(1));
        assert_eq!(roster.members[1].requests, 7);
    }

    #[test]
    fn a_pod_that_comes_later_gets_its_share() {
        let now = Instant::now();
        let mut roster = roster(&["a", "b"], now);
        for _ in 0..10 {
            roster.seat(now).expect("a pod");
        }
        roster.take(&[endpoint("a", true), endpoint("b", true), endpoint("c", false)], now);
        ask_all(&mut roster, now);
        assert_eq!(seats(&roster), [5, 5, 0], "it is not ready");
        roster.take(&[endpoint("a", true), endpoint("b", true), endpoint("c", true)], now);
        ask_all(&mut roster, now);
        assert_eq!(seats(&roster), [4, 3, 3]);
        ask_all(&mut roster, now);
        assert_eq!(seats(&roster), [4, 3, 3], "nobody moves twice");
    }

    #[test]
    fn a_pod_on_its_way_out_is_left_by_all() {
        let now = Instant::now();
        let mut roster = roster(&["a", "b"], now);
        for _ in 0..4 {
            roster.seat(now).expect("a pod");
        }
        roster.take(&[endpoint("a", false), endpoint("b", true)], now);
        ask_all(&mut roster, now);
        assert_eq!(seats(&roster), [0, 4]);
        assert!(roster.members[0].left.is_some() && roster.members[1].left.is_none());
        roster.take(&[endpoint("b", true)], now);
        roster.take(&[], now);
        assert_eq!(roster.seat(now), None);
    }

    #[test]
    fn a_pod_that_breaks_connections_off_does_not_draw_all_new_ones() {
        let now = Instant::now();
        let mut roster = roster(&["a", "b"], now);
        for _ in 0..6 {
            roster.seat(now).expect("a pod");
        }
        for _ in 0..3 {
            roster.left(0, 0);
            roster.broke(0, now);
        }
        for _ in 0..3 {
            assert_eq!(roster.seat(now), Some(1));
        }
        // After a second it is tried again; if it still does it, that takes longer.
        let later = now + ASIDE;
        assert_eq!(roster.seat(later), Some(0));
        roster.left(0, 0);
        roster.broke(0, later);
        assert_eq!(roster.seat(later + ASIDE), Some(1));
        assert_eq!(roster.seat(later + 2 * ASIDE), Some(0));
        // With nobody else there, it is better than nothing.
        roster.broke(0, later + 2 * ASIDE);
        roster.take(&[endpoint("a", true)], later + 2 * ASIDE);
        assert_eq!(roster.seat(later + 2 * ASIDE), Some(0));
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes_all_move_once_and_then_are_even(
            first in 1_usize..6, connections in 0_u32..60, second in 1_usize..9,
        ) {
            let now = Instant::now();
            let names: Vec<String> = (0..9).map(|n| format!("pod-{n}")).collect();
            let of = |n: usize| names[..n].iter().map(|name| endpoint(name, true)).collect::<Vec<_>>();
            let mut roster = Roster::default();
            roster.take(&of(first), now);
            for _ in 0..connections {
                roster.seat(now).expect("a pod");
            }
            roster.take(&of(second), now);
            ask_all(&mut roster, now);
            let seats: Vec<u32> = seats(&roster)[..second].to_vec();
            prop_assert_eq!(seats.iter().sum::<u32>(), connections);
            let (most, fewest) = (seats.iter().max().unwrap(), seats.iter().min().unwrap());
            prop_assert!(most - fewest <= 1, "{:?}", seats);
        }
    }
}
