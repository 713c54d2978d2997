//! The pages that a person sees: the consent page and error pages. Plain HTML with real forms.
//! Knows nothing of tokens.

use crate::asked::Parameters;
use crate::world::World;

/// The consent page: scopes, a choice of company, two buttons.
pub(crate) fn page(world: &World, client: &str, scopes: &[String], parameters: &Parameters) -> String {
    let mut hidden = String::new();
    for (name, value) in parameters.all() {
        if name != "company" && name != "decision" {
            let (name, value) = (escape(name), escape(value));
            hidden.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n"));
        }
    }
    let scopes: String =
        scopes.iter().map(|scope| format!("<li><code>{}</code></li>\n", escape(scope))).collect();
    let companies: String = world
        .companies
        .iter()
        .map(|company| format!("<option value=\"{}\">{}</option>\n", company.id, escape(&company.name)))
        .collect();
    let client = escape(client);
    frame(
        "Authorize an app",
        &format!(
            "<p>The app <strong>{client}</strong> asks for access to your company's data:</p>\n<ul>\n{scopes}</ul>\n\
             <form method=\"post\" action=\"/oauth2/authorize/decide\">\n{hidden}\
             <p><label for=\"company\">Company</label>\n<select id=\"company\" name=\"company\">\n{companies}</select></p>\n\
             <p><button id=\"approve\" name=\"decision\" value=\"approve\">Approve</button>\n\
             <button id=\"deny\" name=\"decision\" value=\"deny\">Deny</button></p>\n</form>"
        ),
    )
}

/// A page that says what is wrong; the browser is not sent back.
pub(crate) fn failure(title: &str, words: &str) -> String {
    frame(title, &format!("<p>{}</p>", escape(words)))
}

fn frame(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} - simulated Gong</title>\n\
         <style>body{{font-family:sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}}\
         button{{padding:.6rem 1.2rem;margin-right:.5rem}}</style></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n<p><small>This is a simulator, not Gong.</small></p>\n</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
