//! An ordered map from text to values: the shape of an object, and of a change to one.
//!
//! Members stand in a vector in their order. Up to [`SMALL`] of them are found by looking at each, which for
//! the objects of a state (three or four members) is faster than hashing and costs no memory; beyond that
//! an index says where each stands. In a large map a removal leaves a hole, and the holes are closed when
//! they outnumber the members: removing every member of a map costs no more than a walk or two over it.

use std::collections::HashMap;
use std::sync::Arc;

/// The text of a key. Shared, because a state has the same few keys in each of its bindings.
pub(crate) type Key = Arc<str>;

/// Members that are searched one by one; a map that outgrows it gets an index.
const SMALL: usize = 16;

/// A place of a large map: a member, or the hole that one left.
type Slot<V> = Option<(Key, V)>;

#[derive(Clone, Debug)]
pub(crate) struct Map<V>(Members<V>);

#[derive(Clone, Debug)]
enum Members<V> {
    Small(Vec<(Key, V)>),
    Large(Box<Large<V>>),
}

#[derive(Clone, Debug)]
struct Large<V> {
    slots: Vec<Slot<V>>,
    index: HashMap<Key, u32>,
}

impl<V> Large<V> {
    fn from_small(members: Vec<(Key, V)>) -> Self {
        let mut large = Large {
            slots: Vec::with_capacity(members.len() * 2),
            index: HashMap::with_capacity(members.len() * 2),
        };
        for (key, value) in members {
            large.append(key, value);
        }
        large
    }

    fn append(&mut self, key: Key, value: V) {
        // A document is at most 128 MiB, so that its members are far fewer than 2^32.
        let at = u32::try_from(self.slots.len()).expect("fewer members than 2^32");
        self.index.insert(Arc::clone(&key), at);
        self.slots.push(Some((key, value)));
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.index.get(key).map(|at| *at as usize)
    }

    fn close_holes(&mut self) {
        if self.slots.len() < 2 * self.index.len() + SMALL {
            return;
        }
        self.slots.retain(Option::is_some);
        for (at, slot) in self.slots.iter().enumerate() {
            if let Some((key, _)) = slot {
                let place = self.index.get_mut(key).expect("every member is indexed");
                *place = u32::try_from(at).expect("fewer members than 2^32");
            }
        }
    }
}

impl<V> Map<V> {
    pub(crate) const fn new() -> Self {
        Map(Members::Small(Vec::new()))
    }

    pub(crate) fn with_capacity(members: usize) -> Self {
        if members <= SMALL {
            return Map(Members::Small(Vec::with_capacity(members)));
        }
        Map(Members::Large(Box::new(Large {
            slots: Vec::with_capacity(members),
            index: HashMap::with_capacity(members),
        })))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Members::Small(members) => members.len(),
            Members::Large(large) => large.index.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        match &self.0 {
            Members::Small(members) => members.iter().find(|(k, _)| **k == *key).map(|(_, v)| v),
            Members::Large(large) => {
                let slot = &large.slots[large.position(key)?];
                slot.as_ref().map(|(_, value)| value)
            }
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        match &mut self.0 {
            Members::Small(members) => members
                .iter_mut()
                .find(|(k, _)| **k == *key)
                .map(|(_, v)| v),
            Members::Large(large) => {
                let at = large.position(key)?;
                large.slots[at].as_mut().map(|(_, value)| value)
            }
        }
    }

    /// Replaces in place, or appends.
    pub(crate) fn insert(&mut self, key: Key, value: V) -> Option<V> {
        if let Some(present) = self.get_mut(&key) {
            return Some(std::mem::replace(present, value));
        }
        self.append(key, value);
        None
    }

    /// Appends a member that is known not to be there.
    pub(crate) fn append(&mut self, key: Key, value: V) {
        debug_assert!(self.get(&key).is_none(), "a member stands once");
        if let Members::Small(members) = &mut self.0 {
            if members.len() < SMALL {
                members.push((key, value));
                return;
            }
            let members = std::mem::take(members);
            self.0 = Members::Large(Box::new(Large::from_small(members)));
        }
        if let Members::Large(large) = &mut self.0 {
            large.append(key, value);
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        match &mut self.0 {
            Members::Small(members) => {
                let at = members.iter().position(|(k, _)| **k == *key)?;
                Some(members.remove(at).1)
            }
            Members::Large(large) => {
                let at = large.index.remove(key)? as usize;
                let (_, value) = large.slots[at].take()?;
                large.close_holes();
                Some(value)
            }
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut V) -> bool) {
        match &mut self.0 {
            Members::Small(members) => members.retain_mut(|(key, value)| keep(key, value)),
            Members::Large(large) => {
                for slot in &mut large.slots {
                    if let Some((key, value)) = slot
                        && !keep(key, value)
                    {
                        large.index.remove(key);
                        *slot = None;
                    }
                }
                large.close_holes();
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> + use<'_, V> {
        let (small, large): (&[(Key, V)], &[Slot<V>]) = match &self.0 {
            Members::Small(members) => (members, &[]),
            Members::Large(large) => (&[], &large.slots),
        };
        let small = small.iter().map(|(key, value)| (key, value));
        let large = large.iter().flatten().map(|(key, value)| (key, value));
        small.chain(large)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> + use<'_, V> {
        let (small, large): (&mut [(Key, V)], &mut [Slot<V>]) = match &mut self.0 {
            Members::Small(members) => (members, &mut []),
            Members::Large(large) => (&mut [], &mut large.slots),
        };
        let small = small.iter_mut().map(|(key, value)| (&*key, value));
        let large = large
            .iter_mut()
            .flatten()
            .map(|(key, value)| (&*key, value));
        small.chain(large)
    }

    pub(crate) fn into_members(self) -> impl Iterator<Item = (Key, V)> + use<V> {
        let (small, large) = match self.0 {
            Members::Small(members) => (members, Vec::new()),
            Members::Large(large) => (Vec::new(), large.slots),
        };
        small.into_iter().chain(large.into_iter().flatten())
    }

    /// Gives back the room that growing reserved; a parsed document stays as it is for long.
    pub(crate) fn shrink(&mut self) {
        match &mut self.0 {
            Members::Small(members) => members.shrink_to_fit(),
            Members::Large(large) => large.slots.shrink_to_fit(),
        }
    }
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map::new()
    }
}

/// Equal when the members are, in whatever order.
impl<V: PartialEq> PartialEq for Map<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key).is_some_and(|theirs| theirs == value))
    }
}

