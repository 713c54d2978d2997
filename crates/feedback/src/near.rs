//! Stage four: which post a wish is like. Vectors of an organization's posts are kept in memory and compared exactly.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use kernel::{OrganizationId, PostId};
use models::{Embedding, ModelId, cosine};

/// How like something has to be. The figures belong to the model that made the vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// From here on it is the same wish.
    pub join_at: f32,
    /// From here on somebody is asked.
    pub ask_at: f32,
}

impl Thresholds {
    /// What is right for a model as far as it was measured (docs/QUALITY.md); careful for those that were not.
    pub fn of(model: &ModelId) -> Self {
        match model.as_str() {
            "local/all-MiniLM-L6-v2" => Self { join_at: 0.80, ask_at: 0.60 },
            _ => Self { join_at: 0.90, ask_at: 0.80 },
        }
    }
}

/// What to do with a wish.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It is a new post.
    New,
    /// It may be the same as this post: a new one, and somebody is asked.
    Ask(PostId, f32),
    /// It is the same as this post.
    Join(PostId, f32),
}

/// Decides. `parted` are the posts that somebody took this wish out of.
pub fn decide(near: &[(PostId, f32)], thresholds: Thresholds, parted: &[PostId]) -> Verdict {
    let best = near.iter().filter(|(post, _)| !parted.contains(post)).max_by(|a, b| a.1.total_cmp(&b.1));
    match best {
        Some((post, like)) if *like >= thresholds.join_at => Verdict::Join(*post, *like),
        Some((post, like)) if *like >= thresholds.ask_at => Verdict::Ask(*post, *like),
        _ => Verdict::New,
    }
}

/// The vectors of one organization's posts, of one model.
#[derive(Debug, Default, Clone)]
pub struct Copy {
    pub(crate) model: String,
    /// The newest change that is in here.
    pub(crate) changed: i64,
    /// How many vectors had gone when this was read.
    pub(crate) gone: i64,
    posts: Vec<PostId>,
    width: usize,
    numbers: Vec<f32>,
    places: HashMap<PostId, usize>,
}

impl Copy {
    /// An empty copy for vectors of a model.
    pub fn of(model: &ModelId, gone: i64) -> Self {
        Self { model: model.as_str().to_owned(), gone, ..Self::default() }
    }

    /// Puts a vector in, in place of the post's last one; those of another width are left out.
    pub fn put(&mut self, post: PostId, vector: &[f32]) {
        if self.width == 0 {
            self.width = vector.len();
        }
        if vector.len() != self.width || vector.is_empty() {
            return;
        }
        if let Some(place) = self.places.get(&post) {
            self.numbers[place * self.width..(place + 1) * self.width].copy_from_slice(vector);
            return;
        }
        self.places.insert(post, self.posts.len());
        self.posts.push(post);
        self.numbers.extend_from_slice(vector);
    }

    /// The posts that a vector is most like, the likest first.
    pub fn nearest(&self, vector: &[f32], most: usize) -> Vec<(PostId, f32)> {
        if self.width == 0 || vector.len() != self.width {
            return Vec::new();
        }
        let mut likes: Vec<(PostId, f32)> = Vec::with_capacity(most + 1);
        for (post, row) in self.posts.iter().zip(self.numbers.chunks_exact(self.width)) {
            let like = cosine(row, vector);
            if likes.len() == most && likes.last().is_none_or(|(_, last)| like <= *last) {
                continue;
            }
            let place = likes.partition_point(|(_, better)| *better >= like);
            likes.insert(place, (*post, like));
            likes.truncate(most);
        }
        likes
    }

    fn bytes(&self) -> usize {
        self.numbers.len() * size_of::<f32>()
    }
}

/// Bytes of vectors that one process keeps in memory; organizations that were not asked for longest go first.
const KEPT_MOST: usize = 256 * 1024 * 1024;

/// Copies of organizations' vectors.
#[derive(Debug, Default)]
pub(crate) struct Copies(Mutex<Vec<(OrganizationId, Arc<Copy>)>>);

impl Copies {
    /// The copy that is here, if there is one.
    pub(crate) fn take(&self, organization: OrganizationId) -> Option<Arc<Copy>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(id, _)| *id == organization)?;
        Some(kept.remove(at).1)
    }

    /// Keeps a copy, as the one that was used last.
    pub(crate) fn keep(&self, organization: OrganizationId, copy: Arc<Copy>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(id, _)| *id != organization);
        kept.push((organization, copy));
        let mut bytes: usize = kept.iter().map(|(_, copy)| copy.bytes()).sum();
        while bytes > KEPT_MOST && kept.len() > 1 {
            bytes -= kept.remove(0).1.bytes();
        }
    }
}

/// A vector as it is stored.
pub(crate) fn to_bytes(vector: &Embedding) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A stored vector.
pub(crate) fn from_bytes(bytes: &[u8]) -> Embedding {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(n: u128) -> PostId {
        PostId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn the_likest_post_decides_unless_somebody_parted_them() {
        let thresholds = Thresholds { join_at: 0.85, ask_at: 0.70 };
        let near = [(post(1), 0.91), (post(2), 0.80), (post(3), 0.2)];
        assert_eq!(decide(&near, thresholds, &[]), Verdict::Join(post(1), 0.91));
        assert_eq!(decide(&near, thresholds, &[post(1)]), Verdict::Ask(post(2), 0.80));
        assert_eq!(decide(&near, thresholds, &[post(1), post(2)]), Verdict::New);
        assert_eq!(decide(&[], thresholds, &[]), Verdict::New);
    }

    #[test]
    fn a_vector_takes_the_place_of_the_last_one() {
        let mut copy = Copy::of(&ModelId::new("local", "m"), 0);
        copy.put(post(1), &[1.0, 0.0]);
        copy.put(post(2), &[0.0, 1.0]);
        copy.put(post(3), &[0.0, 1.0, 0.0]);
        assert_eq!(copy.nearest(&[1.0, 0.0], 1), [(post(1), 1.0)]);
        copy.put(post(1), &[0.0, 1.0]);
        assert_eq!(copy.nearest(&[1.0, 0.0], 5).len(), 2, "one of another width is left out");
        assert!(copy.nearest(&[1.0, 0.0], 1)[0].1 < 0.1);
        assert_eq!(from_bytes(&to_bytes(&vec![0.5, -2.0])), [0.5, -2.0]);
    }
}
