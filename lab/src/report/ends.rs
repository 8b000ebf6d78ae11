//! The beginning and the end of something long, and how much was left out between them.

use std::collections::VecDeque;

/// At most so many of the first and so many of the last.
#[derive(Clone, Debug)]
pub(super) struct Ends<T> {
    most: usize,
    first: Vec<T>,
    last: VecDeque<T>,
    /// How many are neither among the first nor among the last.
    pub(super) left_out: u64,
}

impl<T> Ends<T> {
    /// Keeps `most` at either end.
    pub(super) fn new(most: usize) -> Self {
        Self { most, first: Vec::new(), last: VecDeque::new(), left_out: 0 }
    }

    /// The next one.
    pub(super) fn push(&mut self, one: T) {
        if self.first.len() < self.most {
            self.first.push(one);
            return;
        }
        self.last.push_back(one);
        if self.last.len() > self.most {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// All that is kept, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.last)
    }

    /// Nothing was there.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }
}

/// The first of `rows` that fit into a budget of bytes, all together.
pub(super) fn within(rows: impl Iterator<Item = String>, budget: usize) -> Vec<String> {
    let mut used = 0;
    rows.take_while(|row| {
        used += row.len();
        used <= budget
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_kept_and_the_rest_is_counted() {
        let mut ends = Ends::new(2);
        (1..=7).for_each(|n| ends.push(n));
        assert_eq!((ends.iter().copied().collect::<Vec<_>>(), ends.left_out), (vec![1, 2, 6, 7], 3));
        assert_eq!(ends.len(), 4);
        assert!(Ends::<u8>::new(2).is_empty());
    }

    #[test]
    fn rows_are_taken_while_they_fit() {
        let rows = || ["one", "two", "three"].map(str::to_owned).into_iter();
        assert_eq!(within(rows(), 11).len(), 3);
        assert_eq!(within(rows(), 10), ["one", "two"]);
    }
}
