//! Qdrant's REST API, as far as vectors with an owner are put, found, listed and deleted. Everything is waited for, and every search
//! is exact.

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Embedding, Endpoint, ModelError, Usage};

/// The field of a point that says whose it is; it stands in the filter of everything that is asked.
const OWNER: &str = "organization_id";
/// The field of a point that says of which change it is.
const MARK: &str = "changed";
/// Ids that are listed at once.
const PAGE: usize = 10_000;

/// A Qdrant server.
#[derive(Debug, Clone)]
pub struct Qdrant {
    endpoint: Endpoint,
}

/// A vector as it is put there.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// A UUID.
    pub id: String,
    /// The vector.
    pub vector: Embedding,
    /// Of which change it is.
    pub mark: i64,
}

#[derive(Deserialize)]
struct Done<R> {
    result: R,
}

#[derive(Deserialize)]
struct Found {
    points: Vec<Listed>,
    #[serde(default)]
    next_page_offset: Value,
}

#[derive(Deserialize)]
struct Listed {
    id: Value,
    #[serde(default)]
    payload: Value,
}

impl Listed {
    fn id(&self) -> Result<String, ModelError> {
        let id = self.id.as_str().map(str::to_owned).or_else(|| self.id.as_u64().map(|id| id.to_string()));
        id.ok_or(ModelError::Unreadable { why: "a point has no id", usage: Usage::default() })
    }
}

impl Qdrant {
    /// A server at an address without a path of its own: `http://qdrant:6333`.
    pub const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    async fn send<R: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<R, ModelError> {
        let dress =
            |request: RequestBuilder| self.endpoint.with_key(request.query(&[("wait", "true")]), "api-key");
        let done: Done<R> = self.endpoint.send(method, path, body, dress).await?;
        Ok(done.result)
    }

    /// Makes a collection for vectors of a width; one that is there stays as it is.
    ///
    /// # Errors
    /// [`ModelError`].
    pub async fn create(&self, collection: &str, width: usize) -> Result<(), ModelError> {
        let path = format!("collections/{collection}");
        let vectors = json!({"vectors": {"size": width, "distance": "Cosine"}});
        match self.send::<Value>(Method::PUT, &path, &vectors).await {
            Ok(_) | Err(ModelError::BadRequest { status: 409, .. }) => {}
            Err(error) => return Err(error),
        }
        let index = json!({"field_name": OWNER, "field_schema": {"type": "keyword", "is_tenant": true}});
        self.send::<Value>(Method::PUT, &format!("{path}/index"), &index).await?;
        Ok(())
    }

    /// Puts points of an owner, each in the place of the last one with its id.
    ///
    /// # Errors
    /// [`ModelError`]; a collection that is not there is a `BadRequest` with status 404.
    pub async fn put(&self, collection: &str, owner: &str, points: &[Point]) -> Result<(), ModelError> {
        let point = |point: &Point| {
            let payload = json!({OWNER: owner, MARK: point.mark});
            json!({"id": point.id, "vector": point.vector, "payload": payload})
        };
        let body = json!({"points": points.iter().map(point).collect::<Vec<_>>()});
        self.send::<Value>(Method::PUT, &format!("collections/{collection}/points"), &body).await?;
        Ok(())
    }

    /// Deletes points of an owner; those that are gone are no mistake.
    ///
    /// # Errors
    /// As [`Qdrant::put`].
    pub async fn delete(&self, collection: &str, owner: &str, ids: &[String]) -> Result<(), ModelError> {
        let those = json!({"must": [of(owner), {"has_id": ids}]});
        let path = format!("collections/{collection}/points/delete");
        self.send::<Value>(Method::POST, &path, &json!({"filter": those})).await?;
        Ok(())
    }

    /// The ids and marks of an owner's points.
    ///
    /// # Errors
    /// As [`Qdrant::put`].
    pub async fn marks(&self, collection: &str, owner: &str) -> Result<Vec<(String, i64)>, ModelError> {
        let path = format!("collections/{collection}/points/scroll");
        let (mut all, mut offset) = (Vec::new(), Value::Null);
        loop {
            let body = json!({"filter": {"must": [of(owner)]}, "limit": PAGE, "offset": offset,
                "with_payload": [MARK], "with_vector": false});
            let found: Found = self.send(Method::POST, &path, &body).await?;
            for point in &found.points {
                all.push((point.id()?, point.payload[MARK].as_i64().unwrap_or(-1)));
            }
            if found.next_page_offset.is_null() || found.points.is_empty() {
                return Ok(all);
            }
            offset = found.next_page_offset;
        }
    }

    /// The ids of an owner's points that a vector is most like, the likest first.
    ///
    /// # Errors
    /// As [`Qdrant::put`].
    pub async fn nearest(
        &self,
        collection: &str,
        owner: &str,
        vector: &Embedding,
        most: usize,
    ) -> Result<Vec<String>, ModelError> {
        let body = json!({"query": vector, "filter": {"must": [of(owner)]}, "params": {"exact": true}, "limit": most,
            "with_payload": false});
        let path = format!("collections/{collection}/points/query");
        let found: Found = self.send(Method::POST, &path, &body).await?;
        found.points.iter().map(Listed::id).collect()
    }
}

fn of(owner: &str) -> Value {
    json!({"key": OWNER, "match": {"value": owner}})
}
