//! Questions and answers in both forms.

use serde_json::json;

use crate::{ask, both, sim};

#[tokio::test]
async fn both_forms_bring_the_structured_answer_and_what_it_used() {
    let sim = sim().await;
    let mut usages = Vec::new();
    for (model, endpoint) in both(&sim) {
        let answer = model.ask(&ask("We need a dark mode.")).await.unwrap();
        assert_eq!(
            answer.value,
            json!({"items": [{"title": "Add a dark mode", "quotes": ["We need a dark mode."]}]})
        );
        usages.push(answer.usage);
        let asked = sim.requests().pop().unwrap();
        assert_eq!((asked.endpoint, asked.status), (endpoint, Some(200)));
        assert_eq!(asked.body["model"], model.model());
        assert_eq!(asked.body["max_tokens"], 1_000);
        assert!(asked.user().ends_with("CUSTOMER 1: We need a dark mode.\n</transcript>"));
    }
    assert_eq!(usages[0], usages[1], "the same question and answer, counted alike");
    assert!(usages[0].input > 50 && usages[0].output > 10, "{usages:?}");
}

#[tokio::test]
async fn a_schema_that_is_not_strict_is_our_mistake() {
    let sim = sim().await;
    let (model, _) = &both(&sim)[1];
    let mut loose = ask("We need a dark mode.");
    loose.schema["additionalProperties"] = json!(true);
    assert_eq!(model.ask(&loose).await.unwrap_err().code(), "model_bad_request");
}

#[tokio::test]
async fn a_server_of_ones_own_needs_no_key() {
    let sim = model_sim::Sim::start(model_sim::Config::default()).await.unwrap();
    let base = format!("{}/", sim.base()).parse().unwrap();
    let endpoint = models::Endpoint::new(base, None, "test", std::sync::Arc::new(crate::Steady)).unwrap();
    let model = models::OpenAi::new(endpoint, "llama".into());
    assert!(models::LanguageModel::ask(&model, &ask("Hello.")).await.is_ok());
    let asked = sim.requests().pop().unwrap();
    assert_eq!((asked.path.as_str(), asked.headers.get("authorization")), ("/v1/chat/completions", None));
}

#[tokio::test]
async fn a_newer_model_that_refuses_older_parameters_is_understood_after_its_first_refusal() {
    let sim = sim().await;
    sim.adjust(|switches| switches.newest = true);
    for ((model, endpoint), refusals) in both(&sim).into_iter().zip([1, 2]) {
        sim.clear();
        for asks in 1..=2 {
            assert!(model.ask(&ask("We need a dark mode.")).await.is_ok());
            assert_eq!(sim.asked(endpoint), refusals + asks, "learnt once");
        }
        let asked = sim.requests().pop().unwrap().body;
        assert!(asked.get("temperature").is_none());
        let limits = (&asked["max_tokens"], &asked["max_completion_tokens"]);
        match endpoint {
            model_sim::Endpoint::Messages => assert_eq!(limits, (&json!(1_000), &json!(null))),
            _ => assert_eq!(limits, (&json!(null), &json!(4_000)), "with room to think"),
        }
    }
    // An older one goes on being asked for the same answer to the same question.
    sim.adjust(|switches| switches.newest = false);
    let (older, _) = &both(&sim)[1];
    assert!(older.ask(&ask("Hello.")).await.is_ok());
    assert_eq!(sim.requests().pop().unwrap().body["temperature"], 0);
}
