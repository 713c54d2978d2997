//! Stages four and five: wishes find the posts that they are like, all of a call in one transaction.

use std::{sync::Arc, time::Duration};

use db::{Db, Tx};
use kernel::{EvidenceId, FeedbackMode, PostId, PostState, Scope};
use models::{Embedding, Usage};
use serde_json::json;

use super::{Ended, Engine, Run, Task, VECTORS_AT_ONCE};
use crate::{
    Evidence, FeedbackError, Item, Quote, Source,
    index::Proposed,
    near::{Copy, Verdict, decide, from_bytes},
    reason::Reason,
    store::{boards, evidence, ledger, posts, stages, vectors},
};

/// A call under work.
pub(super) struct Work<'a> {
    pub(super) task: &'a Task,
    pub(super) source: &'a Source,
    /// What the index proposes, where there is one.
    pub(super) proposed: Option<Proposed>,
}

/// What wishes of a call are compared with.
struct Table {
    copy: Copy,
    /// What was found in this call before.
    old: Vec<Evidence>,
    /// Which of that was found again.
    kept: Vec<EvidenceId>,
    /// The titles of what is found now.
    titles: Vec<String>,
    /// Wishes that somebody took out of posts.
    partings: Vec<(String, PostId)>,
}

/// Where a wish hangs.
struct Hung {
    id: EvidenceId,
    post: PostId,
    joined: &'static str,
    similarity: Option<f32>,
    doubt: Option<PostId>,
}

impl Table {
    /// What was found in this call before and is the same wish: by its title; or, where its words changed (a name was taken out
    /// of them), by the moment at which it was said.
    fn same(&self, item: &Item) -> Option<&Evidence> {
        let title = item.title.to_lowercase();
        let mut left = self.old.iter().filter(|one| !self.kept.contains(&one.id));
        let moment = |quotes: &[Quote]| quotes.first().map(|quote| (quote.start_ms, quote.end_ms));
        left.clone().find(|one| one.title.to_lowercase() == title).or_else(|| {
            left.find(|one| {
                moment(&one.quotes) == moment(&item.quotes)
                    && !self.titles.contains(&one.title.to_lowercase())
            })
        })
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::New => "new",
        Verdict::Ask(..) => "ask",
        Verdict::Join(..) => "join",
    }
}

impl Engine {
    /// Stages four and five, and the end: posts and evidence, as one.
    pub(super) async fn put_together(
        &self,
        db: &Db,
        scope: &Scope,
        work: &Work<'_>,
        run: &Run,
        items: Vec<(Item, Embedding)>,
        usage: Usage,
    ) -> Result<Ended, FeedbackError> {
        let began = tokio::time::Instant::now();
        let mut tx = db.begin(scope).await?;
        vectors::lock(&mut tx).await?;
        let (task, call) = (work.task, work.task.call);
        if !ledger::hold(&mut tx, &task.taken).await? {
            return Ok(Ended::Overtaken);
        }
        let mut table = Table {
            copy: self.copy(&mut tx, scope, work.proposed.as_ref()).await?,
            old: evidence::of_call(&mut tx, call).await?,
            kept: Vec::new(),
            titles: items.iter().map(|(item, _)| item.title.to_lowercase()).collect(),
            partings: evidence::partings(&mut tx, call).await?,
        };
        evidence::make_way(&mut tx, call).await?;
        let mut told = Vec::new();
        for (place, (item, vector)) in items.iter().enumerate() {
            let (hung, line) = self.hang(&mut tx, run, &mut table, item, vector).await?;
            told.push(line);
            self.support(&mut tx, work, run, &hung, place, item).await?;
        }
        let gone: Vec<EvidenceId> = table.old.iter().map(|one| one.id).collect();
        evidence::delete(&mut tx, &gone).await?;
        stages::forget_others(&mut tx, call, &run.hash).await?;
        let why = "Each wish was compared with every post of the organization.";
        let left = run.left("deduplicate", json!(told), why, None, usage, began.elapsed(), self);
        stages::store(&mut tx, call, &left).await?;
        let organized = items
            .iter()
            .map(|(item, _)| json!({ "title": item.title, "category": item.category, "tags": item.tags }));
        let organized = json!(organized.collect::<Vec<_>>());
        let why = "The default board; category and tags are those of the organization that fit.";
        let left = run.left("organize", organized, why, None, Usage::default(), Duration::ZERO, self);
        stages::store(&mut tx, call, &left).await?;
        let count = items.len();
        let (state, reason) =
            if count == 0 { ("discarded", Some(Reason::NoFeedback)) } else { ("done", None) };
        self.note(&mut tx, task, state, reason, Some(run), count).await?;
        tx.announce("feedback").await?;
        tx.commit().await?;
        if self.index.is_none() {
            self.copies.keep(scope.organization(), Arc::new(table.copy));
        }
        Ok(if count == 0 { Ended::Nothing } else { Ended::Found(count) })
    }

