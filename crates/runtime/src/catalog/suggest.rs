//! "did you mean …?": the closest of a few known names.

/// The candidate nearest to `wrong`, if it is near enough that a typing mistake explains it:
/// within a third of its length, and at most three edits.
pub(super) fn closest<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A name of that length is no typing mistake, and the distance is quadratic.
    if wrong.chars().count() > 100 {
        return None;
    }
    let near =
        |candidate: &str| (candidate.chars().count().max(wrong.chars().count()) / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                distance(&wrong.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(edits, candidate)| *edits <= near(candidate))
        .min_by_key(|(edits, candidate)| (*edits, *candidate))
        .map(|(_, candidate)| candidate)
}

/// Edits from one to the other, where two neighbours changing places count as one.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let changed = usize::from(left[i - 1] != right[j - 1]);
            row[j] = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_typing_mistake_away_is_suggested() {
        let known = ["bindings", "endpoint", "interval", "key"];
        for (wrong, meant) in [
            ("bindngs", Some("bindings")),
            ("Bindings", Some("bindings")),
            ("endpiont", Some("endpoint")),
            ("intervall", Some("interval")),
            ("kye", Some("key")),
            ("serve", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(wrong, known), meant, "{wrong}");
        }
        assert_eq!(closest(&"b".repeat(10_000), known), None);
    }
}
