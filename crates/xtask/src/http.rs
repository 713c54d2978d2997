//! A client for plain HTTP on this machine, with cookies: enough to walk through our own pages and the simulator's.
//! Knows no TLS, no proxies and no other machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::fault::{Doing, Fault};

/// The most that an answer may hold.
const LARGEST: u64 = 64 << 20;

/// What a server answered.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Fails on anything but 2xx, with what the answer says about it.
    pub(crate) fn good(self, doing: &str) -> Result<Self, Fault> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let text: String = String::from_utf8_lossy(&self.body).chars().take(400).collect();
        Err(Fault::new(format!("{doing}: status {}: {}", self.status, text.trim())))
    }
}

/// A browser of sorts: keeps cookies by host, says where it comes from, follows nothing by itself.
#[derive(Default, Clone)]
pub(crate) struct Client {
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Client {
    /// With a cookie of this host.
    pub(crate) fn with_cookie(host: &str, name: &str, value: &str) -> Self {
        let jar = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Self { cookies: BTreeMap::from([(host.to_owned(), jar)]) }
    }

    /// `GET url`.
    pub(crate) fn get(&mut self, url: &str) -> Result<Answer, Fault> {
        self.send("GET", url, None)
    }

    /// `POST url` with a JSON body.
    pub(crate) fn post(&mut self, url: &str, body: &Value) -> Result<Answer, Fault> {
        self.send("POST", url, Some(body))
    }

    /// Gets `url` and what it redirects to, ten steps at most; the answer that is no redirect, with its address.
    pub(crate) fn follow(&mut self, url: &str) -> Result<(String, Answer), Fault> {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let answer = self.get(&url)?;
            match answer.header("location") {
                Some(location) if (300..400).contains(&answer.status) => url = resolve(&url, location)?,
                _ => return Ok((url, answer)),
            }
        }
        Err(Fault::new(format!("more than ten redirects, the last to {}", without_query(&url))))
    }

    /// A request with any method.
    pub(crate) fn send(&mut self, method: &str, url: &str, body: Option<&Value>) -> Result<Answer, Fault> {
        let doing = || format!("{method} {}", without_query(url));
        let body = body.map(Value::to_string).unwrap_or_default();
        let (address, mut head) = self.head(method, url)?;
        if method != "GET" {
            let _ = write!(head, "content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        let mut stream = TcpStream::connect(&address).doing(doing())?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).doing(doing())?;
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).doing(doing())?;
        let mut bytes = Vec::new();
        stream.take(LARGEST).read_to_end(&mut bytes).doing(doing())?;
        let answer = parse(&bytes).ok_or_else(|| Fault::new(format!("{}: not an HTTP answer", doing())))?;
        self.remember(address_host(&address), &answer);
        Ok(answer)
    }

    /// Where a request goes, and its head without the empty line at the end: for whoever reads the answer himself.
    pub(crate) fn head(&self, method: &str, url: &str) -> Result<(String, String), Fault> {
        let (authority, path) = split(url)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
        head.push_str("accept: application/json, text/html\r\nuser-agent: soundpost-xtask\r\n");
        if method != "GET" {
            let _ = write!(head, "origin: http://{authority}\r\nsec-fetch-site: same-origin\r\n");
        }
        if method == "PATCH" {
            // Whatever there is now is what we mean to change: nobody else is here.
            head.push_str("if-match: *\r\n");
        }
        let cookies = self.cookies.get(address_host(authority)).filter(|cookies| !cookies.is_empty());
        if let Some(cookies) = cookies {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let _ = write!(head, "cookie: {}\r\n", pairs.join("; "));
        }
        let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Ok((address, head))
    }

    fn remember(&mut self, host: &str, answer: &Answer) {
        let jar = self.cookies.entry(host.to_owned()).or_default();
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let gone = value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            if gone {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// An address without its port.
fn address_host(authority: &str) -> &str {
    authority.split(':').next().unwrap_or(authority)
}

/// `http://authority/path?query` as authority and path with query.
fn split(url: &str) -> Result<(&str, &str), Fault> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| Fault::new(format!("{} is not an http address", without_query(url))))?;
    let rest = rest.split('#').next().unwrap_or(rest);
    Ok(match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => rest.split_at(at),
        _ => (rest, "/"),
    })
}

fn resolve(base: &str, location: &str) -> Result<String, Fault> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    let (authority, path) = split(base)?;
    if location.starts_with('/') {
        return Ok(format!("http://{authority}{location}"));
    }
    let path = path.split('?').next().unwrap_or(path);
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    Ok(format!("http://{authority}{folder}{location}"))
}

/// An address that is fit for a message: codes and states stay out.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let raw = &bytes[end + 4..];
    let chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
    let body = if chunked { join_chunks(raw)? } else { raw.to_vec() };
    Some(Answer { status, headers, body })
}

fn join_chunks(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&raw[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(raw.get(end + 2..end + 2 + size)?);
        raw = raw.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, parse, resolve, split};

    #[test]
    fn addresses_are_split_and_resolved() {
        assert_eq!(split("http://127.0.0.1:80/a?b=c#d").unwrap(), ("127.0.0.1:80", "/a?b=c"));
        assert_eq!(split("http://localhost").unwrap(), ("localhost", "/"));
        assert!(split("https://localhost/").is_err());
        assert_eq!(resolve("http://a:1/x/y?z", "/w").unwrap(), "http://a:1/w");
        assert_eq!(resolve("http://a:1/x/y?z", "w").unwrap(), "http://a:1/x/w");
        assert_eq!(resolve("http://a:1/x", "http://b/").unwrap(), "http://b/");
    }

    #[test]
    fn chunks_are_joined_and_a_torn_answer_is_none() {
        let answer =
            parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
        assert_eq!(answer.unwrap().body, b"abcde");
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab").is_none());
        assert!(parse(b"nonsense").is_none());
    }

    #[test]
    fn cookies_are_kept_by_host_and_forgotten_when_they_end() {
        let mut client = Client::default();
        let set = parse(b"HTTP/1.1 204 x\r\nset-cookie: id=1; Path=/\r\nset-cookie: flow=2\r\n\r\n").unwrap();
        client.remember("here", &set);
        assert_eq!(client.cookies["here"].len(), 2);
        let unset = parse(b"HTTP/1.1 204 x\r\nset-cookie: flow=x; Max-Age=0\r\n\r\n").unwrap();
        client.remember("here", &unset);
        assert_eq!(client.cookies["here"].keys().collect::<Vec<_>>(), ["id"]);
    }
}
