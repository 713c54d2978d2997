//! Vectors in Qdrant, where an installation wants them there. The database stays the truth: the index is filled from it, brought in
//! line with it, and only proposes posts; what is alike is decided by the vectors of the database.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use db::Db;
use kernel::{OrganizationId, PostId, Scope};
use models::{Embedding, ModelError, ModelId, Point, Qdrant};

use crate::{FeedbackError, near::from_bytes, store::vectors};

/// Vectors that are put at once.
const AT_ONCE: usize = 200;
/// Posts that are proposed for one wish.
const PROPOSED: usize = 16;

/// How far the index follows the vectors of one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// The newest change that is there.
    changed: i64,
    /// How many vectors had gone by then.
    gone: i64,
}

/// Posts that a call's wishes may be like.
#[derive(Debug, Default)]
pub(crate) struct Proposed {
    /// The newest change that the index knew of.
    pub(crate) changed: i64,
    /// The posts, as far as they were there then.
    pub(crate) posts: BTreeSet<PostId>,
}

/// The index, as one process knows it.
#[derive(Debug)]
pub(crate) struct Index {
    server: Qdrant,
    marks: Mutex<HashMap<(OrganizationId, ModelId), Mark>>,
}

impl Index {
    pub(crate) fn new(server: Qdrant) -> Self {
        Self { server, marks: Mutex::default() }
    }

    /// Posts that vectors may be like. Asks the network: never inside of a transaction.
    pub(crate) async fn propose(
        &self,
        db: &Db,
        scope: &Scope,
        model: &ModelId,
        wanted: &[Embedding],
    ) -> Result<Proposed, FeedbackError> {
        let changed = self.follow(db, scope, model).await?;
        let mut posts = BTreeSet::new();
        if changed > 0 {
            let owner = scope.organization().uuid().to_string();
            for vector in wanted {
                let near = self.server.nearest(&collection(model), &owner, vector, PROPOSED).await;
                let near = near.map_err(|error| self.lost(scope, model, error))?;
                posts.extend(near.iter().filter_map(|id| Some(PostId::from_uuid(id.parse().ok()?))));
            }
        }
        Ok(Proposed { changed, posts })
    }

    /// Brings the index in line with the database; gives back the newest change that is in it.
    pub(crate) async fn follow(&self, db: &Db, scope: &Scope, model: &ModelId) -> Result<i64, FeedbackError> {
        let followed = match self.mark(scope, model) {
            Some(mark) => self.advance(db, scope, model, mark).await,
            None => self.compare(db, scope, model).await,
        };
        let mark = match followed {
            Ok(Some(mark)) => mark,
            // Vectors went: what is there has to be compared with what should be.
            Ok(None) => match self.compare(db, scope, model).await {
                Ok(Some(mark)) => mark,
                Ok(None) => {
                    return Err(away(ModelError::Unavailable { why: "its collection went meanwhile" }));
                }
                Err(error) => return Err(self.forget(scope, model, error)),
            },
            Err(error) => return Err(self.forget(scope, model, error)),
        };
        self.keep(scope, model, Some(mark));
        Ok(mark.changed)
    }

    /// Puts what came behind a mark; `None` when vectors have gone since.
    async fn advance(
        &self,
        db: &Db,
        scope: &Scope,
        model: &ModelId,
        mut mark: Mark,
    ) -> Result<Option<Mark>, FeedbackError> {
        loop {
            let mut tx = db.begin(scope).await?;
            let gone = vectors::gone(&mut tx).await?;
            let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
            let rows = vectors::since(&mut tx, model.as_str(), mark.changed, most).await?;
            tx.commit().await?;
            if gone != mark.gone {
                return Ok(None);
            }
            let Some(last) = rows.last() else { return Ok(Some(mark)) };
            mark.changed = last.changed;
            self.put(scope, model, rows).await?;
        }
    }

    /// Compares everything that is there with everything that should be, and puts right what differs.
    async fn compare(&self, db: &Db, scope: &Scope, model: &ModelId) -> Result<Option<Mark>, FeedbackError> {
        let (collection, owner) = (collection(model), scope.organization().uuid().to_string());
        // The index first: what another process puts meanwhile is in the database already.
        let there: HashMap<String, i64> = match self.server.marks(&collection, &owner).await {
            Ok(there) => there.into_iter().collect(),
            Err(ModelError::BadRequest { status: 404, .. }) => HashMap::new(),
            Err(error) => return Err(away(error)),
        };
        let mut tx = db.begin(scope).await?;
        let gone = vectors::gone(&mut tx).await?;
        let should: HashMap<String, (PostId, i64)> = vectors::marks(&mut tx, model.as_str())
            .await?
            .into_iter()
            .map(|(post, changed)| (post.uuid().to_string(), (post, changed)))
            .collect();
        tx.commit().await?;
        let strays: Vec<String> = there.keys().filter(|id| !should.contains_key(*id)).cloned().collect();
        for strays in strays.chunks(AT_ONCE) {
            self.server.delete(&collection, &owner, strays).await.map_err(away)?;
        }
        let missing: Vec<PostId> = should
            .iter()
            .filter(|(id, (_, changed))| there.get(*id) != Some(changed))
            .map(|(_, (post, _))| *post)
            .collect();
        for missing in missing.chunks(AT_ONCE) {
            let mut tx = db.begin(scope).await?;
            let rows = vectors::of(&mut tx, model.as_str(), missing).await?;
            tx.commit().await?;
            self.put(scope, model, rows).await?;
        }
        let changed = should.values().map(|(_, changed)| *changed).max().unwrap_or(0);
        Ok(Some(Mark { changed, gone }))
    }

    async fn put(
        &self,
        scope: &Scope,
        model: &ModelId,
        rows: Vec<vectors::Row>,
    ) -> Result<(), FeedbackError> {
        let (collection, owner) = (collection(model), scope.organization().uuid().to_string());
        let points: Vec<Point> = rows
            .into_iter()
            .map(|row| Point {
                id: row.post_id.uuid().to_string(),
                vector: from_bytes(&row.vector),
                mark: row.changed,
            })
            .collect();
        let Some(width) = points.first().map(|point| point.vector.len()) else { return Ok(()) };
        match self.server.put(&collection, &owner, &points).await {
            Err(ModelError::BadRequest { status: 404, .. }) => {
                self.server.create(&collection, width).await.map_err(away)?;
                self.server.put(&collection, &owner, &points).await.map_err(away)
            }
            done => done.map_err(away),
        }
    }

    fn mark(&self, scope: &Scope, model: &ModelId) -> Option<Mark> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.get(&(scope.organization(), model.clone())).copied()
    }

    fn keep(&self, scope: &Scope, model: &ModelId, mark: Option<Mark>) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        match mark {
            Some(mark) => marks.insert((scope.organization(), model.clone()), mark),
            None => marks.remove(&(scope.organization(), model.clone())),
        };
    }

    /// The next time everything is compared.
    fn forget(&self, scope: &Scope, model: &ModelId, error: FeedbackError) -> FeedbackError {
        self.keep(scope, model, None);
        error
    }

    fn lost(&self, scope: &Scope, model: &ModelId, error: ModelError) -> FeedbackError {
        self.forget(scope, model, away(error))
    }
}

const fn away(error: ModelError) -> FeedbackError {
    FeedbackError::Index(error)
}

/// One collection a model: vectors of different models are never compared.
fn collection(model: &ModelId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("soundpost_{}", model.as_str().chars().map(plain).collect::<String>())
}