    /// Decides where a wish hangs, and makes the post where it needs a new one. What was found in this call before stays where
    /// it is.
    async fn hang(
        &self,
        tx: &mut Tx,
        run: &Run,
        table: &mut Table,
        item: &Item,
        vector: &Embedding,
    ) -> Result<(Hung, serde_json::Value), FeedbackError> {
        let id = EvidenceId::mint(&*self.ambient);
        let title = item.title.to_lowercase();
        let parted: Vec<PostId> =
            table.partings.iter().filter(|(of, _)| *of == title).map(|(_, post)| *post).collect();
        let near = table.copy.nearest(vector, parted.len() + 1);
        let verdict = decide(&near, run.thresholds, &parted);
        let line =
            json!({ "title": item.title, "verdict": word(verdict), "near": near.first().map(|n| n.1) });
        if let Some(one) = table.same(item) {
            let joined = match (one.is_placed, one.is_joined) {
                (true, _) => "person",
                (_, true) => "joined",
                _ => "maker",
            };
            let hung = Hung { id, post: one.post, joined, similarity: one.similarity, doubt: one.doubt };
            let kept = one.id;
            table.kept.push(kept);
            return Ok((hung, line));
        }
        let asks = run.settings.mode == FeedbackMode::Approval;
        let verdict = match verdict {
            // A post that was withdrawn meanwhile takes nothing in.
            Verdict::Join(post, _) | Verdict::Ask(post, _)
                if matches!(posts::state(tx, post).await?, None | Some(PostState::Withdrawn)) =>
            {
                Verdict::New
            }
            verdict => verdict,
        };
        let (state, similarity, doubt) = match verdict {
            Verdict::Join(post, like) if !asks => {
                return Ok((Hung { id, post, joined: "joined", similarity: Some(like), doubt: None }, line));
            }
            Verdict::Join(post, like) | Verdict::Ask(post, like) => {
                (PostState::Review, Some(like), Some(post))
            }
            Verdict::New if asks => (PostState::Review, None, None),
            Verdict::New => (PostState::Published, None, None),
        };
        let post = PostId::mint(&*self.ambient);
        let (analyzer, now) = (run.analyzer.as_str(), self.ambient.now());
        let new = posts::New { id: post, board: run.board, item, state, text_of: id, analyzer, now };
        posts::insert(tx, &new).await?;
        vectors::put(tx, post, self.embedder.model().as_str(), vector).await?;
        table.copy.put(post, vector);
        if run.house.may_add_tags {
            boards::add_tags(tx, &item.tags, now).await?;
        }
        Ok((Hung { id, post, joined: "maker", similarity, doubt }, line))
    }

    async fn support(
        &self,
        tx: &mut Tx,
        work: &Work<'_>,
        run: &Run,
        hung: &Hung,
        place: usize,
        item: &Item,
    ) -> Result<(), FeedbackError> {
        let new = evidence::New {
            id: hung.id,
            post: hung.post,
            source: work.source,
            hash: &run.hash,
            place: i16::try_from(place).unwrap_or(i16::MAX),
            item,
            similarity: hung.similarity,
            joined: hung.joined,
            doubt: hung.doubt,
            analyzer: &run.analyzer,
            now: self.ambient.now(),
        };
        evidence::insert(tx, &new).await
    }

    /// The vectors of this organization, up to date; where there is an index, those that it proposes and those that are newer.
    async fn copy(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        proposed: Option<&Proposed>,
    ) -> Result<Copy, FeedbackError> {
        let model = self.embedder.model();
        let gone = vectors::gone(tx).await?;
        if self.index.is_some() && proposed.is_none() {
            return Ok(Copy::of(model, gone));
        }
        let kept = self.copies.take(scope.organization());
        let mut copy = match kept.filter(|copy| copy.gone == gone && copy.model == model.as_str()) {
            Some(copy) => Arc::unwrap_or_clone(copy),
            None => Copy::of(model, gone),
        };
        if let Some(proposed) = proposed {
            copy = Copy::of(model, gone);
            copy.changed = proposed.changed;
            let posts: Vec<PostId> = proposed.posts.iter().copied().collect();
            for row in vectors::of(tx, model.as_str(), &posts).await? {
                copy.put(row.post_id, &from_bytes(&row.vector));
            }
        }
        loop {
            let rows = vectors::since(tx, model.as_str(), copy.changed, VECTORS_AT_ONCE).await?;
            let last = rows.len();
            for row in rows {
                copy.put(row.post_id, &from_bytes(&row.vector));
                copy.changed = copy.changed.max(row.changed);
            }
            if i64::try_from(last).unwrap_or(0) < VECTORS_AT_ONCE {
                return Ok(copy);
            }
        }
    }

    /// Gives posts whose words have no vector one: a person wrote them, or the words that they came from are gone.
    ///
    /// # Errors
    /// When the database or the model fails.
    pub async fn complete(&self, db: &Db, scope: &Scope) -> Result<usize, FeedbackError> {
        let mut tx = db.begin(scope).await?;
        let posts = vectors::missing(&mut tx, self.embedder.model().as_str(), 100).await?;
        tx.commit().await?;
        if posts.is_empty() {
            if let Some(index) = &self.index {
                index.follow(db, scope, self.embedder.model()).await?;
            }
            return Ok(0);
        }
        let texts: Vec<String> =
            posts.iter().map(|(_, title, summary, _)| format!("{title}. {summary}")).collect();
        let (found, _) = self.embedder.embed(&texts).await?;
        let mut tx = db.begin(scope).await?;
        // Changes get their numbers in the order in which they can be seen.
        vectors::lock(&mut tx).await?;
        for ((post, _, _, version), vector) in posts.iter().zip(&found) {
            if crate::store::posts::load(&mut tx, *post).await?.is_some_and(|post| post.version == *version) {
                vectors::put(&mut tx, *post, self.embedder.model().as_str(), vector).await?;
            }
        }
        tx.commit().await?;
        Ok(posts.len())
    }
}
