//! Stories of polls, backfills, transcripts, privacy and jobs.
