//! The models that this installation has, and the engine that is built of them.

use std::{path::PathBuf, sync::Arc};

use feedback::{Analyzer, BasicAnalyzer, Engine, LanguageAnalyzer, Thresholds};
use kernel::{SecretString, SharedAmbient};
use models::{
    Anthropic, Embedder, Endpoint, LanguageModel, MiniLm, ModelId, OpenAi, OpenAiEmbeddings, Price, Qdrant,
    Voyage, list_price,
};
use url::Url;
use web::FeedbackOffers;

use crate::{
    exit::{Doing, Exit},
    variables::Variables,
};

/// Who speaks to a provider.
const USER_AGENT: &str = concat!("Soundpost/", env!("CARGO_PKG_VERSION"));

/// What makes feedback of calls. Without the folder of the local model there is none: it screens what a language model reads.
#[derive(Debug)]
pub(crate) struct Minds {
    folder: PathBuf,
    language: Option<Remote>,
    price: Option<Price>,
    embeddings: Option<Remote>,
    qdrant: Option<(Url, Option<SecretString>)>,
}

/// A model of a provider.
#[derive(Debug)]
struct Remote {
    provider: Provider,
    model: String,
    url: Url,
    key: Option<SecretString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Anthropic,
    OpenAi,
    Voyage,
}

impl Provider {
    const fn word(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Voyage => "voyage",
        }
    }

    const fn url(self) -> &'static str {
        match self {
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Voyage => "https://api.voyageai.com/v1",
        }
    }
}

/// Reads the settings of models; nothing when no folder is set.
pub(crate) fn read(v: &mut Variables) -> Option<Minds> {
    let folder = v.text("SOUNDPOST_MODEL_DIR").map(PathBuf::from);
    let language = remote(
        v,
        ["SOUNDPOST_LANGUAGE_MODEL", "SOUNDPOST_LANGUAGE_URL", "SOUNDPOST_LANGUAGE_KEY"],
        &[("anthropic", Provider::Anthropic), ("openai", Provider::OpenAi)],
    );
    let embeddings = remote(
        v,
        ["SOUNDPOST_EMBEDDINGS", "SOUNDPOST_EMBEDDINGS_URL", "SOUNDPOST_EMBEDDINGS_KEY"],
        &[("voyage", Provider::Voyage), ("openai", Provider::OpenAi)],
    );
    let known = language.as_ref().and_then(|language| list_price(&language.model));
    let fix = "must be dollars for a million tokens read and written, for instance 3/15";
    let price = v.read("SOUNDPOST_LANGUAGE_PRICE", known, |text| Some(Some(price(text)?)), fix);
    let qdrant = qdrant(v);
    let Some(folder) = folder else {
        if language.is_some() || embeddings.is_some() {
            let fault = "SOUNDPOST_MODEL_DIR is not set: the local model screens what other models read; `cargo xtask model` fetches it";
            v.faults.push(fault.into());
        }
        return None;
    };
    if !folder.join("model.safetensors").is_file() {
        let fix = "holds no model.safetensors; `cargo xtask model` fetches the model and says where it is";
        v.faults.push(format!("SOUNDPOST_MODEL_DIR {fix}"));
    }
    Some(Minds { folder, language, price, embeddings, qdrant })
}

fn price(text: &str) -> Option<Price> {
    let (input, output) = text.split_once('/')?;
    let dollars = |text: &str| text.trim().parse().ok().filter(|n: &f64| (0.0..=10_000.0).contains(n));
    Some(Price { input: dollars(input)?, output: dollars(output)? })
}

/// Where vectors are kept besides the database.
fn qdrant(v: &mut Variables) -> Option<(Url, Option<SecretString>)> {
    const NAME: &str = "SOUNDPOST_QDRANT_URL";
    let key = v.text("SOUNDPOST_QDRANT_KEY").map(|text| SecretString::from(text.to_owned()));
    let Some(given) = v.text(NAME).map(str::to_owned) else {
        if key.is_some() {
            v.faults.push(format!("SOUNDPOST_QDRANT_KEY is set, but {NAME} is not"));
        }
        return None;
    };
    // A key is worth protecting on its way; a server without one stands in a network of its own.
    let is_fit = |at: &Url| {
        at.scheme() == "https" || at.scheme() == "http" && (key.is_none() || crate::settings::is_loopback(at))
    };
    let Some(at) = Url::parse(&given).ok().filter(is_fit) else {
        v.faults
            .push(format!("{NAME} must be an https URL (http on this machine, or where there is no key)"));
        return None;
    };
    Some((at, key))
}

