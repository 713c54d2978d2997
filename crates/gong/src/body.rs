//! Reading an answer up to a limit. Knows bytes; must never know what they mean.

use std::io::ErrorKind;

use reqwest::Response;

use crate::{GongError, TransportKind};

/// The most that one page of JSON may have.
pub(crate) const MOST_PAGE: usize = 32 * 1024 * 1024;
/// The most that is read of an error.
pub(crate) const MOST_ERROR: usize = 64 * 1024;

/// The whole body, or an error when it has more than `most` bytes.
pub(crate) async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, GongError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > most {
            return Err(GongError::TooLarge { request_id: None });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// As much of an error's body as there is, at most [`MOST_ERROR`] bytes; what does not arrive is not missed.
pub(crate) async fn read_start(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MOST_ERROR - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// What a failure while reading means. Everything that goes wrong with a body is a "decode" error to reqwest, so the causes have
/// to be asked which of them is about the bytes themselves.
pub(crate) fn broken(error: &reqwest::Error) -> GongError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(io, Some(ErrorKind::InvalidData | ErrorKind::InvalidInput)) {
            return GongError::Malformed { why: "its compression is broken", request_id: None };
        }
        cause = inner.source();
    }
    GongError::Transport { kind: TransportKind::from(error) }
}