/// Walks two maps together: for each key of `left`, what `right` says of it.
///
/// Two versions of one document have nearly the same keys in nearly the same order, so the next member of
/// `right` is tried before the index is asked.
pub(crate) fn beside<'a, A, B>(
    left: &'a Map<A>,
    right: &'a Map<B>,
) -> impl Iterator<Item = (&'a Key, &'a A, Option<&'a B>)> {
    let mut ahead = right.iter().peekable();
    left.iter().map(move |(key, value)| {
        if ahead
            .peek()
            .is_some_and(|(theirs, _)| Arc::ptr_eq(theirs, key) || *theirs == key)
        {
            let (_, theirs) = ahead.next().expect("it was just seen");
            return (key, value, Some(theirs));
        }
        (key, value, right.get(key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Map<usize> {
        let mut map = Map::new();
        for n in 0..count {
            map.insert(Key::from(format!("k{n}")), n);
        }
        map
    }

    #[test]
    fn members_keep_their_order_whatever_happens_to_their_neighbours() {
        for count in [0, 1, 15, 16, 17, 18, 1000] {
            let mut map = numbers(count);
            assert_eq!(map.len(), count);
            for n in (0..count).step_by(3) {
                assert_eq!(map.remove(&format!("k{n}")), Some(n));
                assert_eq!(map.remove(&format!("k{n}")), None);
            }
            map.retain(|_, n| *n % 2 == 0);
            assert_eq!(map.insert("k2".into(), 2), (count > 2).then_some(2));
            let left: Vec<usize> = map.iter().map(|(_, n)| *n).filter(|n| *n != 2).collect();
            let want: Vec<usize> = (0..count)
                .filter(|n| n % 3 != 0 && n % 2 == 0 && *n != 2)
                .collect();
            assert_eq!(left, want, "{count} members");
            for n in left {
                assert_eq!(map.get(&format!("k{n}")), Some(&n));
            }
        }
    }

    #[test]
    fn removing_all_members_of_a_large_map_is_not_quadratic() {
        let count = 200_000;
        let mut map = numbers(count);
        for n in 0..count {
            assert_eq!(map.remove(&format!("k{n}")), Some(n));
        }
        assert!(map.is_empty());
        map.insert("again".into(), 1);
        assert_eq!(map.iter().count(), 1);
    }

    #[test]
    fn two_maps_are_walked_together_even_where_their_order_differs() {
        let left = numbers(40);
        let mut right = numbers(40);
        right.remove("k3");
        right.insert("k3".into(), 3);
        right.remove("k9");
        let seen: Vec<_> = beside(&left, &right)
            .filter(|(_, a, b)| *b != Some(*a))
            .collect();
        assert_eq!(seen.len(), 1);
        assert_eq!(&**seen[0].0, "k9");
    }
}