/// `provider/model`, and where it is reached with which key.
fn remote(
    v: &mut Variables,
    [name, url, key]: [&'static str; 3],
    known: &[(&str, Provider)],
) -> Option<Remote> {
    let (given, of_url) = (v.text(name).map(str::to_owned), v.text(url).map(str::to_owned));
    let secret = v.text(key).map(|text| SecretString::from(text.to_owned()));
    let Some(given) = given.filter(|given| given != "local") else {
        for lonely in [of_url.map(|_| url), secret.map(|_| key)].into_iter().flatten() {
            v.faults.push(format!("{lonely} is set, but {name} is not"));
        }
        return None;
    };
    let parts = given.split_once('/').filter(|(_, model)| !model.is_empty());
    let found = parts.and_then(|(of, model)| Some((known.iter().find(|(word, _)| *word == of)?.1, model)));
    let Some((provider, model)) = found else {
        let words: Vec<String> = known.iter().map(|(word, _)| format!("{word}/MODEL")).collect();
        v.faults.push(format!("{name} must be {}", words.join(" or ")));
        return None;
    };
    let at = of_url.unwrap_or_else(|| provider.url().to_owned());
    let at = Url::parse(&at).ok().filter(|at| at.scheme() == "https" || crate::settings::is_loopback(at));
    let Some(at) = at else {
        v.faults.push(format!("{url} must be an https URL (http only on this machine)"));
        return None;
    };
    if secret.is_none() && !crate::settings::is_loopback(&at) {
        v.faults.push(format!("{key} is not set: the provider shows it once, when it is made"));
    }
    Some(Remote { provider, model: model.to_owned(), url: at, key: secret })
}

impl Minds {
    /// What organizations can choose, as the pages say it.
    pub(crate) fn offers(&self) -> FeedbackOffers {
        let likeness = self.embeddings.as_ref().map_or_else(
            || ModelId::new("local", "all-MiniLM-L6-v2"),
            |remote| ModelId::new(remote.provider.word(), &remote.model),
        );
        FeedbackOffers {
            local: true,
            language_model: self.language.as_ref().map(|language| language.model.clone()),
            thresholds: Thresholds::of(&likeness),
        }
    }

    /// Reads the local model (a third of a second, 100 MB) and sets up the others. Asks nobody anything yet.
    pub(crate) fn engine(&self, ambient: &SharedAmbient) -> Result<Arc<Engine>, Exit> {
        let local: Arc<dyn Embedder> =
            Arc::new(MiniLm::open(&self.folder).doing("reading SOUNDPOST_MODEL_DIR")?);
        let basic: Arc<dyn Analyzer> = Arc::new(BasicAnalyzer::new(local.clone()));
        let embedder = match &self.embeddings {
            None => local,
            Some(remote) => {
                let (endpoint, model) = (remote.endpoint(ambient)?, remote.model.clone());
                match remote.provider {
                    Provider::Voyage => Arc::new(Voyage::new(endpoint, &model)) as Arc<dyn Embedder>,
                    _ => Arc::new(OpenAiEmbeddings::new(endpoint, &model)),
                }
            }
        };
        let model = self.language.as_ref().map(|remote| {
            let (endpoint, model) = (remote.endpoint(ambient)?, remote.model.clone());
            let model: Arc<dyn LanguageModel> = match remote.provider {
                Provider::Anthropic => Arc::new(Anthropic::new(endpoint, model)),
                _ => Arc::new(OpenAi::new(endpoint, model)),
            };
            let analyzer: Arc<dyn Analyzer> = Arc::new(LanguageAnalyzer::new(basic.clone(), model));
            Ok::<_, Exit>((analyzer, self.price))
        });
        let engine = Engine::new(embedder, basic, model.transpose()?, ambient.clone());
        let Some((url, key)) = &self.qdrant else { return Ok(Arc::new(engine)) };
        let endpoint = Endpoint::new(url.clone(), key.clone(), USER_AGENT, ambient.clone())
            .doing("setting up the client for Qdrant")?;
        Ok(Arc::new(engine.with_index(Qdrant::new(endpoint))))
    }
}

impl Remote {
    fn endpoint(&self, ambient: &SharedAmbient) -> Result<Endpoint, Exit> {
        Endpoint::new(self.url.clone(), self.key.clone(), USER_AGENT, ambient.clone())
            .doing("setting up the client for models")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: &[(&str, &str)]) -> (bool, Vec<String>) {
        let all = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut variables = Variables::of(all);
        let minds = read(&mut variables);
        (minds.is_some(), variables.faults)
    }

    #[test]
    fn without_a_folder_there_is_no_mind_and_no_fault() {
        assert_eq!(faults(&[]), (false, vec![]));
    }

    #[test]
    fn every_wrong_setting_is_named_with_its_fix() {
        let all = [
            (
                &[("SOUNDPOST_LANGUAGE_MODEL", "claude")][..],
                "SOUNDPOST_LANGUAGE_MODEL must be anthropic/MODEL or openai/MODEL",
            ),
            (
                &[("SOUNDPOST_LANGUAGE_MODEL", "openai/x"), ("SOUNDPOST_LANGUAGE_KEY", "k")],
                "SOUNDPOST_MODEL_DIR is not set",
            ),
            (&[("SOUNDPOST_LANGUAGE_MODEL", "openai/x")], "SOUNDPOST_LANGUAGE_KEY is not set"),
            (
                &[
                    ("SOUNDPOST_EMBEDDINGS", "voyage/x"),
                    ("SOUNDPOST_EMBEDDINGS_KEY", "k"),
                    ("SOUNDPOST_EMBEDDINGS_URL", "http://x.example"),
                ],
                "SOUNDPOST_EMBEDDINGS_URL must be an https URL",
            ),
            (
                &[("SOUNDPOST_LANGUAGE_KEY", "sk-secret")],
                "SOUNDPOST_LANGUAGE_KEY is set, but SOUNDPOST_LANGUAGE_MODEL is not",
            ),
            (
                &[("SOUNDPOST_QDRANT_URL", "http://q.example"), ("SOUNDPOST_QDRANT_KEY", "sk-secret")],
                "SOUNDPOST_QDRANT_URL must be an https URL",
            ),
            (
                &[("SOUNDPOST_QDRANT_KEY", "sk-secret")],
                "SOUNDPOST_QDRANT_KEY is set, but SOUNDPOST_QDRANT_URL is not",
            ),
            (&[("SOUNDPOST_LANGUAGE_PRICE", "cheap")], "SOUNDPOST_LANGUAGE_PRICE must be dollars"),
            (&[("SOUNDPOST_MODEL_DIR", "/nowhere")], "SOUNDPOST_MODEL_DIR holds no model.safetensors"),
        ];
        for (pairs, wanted) in all {
            let (_, found) = faults(pairs);
            assert!(found.iter().any(|fault| fault.starts_with(wanted)), "{wanted}: {found:?}");
            assert!(found.iter().all(|fault| !fault.contains("sk-secret")));
        }
    }

    #[test]
    fn a_server_of_ones_own_needs_no_key_and_a_price_may_be_told() {
        let pairs = [
            ("SOUNDPOST_LANGUAGE_MODEL", "openai/llama"),
            ("SOUNDPOST_LANGUAGE_URL", "http://127.0.0.1:9/v1"),
            ("SOUNDPOST_LANGUAGE_PRICE", "0.5/1"),
        ];
        let mut variables = Variables::of(pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())));
        read(&mut variables);
        assert_eq!(variables.faults.len(), 1, "only the folder is missing: {:?}", variables.faults);
        assert_eq!(price("0.5/1"), Some(Price { input: 0.5, output: 1.0 }));
    }
}
