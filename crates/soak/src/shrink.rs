//! Makes the list of faults of a failing soak short: runs it again with fewer, as long as it still fails (delta debugging, as Zeller
//! and Hildebrandt describe it). Every run costs minutes, so there are only so many of them.

/// What was found, and what it has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk<T> {
    /// The shortest list that was seen to fail.
    pub list: Vec<T>,
    /// Runs that it took.
    pub runs: u32,
    /// No item of it can go: else the runs were used up.
    pub is_minimal: bool,
}

/// A shorter list for which `fails` still holds, with at most so many runs. The list itself is taken to fail.
pub fn shrink<T: Clone>(list: &[T], most_runs: u32, mut fails: impl FnMut(&[T]) -> bool) -> Shrunk<T> {
    let mut shrunk = Shrunk { list: list.to_vec(), runs: 0, is_minimal: false };
    let mut attempt = |shrunk: &mut Shrunk<T>, candidate: Vec<T>| {
        if shrunk.runs == most_runs {
            return None;
        }
        shrunk.runs += 1;
        let kept = fails(&candidate);
        if kept {
            shrunk.list = candidate;
        }
        Some(kept)
    };
    // What fails without any fault has nothing to do with them.
    if !list.is_empty() {
        match attempt(&mut shrunk, Vec::new()) {
            Some(false) => {}
            Some(true) => {
                shrunk.is_minimal = true;
                return shrunk;
            }
            None => return shrunk,
        }
    }
    let mut pieces = 2;
    while shrunk.list.len() > 1 {
        let length = shrunk.list.len().div_ceil(pieces);
        let mut gone = false;
        // First one piece alone, then all but one piece.
        for alone in [true, false] {
            if !alone && pieces == 2 {
                continue; // with two pieces that is the same
            }
            let mut from = 0;
            while from < shrunk.list.len() && !gone {
                let to = (from + length).min(shrunk.list.len());
                let piece = &shrunk.list[from..to];
                let rest = [&shrunk.list[..from], &shrunk.list[to..]].concat();
                let candidate = if alone { piece.to_vec() } else { rest };
                match attempt(&mut shrunk, candidate) {
                    Some(kept) => gone = kept,
                    None => return shrunk,
                }
                from = to;
            }
            if gone {
                pieces = if alone { 2 } else { (pieces - 1).max(2) };
                break;
            }
        }
        if !gone {
            if length == 1 {
                break;
            }
            pieces = (pieces * 2).min(shrunk.list.len());
        }
    }
    shrunk.is_minimal = true;
    shrunk
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fails_without_faults_needs_one_run() {
        assert_eq!(shrink(&[1, 2, 3], 9, |_| true), Shrunk { list: vec![], runs: 1, is_minimal: true });
        assert_eq!(shrink(&[] as &[u8], 9, |_| true), Shrunk { list: vec![], runs: 0, is_minimal: true });
    }

    #[test]
    fn when_the_runs_are_used_up_it_says_so() {
        let all: Vec<u32> = (0..64).collect();
        let found = shrink(&all, 5, |list| [3, 40].iter().all(|needed| list.contains(needed)));
        assert!(!found.is_minimal && found.runs == 5 && found.list.contains(&3) && found.list.contains(&40));
    }

    proptest! {
        #[test]
        fn exactly_what_is_needed_is_left(needed in proptest::collection::btree_set(0_u32..60, 1..4)) {
            let all: Vec<u32> = (0..60).collect();
            let found = shrink(&all, 500, |list| needed.iter().all(|one| list.contains(one)));
            prop_assert!(found.is_minimal);
            prop_assert_eq!(found.list.iter().copied().collect::<BTreeSet<_>>(), needed);
            prop_assert!(found.runs < 200, "{} runs", found.runs);
        }
    }
}
