//! `POST /v2/calls/transcript`: monologues of calls, written piece by piece while they are sent.
//! Knows nothing of privacy: like Gong it gives out what it is asked for, and remembers that it was asked.

use super::filter::Filter;
use super::{Found, Query, Trouble, walk};
use crate::model::Call;
use crate::reply::Piece;
use crate::talk::write_text;
use crate::world::World;

pub(super) fn list(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let (filter, _) = Filter::of_body(world, query)?;
    if let Some(ids) = &filter.ids {
        world.memory.asked(query.company, ids);
    }
    let now = world.now();
    let company = world.companies.get(query.company.0).ok_or_else(Trouble::empty)?;
    let when = (Call::started as walk::TimeOf, Call::transcribed_at as fn(&Call, _) -> bool);
    let page = walk::page(company, &world.switches, &filter, now, when)?;
    let mut pieces = Vec::with_capacity(page.rows.len() * 2 + 1);
    let mut text = Vec::new();
    text.extend_from_slice(b"{\"requestId\":");
    write_text(Some(query.request_id), &mut text);
    text.extend_from_slice(b",\"records\":");
    text.extend_from_slice(page.records.to_string().as_bytes());
    text.extend_from_slice(b",\"callTranscripts\":[");
    for (index, call) in page.rows.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b"{\"callId\":" } else { b"},{\"callId\":" });
        write_text(Some(&call.id), &mut text);
        if call.spoilt {
            text.extend_from_slice(b",\"note\":\"\xff\"");
        }
        text.extend_from_slice(b",\"transcript\":");
        pieces.push(Piece::Ready(std::mem::take(&mut text)));
        pieces.push(Piece::Talk(call.talk.clone()));
    }
    pieces.push(Piece::Ready(b"}]}".to_vec()));
    let served: Vec<String> = page.rows.iter().map(|call| call.id.clone()).collect();
    world.memory.served(query.company, served.into_iter(), filter.ids.is_some());
    Ok(Found::Pieces(pieces))
}
