//! The two wire formats of language models: Anthropic's Messages and OpenAI's chat completions. Knows nothing of sockets.

use serde_json::{Value, json};

use crate::{
    reader,
    reply::Reply,
    schema,
    serve::failure,
    wish::{self, Wish},
    world::{Request, Switches, Trouble},
};

/// An error in Anthropic's form.
pub(crate) fn messages_failure(status: u16, text: &str) -> Reply {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    Reply::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_sim"}),
    )
}

/// An error in OpenAI's form.
pub(crate) fn completions_failure(status: u16, text: &str) -> Reply {
    let kind = match status {
        401 => "invalid_request_error",
        429 => "requests",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    Reply::json(status, &json!({"error": {"message": text, "type": kind, "param": null, "code": null}}))
}

/// An error in OpenAI's form that names the parameter.
fn blaming(parameter: &str, text: &str) -> Reply {
    let error = json!({"message": text, "type": "invalid_request_error", "param": parameter, "code": "unsupported_parameter"});
    Reply::json(400, &json!({ "error": error }))
}

/// What a question asks for, whatever its form.
struct Question<'a> {
    system: &'a str,
    user: &'a str,
    schema: &'a Value,
    most_tokens: u64,
}

/// What the model says.
struct Said {
    value: Value,
    read: u64,
    written: u64,
    is_cut: bool,
}

pub(crate) fn messages(switches: &Switches, request: &Request) -> Reply {
    let body = &request.body;
    let bad = |text: &str| failure(request, 400, text);
    if request.method != "POST" {
        return failure(request, 405, "Method Not Allowed");
    }
    if !request.headers.contains_key("anthropic-version") {
        return bad("anthropic-version: header is required");
    }
    let (Some(model), Some(most_tokens)) = (body["model"].as_str(), body["max_tokens"].as_u64()) else {
        return bad("model and max_tokens: Field required");
    };
    if switches.newest && !body["temperature"].is_null() {
        return bad("`temperature` is deprecated for this model.");
    }
    let Some(user) =
        body["messages"][0]["content"].as_str().filter(|_| body["messages"][0]["role"] == "user")
    else {
        return bad("messages: at least one message of the user is required");
    };
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(tool) =
        tools.iter().find(|tool| tool["name"] == body["tool_choice"]["name"] && tool["name"].is_string())
    else {
        return bad("tool_choice: the tool is not among the tools");
    };
    if tool["input_schema"]["type"] != "object" {
        return bad("tools.0.custom.input_schema.type: Field required");
    }
    let system = body["system"].as_str().unwrap_or_default();
    let question = Question { system, user, schema: &tool["input_schema"], most_tokens };
    let said = think(switches, request, &question);
    let content = match &request.trouble {
        Some(Trouble::Prose) => json!([{"type": "text", "text": PROSE}]),
        _ if said.is_cut => {
            json!([{"type": "tool_use", "id": "toolu_sim", "name": tool["name"], "input": {}}])
        }
        _ => json!([
            {"type": "text", "text": "Here is what I found."},
            {"type": "tool_use", "id": "toolu_sim", "name": tool["name"], "input": said.value},
        ]),
    };
    let stop = match (&request.trouble, said.is_cut) {
        (Some(Trouble::Prose), _) => "end_turn",
        (_, true) => "max_tokens",
        _ => "tool_use",
    };
    Reply::json(
        200,
        &json!({
            "id": format!("msg_sim_{}", request.sequence), "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": said.read, "output_tokens": said.written, "service_tier": "standard"},
        }),
    )
}

pub(crate) fn completions(switches: &Switches, request: &Request) -> Reply {
    let body = &request.body;
    let bad = |text: &str| failure(request, 400, text);
    if request.method != "POST" {
        return failure(request, 405, "Not allowed to use this method");
    }
    let Some(model) = body["model"].as_str() else { return bad("you must provide a model parameter") };
    if switches.newest {
        for (name, why) in [
            (
                "max_tokens",
                "parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            ),
            (
                "temperature",
                "value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
            ),
        ] {
            if !body[name].is_null() {
                return blaming(name, &format!("Unsupported {why}"));
            }
        }
    }
    let text_of = |role: &str| {
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        messages
            .iter()
            .find(|message| message["role"] == role)
            .and_then(|message| message["content"].as_str())
    };
    let Some(user) = text_of("user") else { return bad("Missing required parameter: 'messages'.") };
    let format = &body["response_format"];
    let (schema, name) = (&format["json_schema"]["schema"], format["json_schema"]["name"].as_str());
    let name_is_right = name.is_some_and(|name| {
        !name.is_empty()
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    });
    if format["type"] != "json_schema" || !schema.is_object() || !name_is_right {
        return bad("Missing required parameter: 'response_format.json_schema'.");
    }
    if format["json_schema"]["strict"] == json!(true)
        && let Some(why) = schema::refusal(schema, "()")
    {
        return bad(&format!("Invalid schema for response_format '{}': {why}", name.unwrap_or_default()));
    }
    let most = body["max_completion_tokens"].as_u64().or_else(|| body["max_tokens"].as_u64());
    let system = text_of("system").unwrap_or_default();
    let question = Question { system, user, schema, most_tokens: most.unwrap_or(16_384) };
    let said = think(switches, request, &question);
    let mut content = said.value.to_string();
    if said.is_cut {
        content.truncate(content.floor_char_boundary(content.len() / 2));
    }
    if request.trouble == Some(Trouble::Prose) {
        content = PROSE.into();
    }
    Reply::json(
        200,
        &json!({
            "id": format!("chatcmpl-sim-{}", request.sequence), "object": "chat.completion", "created": 1_750_000_000, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content, "refusal": null}, "logprobs": null,
                "finish_reason": if said.is_cut { "length" } else { "stop" }}],
            "usage": {"prompt_tokens": said.read, "completion_tokens": said.written, "total_tokens": said.read + said.written},
        }),
    )
}

const PROSE: &str =
    "Sure! Here is the feedback I found:\n- They want an export.\nLet me know if you need more.";

fn think(switches: &Switches, request: &Request, question: &Question<'_>) -> Said {
    let lines = reader::lines(question.user);
    let mut wishes = wish::all(&lines);
    if switches.gullible {
        wishes.extend(wish::obeyed(&lines));
    }
    if request.trouble == Some(Trouble::InventedQuote) {
        wishes.iter_mut().for_each(invent);
        if wishes.is_empty() {
            wishes.push(invented());
        }
    }
    let mut value = schema::fill(question.schema, &wishes);
    if request.trouble == Some(Trouble::WrongShape) {
        value = json!({"items": [{"title": ["no", "text"], "confidence": 0.9, "quotes": "one text"}], "note": "I did my best."});
    }
    let written = tokens(&value.to_string());
    let is_cut = request.trouble == Some(Trouble::Truncated) || written > question.most_tokens;
    let read = tokens(question.system) + tokens(question.user) + tokens(&question.schema.to_string());
    Said { value, read, written: written.min(question.most_tokens), is_cut }
}

fn invent(wish: &mut Wish) {
    wish.quotes = vec![format!("We would pay double for this: {}.", wish.title)];
}

fn invented() -> Wish {
    Wish {
        title: "Add an assistant that writes everything".into(),
        summary: "They want an assistant that writes everything.".into(),
        kind: "feature_request",
        sentiment: "positive",
        priority: "critical",
        area: "assistant".into(),
        quotes: vec!["I have always dreamt of an assistant that writes everything.".into()],
    }
}

/// About as many tokens as providers count.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}
