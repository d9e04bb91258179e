//! An ordered map from text to values, cheap to clone: the shape of an object, and of a change to one.
//!
//! Two versions of a state have nearly everything in common, so a clone shares the members, and whoever changes a
//! shared map copies that one map first; the maps inside it stay shared. Members stand in their order. Up to
//! [`FEW`] of them are one slice, searched member by member, which for the objects of a state (three or four
//! members) is faster than hashing and costs no memory; adding one there copies the slice. Beyond that an index
//! says where each stands, made when somebody first asks. In a large map a removal leaves a hole, and the holes are
//! closed when they outnumber the members: removing every member of a map costs no more than a walk or two over it.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

/// The text of a key. Shared, because a state has the same few keys in each of its bindings.
pub(crate) type Key = Arc<str>;

/// Members that are searched one by one; a map that outgrows it gets an index.
const FEW: usize = 16;

/// A place of a large map: a member, or the hole that one left.
type Slot<V> = Option<(Key, V)>;

#[derive(Clone, Debug)]
pub(crate) struct Map<V>(Members<V>);

/// Two words: an object is as large as a leaf.
#[derive(Clone, Debug)]
enum Members<V> {
    Few(Arc<[(Key, V)]>),
    /// `None` is the empty map, which needs no allocation.
    Many(Option<Arc<Many<V>>>),
}

#[derive(Clone, Debug)]
struct Many<V> {
    slots: Vec<Slot<V>>,
    /// Slots that are no holes.
    len: usize,
    index: OnceLock<Index>,
}

/// Where each key stands: a table probed from the place that the key hashes to.
///
/// An entry is half of the hash and a slot. A hole's entry stays, and is passed over, until the holes are closed.
/// No more than three quarters of the table are used, so that a search ends.
#[derive(Clone, Debug)]
struct Index {
    hasher: RandomState,
    table: Vec<(u32, u32)>,
}

impl Index {
    /// A slot that is none. A document has far fewer members than 2^32.
    const FREE: (u32, u32) = (0, u32::MAX);

    fn over<V>(slots: &[Slot<V>]) -> Self {
        let mut index = Index {
            hasher: RandomState::new(),
            table: vec![Index::FREE; Index::room_for(slots.len())],
        };
        for (at, slot) in slots.iter().enumerate() {
            if let Some((key, _)) = slot {
                index.put(index.hash(key), at);
            }
        }
        index
    }

    fn room_for(slots: usize) -> usize {
        (slots + slots / 3 + 1).next_power_of_two()
    }

    fn hash(&self, key: &str) -> u32 {
        // The half that is kept is enough to tell keys apart in a table of far fewer entries.
        self.hasher.hash_one(key) as u32
    }

    fn find<V>(&self, slots: &[Slot<V>], key: &str) -> Option<usize> {
        let hash = self.hash(key);
        let entries = self.from(hash).map(|place| self.table[place]);
        for (theirs, at) in entries.take_while(|entry| *entry != Index::FREE) {
            let there = slots[at as usize].as_ref();
            if theirs == hash && there.is_some_and(|(found, _)| **found == *key) {
                return Some(at as usize);
            }
        }
        None
    }

    /// Adds a key that is not there.
    fn add(&mut self, key: &str, at: usize) {
        if Index::room_for(at + 1) > self.table.len() {
            let room = vec![Index::FREE; 2 * self.table.len()];
            let entries = std::mem::replace(&mut self.table, room);
            for (hash, at) in entries {
                if (hash, at) != Index::FREE {
                    self.put(hash, at as usize);
                }
            }
        }
        self.put(self.hash(key), at);
    }

    fn put(&mut self, hash: u32, at: usize) {
        let mut places = self.from(hash);
        let free = places.find(|place| self.table[*place] == Index::FREE);
        let free = free.expect("a quarter of the table is free");
        let at = u32::try_from(at).expect("fewer members than 2^32");
        self.table[free] = (hash, at);
    }

