//! The owner of an organization, at a browser without a screen.

use serde_json::{Value, json};

use super::say;
use crate::fault::Fault;
use crate::http::Client;

/// Somebody who is logged in.
pub(crate) struct Visitor {
    client: Client,
    url: String,
}

impl Visitor {
    /// Logs in over HTTP.
    pub(crate) fn log_in(url: &str, email: &str, password: &str) -> Result<Self, Fault> {
        let mut client = Client::default();
        let words = json!({ "email": email, "password": password });
        client.post(&format!("{url}/api/v1/session"), &words)?.good("logging in")?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// The browser itself, with the session's cookie.
    pub(crate) fn into_client(self) -> Client {
        self.client
    }

    /// What the API says about the connection to Gong.
    pub(crate) fn connection(&mut self) -> Result<Value, Fault> {
        self.get("/api/v1/integrations/gong")
    }

    /// Any `GET` of the JSON API.
    pub(crate) fn get(&mut self, path: &str) -> Result<Value, Fault> {
        Ok(self.client.get(&format!("{}{path}", self.url))?.good(path)?.json())
    }

    /// Any other request of the JSON API; what it answers.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Fault> {
        let answer = self.client.send(method, &format!("{}{path}", self.url), body)?;
        Ok(answer.good(path)?.json())
    }

    /// Connects Gong through the real redirects, unless it is connected; whether it did.
    pub(crate) fn connect(&mut self) -> Result<bool, Fault> {
        let before = self.connection()?;
        let status = before["status"].as_str().unwrap_or("never_connected").to_owned();
        if matches!(status.as_str(), "connected" | "paused") {
            say(&format!("Gong is {status} since the earlier start; nothing to approve"));
            return Ok(false);
        }
        say("connecting Gong: consent page, approval, callback");
        self.connect_quietly()?;
        Ok(true)
    }

    /// Connects Gong through the real redirects and says nothing about it.
    pub(crate) fn connect_quietly(&mut self) -> Result<(), Fault> {
        let path = format!("{}/api/v1/integrations/gong/connect", self.url);
        let answer =
            self.client.post(&path, &json!({ "history_days": 60 }))?.good("asking to connect Gong")?;
        let consent = answer.json()["authorize_url"].as_str().unwrap_or_default().to_owned();
        let (landed, page) = self.client.follow(&consent)?;
        if page.status >= 400 || !landed.starts_with(&self.url) {
            let address = landed.split('?').next().unwrap_or_default();
            return Err(Fault::new(format!(
                "connecting Gong ended at {address} with status {}",
                page.status
            )));
        }
        let after = self.connection()?;
        match after["status"].as_str() {
            Some("connected") => Ok(()),
            other => {
                Err(Fault::new(format!("Gong is {} after the approval", other.unwrap_or("without a status"))))
            }
        }
    }

    /// Every call that the API lists, page after page.
    pub(crate) fn calls(&mut self) -> Result<Vec<Value>, Fault> {
        let mut calls = Vec::new();
        let mut path = "/api/v1/calls?limit=100".to_owned();
        loop {
            let page = self.get(&path)?;
            let items = ["calls", "items", "data"].iter().find_map(|name| page[*name].as_array());
            calls.extend(items.into_iter().flatten().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/v1/calls?limit=100&cursor={cursor}"),
                None => return Ok(calls),
            }
        }
    }
}
