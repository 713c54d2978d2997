//! What customers ask for in their calls, as posts on a board with the evidence for each.
//!
//! Five stages, each a function of what the one before left: normalize, detect, extract, deduplicate, organize. Knows nothing of
//! Gong, tokens or windows: a door hands over calls and takes what came of them.

mod analyze;
pub mod basic;
mod boards;
mod conversation;
mod engine;
mod error;
mod export;
pub mod fleet;
mod index;
mod item;
mod language;
mod ledger;
mod masking;
mod near;
mod post;
mod posts;
mod reason;
mod settings;
mod store;

pub use analyze::{Analyzer, Detection, House, Scored, Vocabulary};
pub use basic::BasicAnalyzer;
pub use boards::{
    Board, archive_board, board_names, boards, create_board, has_board, rename_board, set_categories,
    set_tags, tags,
};
pub use conversation::{
    Conversation, Participant, Place, Sentence, Source, Speaker, Speech, Turn, clean,
    split as split_sentences,
};
pub use engine::{Ended, Engine, Task};
pub use error::FeedbackError;
pub use export::{export_page, exported, import_rows};
pub use item::{Item, Quote, TITLE_MOST, checked, find_quote, quote};
pub use language::LanguageAnalyzer;
pub use ledger::{
    AGAIN_MOST, JOB, Ledger, ModelUse, Preview, Stage, Trace, explain, ledger, look_again, next_due, preview,
    retry, send, spent, take_changes, trace, usage, wake, want, want_all,
};
pub use masking::mask_records;
pub use near::{Copy as VectorCopy, Thresholds, Verdict, decide};
pub use post::{Evidence, Post, PostCursor, PostQuery, PostSort};
pub use posts::{
    EvidencePage, PostChange, PostPage, change_post, evidence, evidence_of_call, evidence_one, merge,
    new_since, post, post_counts, posts, review, split, trend,
};
pub use settings::{Settings, change_settings, settings};