    /// The places where an entry of this hash may be, the likeliest first.
    fn from(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.table.len() - 1;
        (hash as usize..).map(move |place| place & mask)
    }
}

impl<V> Many<V> {
    fn with_capacity(members: usize) -> Self {
        Many {
            slots: Vec::with_capacity(members),
            len: 0,
            index: OnceLock::new(),
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::over(&self.slots))
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.index().find(&self.slots, key)
    }

    fn append(&mut self, key: Key, value: V) {
        if let Some(index) = self.index.get_mut() {
            index.add(&key, self.slots.len());
        }
        self.slots.push(Some((key, value)));
        self.len += 1;
    }

    fn close_holes(&mut self) {
        if self.slots.len() >= 2 * self.len + FEW {
            self.slots.retain(Option::is_some);
            self.index.take();
        }
    }
}

impl<V> Map<V> {
    pub(crate) const fn new() -> Self {
        Map(Members::Many(None))
    }

    pub(crate) fn with_capacity(members: usize) -> Self {
        if members <= FEW {
            return Map::new();
        }
        Map(Members::Many(Some(Arc::new(Many::with_capacity(members)))))
    }

    /// Takes members whose keys differ.
    pub(crate) fn of_distinct(members: Vec<(Key, V)>) -> Self {
        if members.is_empty() {
            return Map::new();
        }
        if members.len() <= FEW {
            return Map(Members::Few(Arc::from(members)));
        }
        let len = members.len();
        Map(Members::Many(Some(Arc::new(Many {
            slots: members.into_iter().map(Some).collect(),
            len,
            index: OnceLock::new(),
        }))))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Members::Few(members) => members.len(),
            Members::Many(many) => many.as_ref().map_or(0, |many| many.len),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both are the same members in memory; they are then equal, and nobody needs to look.
    pub(crate) fn is_same(&self, other: &Map<V>) -> bool {
        match (&self.0, &other.0) {
            (Members::Few(ours), Members::Few(theirs)) => Arc::ptr_eq(ours, theirs),
            (Members::Many(Some(ours)), Members::Many(Some(theirs))) => Arc::ptr_eq(ours, theirs),
            (Members::Many(None), Members::Many(None)) => true,
            _ => false,
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.0 {
            Members::Few(members) => members.iter().position(|(theirs, _)| **theirs == *key),
            Members::Many(many) => many.as_ref()?.position(key),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        let at = self.position(key)?;
        match &self.0 {
            Members::Few(members) => Some(&members[at].1),
            Members::Many(many) => many.as_ref()?.slots[at].as_ref().map(|(_, value)| value),
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, V> {
        match &self.0 {
            Members::Few(members) => Iter::Few(members.iter()),
            Members::Many(None) => Iter::Few([].iter()),
            Members::Many(Some(many)) => Iter::Many(many.slots.iter()),
        }
    }

    /// The values, if nobody else has them.
    pub(crate) fn unshared_values(&mut self) -> Option<impl Iterator<Item = &mut V>> {
        let (few, many): (&mut [(Key, V)], &mut [Slot<V>]) = match &mut self.0 {
            Members::Few(members) => (Arc::get_mut(members)?, &mut []),
            Members::Many(many) => (&mut [], &mut Arc::get_mut(many.as_mut()?)?.slots),
        };
        let few = few.iter_mut().map(|(_, value)| value);
        Some(few.chain(many.iter_mut().flatten().map(|(_, value)| value)))
    }

    /// Gives back the room that growing reserved; a parsed document stays as it is for long.
    pub(crate) fn shrink(&mut self) {
        if let Members::Many(Some(many)) = &mut self.0
            && let Some(many) = Arc::get_mut(many)
        {
            many.slots.shrink_to_fit();
            // Reading asked it of each key. Whoever asks for one later makes it again.
            many.index = OnceLock::new();
        }
    }
}

impl<V: Clone> Map<V> {
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        // Looked for first: what is not there is no reason to copy a shared map.
        let at = self.position(key)?;
        match &mut self.0 {
            Members::Few(members) => Some(&mut Arc::make_mut(members)[at].1),
            Members::Many(many) => {
                let many = Arc::make_mut(many.as_mut()?);
                many.slots[at].as_mut().map(|(_, value)| value)
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
        self.extend_distinct([(key, value)]);
    }

    /// Appends members that are known not to be there, at the cost of one.
    pub(crate) fn extend_distinct(
        &mut self,
        members: impl IntoIterator<Item = (Key, V), IntoIter: ExactSizeIterator>,
    ) {
        let added = members.into_iter();
        let count = self.len() + added.len();
        match &mut self.0 {
            _ if added.len() == 0 => {}
            Members::Many(Some(many)) => {
                let many = Arc::make_mut(many);
                added.for_each(|(key, value)| many.append(key, value));
            }
            Members::Many(None) if count <= FEW => self.0 = Members::Few(added.collect()),
            Members::Many(None) => *self = Map::of_distinct(added.collect()),
            Members::Few(few) if count <= FEW => {
                self.0 = Members::Few(few.iter().cloned().chain(added).collect());
            }
            Members::Few(few) => {
                *self = Map::of_distinct(few.iter().cloned().chain(added).collect());
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let at = self.position(key)?;
        match &mut self.0 {
            Members::Few(members) => {
                let value = members[at].1.clone();
                let (before, after) = (&members[..at], &members[at + 1..]);
                *self = if before.is_empty() && after.is_empty() {
                    Map::new()
                } else {
                    Map(Members::Few(before.iter().chain(after).cloned().collect()))
                };
                Some(value)
            }
            Members::Many(many) => {
                let many = Arc::make_mut(many.as_mut()?);
                let (_, value) = many.slots[at].take()?;
                many.len -= 1;
                many.close_holes();
                Some(value)
            }
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &mut V) -> bool) {
        match &mut self.0 {
            Members::Many(None) => {}
            Members::Few(members) => {
                let count = members.len();
                let mut kept = Vec::with_capacity(count);
                for (key, value) in Arc::make_mut(members) {
                    if keep(key, value) {
                        kept.push((Arc::clone(key), value.clone()));
                    }
                }
                if kept.len() < count {
                    *self = Map::of_distinct(kept);
                }
            }
            Members::Many(Some(many)) => {
                let many = Arc::make_mut(many);
                for slot in &mut many.slots {
                    if let Some((key, value)) = slot
                        && !keep(key, value)
                    {
                        *slot = None;
                        many.len -= 1;
                    }
                }
                many.close_holes();
            }
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut V)> + use<'_, V> {
        let (few, many): (&mut [(Key, V)], &mut [Slot<V>]) = match &mut self.0 {
            Members::Few(members) => (Arc::make_mut(members), &mut []),
            Members::Many(None) => (&mut [], &mut []),
            Members::Many(Some(many)) => (&mut [], &mut Arc::make_mut(many).slots),
        };
        let few = few.iter_mut().map(|(key, value)| (&*key, value));
        let many = many.iter_mut().flatten();
        few.chain(many.map(|(key, value)| (&*key, value)))
    }

    /// The members themselves, or clones of them where others have them too.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (Key, V)> + use<V> {
        let (few, many) = match self.0 {
            Members::Few(members) => (Some(members), Vec::new()),
            Members::Many(None) => (None, Vec::new()),
            Members::Many(Some(many)) => {
                let slots = Arc::try_unwrap(many).map(|many| many.slots);
                (None, slots.unwrap_or_else(|shared| shared.slots.clone()))
            }
        };
        let few = few
            .into_iter()
            .flat_map(|members| (0..members.len()).map(move |at| members[at].clone()));
        few.chain(many.into_iter().flatten())
    }
}

/// The members of a map, in their order.
#[derive(Debug)]
pub(crate) enum Iter<'a, V> {
    Few(std::slice::Iter<'a, (Key, V)>),
    Many(std::slice::Iter<'a, Slot<V>>),
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = match self {
            Iter::Few(members) => members.next()?,
            Iter::Many(slots) => slots.find_map(Option::as_ref)?,
        };
        Some((key, value))
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
        self.is_same(other)
            || self.len() == other.len()
                && beside(self, other).all(|(_, ours, theirs)| theirs == Some(ours))
    }
}

/// Maps that are being built, the innermost last, in one vector: reading a document needs no other until an object
/// is closed, and then exactly one allocation.
#[derive(Debug)]
pub(crate) struct Building<V>(Vec<(Key, V)>);

/// A map that is not closed yet.
#[derive(Debug)]
pub(crate) struct Open<V> {
    from: usize,
    /// Where the members are when there are many of them.
    many: Map<V>,
}

impl<V: Clone> Building<V> {
    pub(crate) const fn new() -> Self {
        Building(Vec::new())
    }

    pub(crate) fn open(&self) -> Open<V> {
        Open {
            from: self.0.len(),
            many: Map::new(),
        }
    }

    /// Sets a member of the map opened last: it replaces one of that name, or is appended.
    pub(crate) fn put(&mut self, open: &mut Open<V>, key: Key, value: V) {
        if !open.many.is_empty() {
            open.many.insert(key, value);
            return;
        }
        let mut few = self.0[open.from..].iter_mut();
        if let Some((_, present)) = few.find(|(theirs, _)| *theirs == key) {
            *present = value;
            return;
        }
        self.0.push((key, value));
        if self.0.len() - open.from > FEW {
            open.many = Map::of_distinct(self.0.drain(open.from..).collect());
        }
    }

    pub(crate) fn close(&mut self, open: Open<V>) -> Map<V> {
        if !open.many.is_empty() {
            let mut many = open.many;
            many.shrink();
            return many;
        }
        if self.0.len() == open.from {
            return Map::new();
        }
        Map(Members::Few(self.0.drain(open.from..).collect()))
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
    fn a_clone_is_the_same_members_until_one_of_them_changes() {
        for count in [0, 1, 16, 17, 100] {
            let map = numbers(count);
            for change in [
                |map: &mut Map<usize>| {
                    map.insert("k0".into(), 7);
                },
                |map: &mut Map<usize>| {
                    map.insert("new".into(), 7);
                },
                |map: &mut Map<usize>| {
                    map.remove("k0");
                },
                |map: &mut Map<usize>| map.retain(|_, n| *n > 3),
                |map: &mut Map<usize>| map.iter_mut().for_each(|(_, n)| *n += 1),
            ] {
                let mut changed = map.clone();
                assert!(changed.is_same(&map));
                change(&mut changed);
                assert_eq!(map, numbers(count), "{count} members");
                let members: Vec<_> = changed.iter().map(|(key, n)| (key.clone(), *n)).collect();
                assert_eq!(changed.into_members().collect::<Vec<_>>(), members);
            }
            let mut shared = map.clone();
            assert_eq!(shared.get_mut("absent"), None);
            assert_eq!(shared.remove("absent"), None);
            assert!(shared.is_same(&map), "looking is no reason to copy");
        }
    }

    #[test]
    fn an_index_that_grew_through_holes_finds_every_member() {
        let mut map = numbers(17);
        for n in 17..5000 {
            assert_eq!(map.remove(&format!("k{}", n - 17)), Some(n - 17));
            assert_eq!(map.insert(format!("k{n}").into(), n), None);
        }
        assert_eq!(map.len(), 17);
        for n in 0..5000 {
            assert_eq!(map.get(&format!("k{n}")), (n >= 4983).then_some(&n));
        }
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
