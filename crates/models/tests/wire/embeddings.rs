//! Vectors in both forms.

use model_sim::{Endpoint, Trouble};
use models::{Embedder, OpenAiEmbeddings, Voyage, cosine};

use crate::{KEY, endpoint, sim};

#[tokio::test]
async fn many_texts_come_back_in_order_and_alike_texts_are_alike() {
    let sim = sim().await;
    let texts: Vec<String> = (0..200)
        .map(|n| if n == 150 { "Export reports as PDF".into() } else { format!("wish{n} number{n}") })
        .collect();
    let openai = OpenAiEmbeddings::new(endpoint(&sim, KEY), "text-embedding-3-small");
    let voyage = Voyage::new(endpoint(&sim, KEY), "voyage-3.5");
    assert_eq!(
        (openai.model().as_str(), voyage.model().as_str()),
        ("openai/text-embedding-3-small", "voyage/voyage-3.5")
    );
    for embedder in [&openai as &dyn Embedder, &voyage] {
        sim.clear();
        let (vectors, usage) = embedder.embed(&texts).await.unwrap();
        assert_eq!((vectors.len(), sim.asked(Endpoint::Embeddings)), (200, 3), "96 texts in one request");
        let (one, _) = embedder.embed(&["Export the report as a PDF".into()]).await.unwrap();
        let likest =
            (0..200).max_by(|a, b| cosine(&vectors[*a], &one[0]).total_cmp(&cosine(&vectors[*b], &one[0])));
        assert_eq!(likest, Some(150));
        assert!((cosine(&one[0], &one[0]) - 1.0).abs() < 1e-5, "of length one");
        assert!(usage.input > 200 && usage.output == 0);
    }
}

#[tokio::test]
async fn nothing_to_embed_asks_nobody() {
    let sim = sim().await;
    let (vectors, _) = OpenAiEmbeddings::new(endpoint(&sim, KEY), "m").embed(&[]).await.unwrap();
    assert_eq!((vectors.len(), sim.asked(Endpoint::Embeddings)), (0, 0));
}

#[tokio::test]
async fn embeddings_are_tried_again_and_given_back_whole_or_not_at_all() {
    let sim = sim().await;
    let embedder = Voyage::new(endpoint(&sim, KEY), "voyage-3.5");
    sim.trouble(Endpoint::Embeddings, 2, Trouble::Overloaded);
    assert_eq!(embedder.embed(&["one".into()]).await.unwrap().0.len(), 1);
    sim.trouble(Endpoint::Embeddings, 1, Trouble::Html);
    assert_eq!(embedder.embed(&["one".into()]).await.unwrap_err().code(), "model_answer_unreadable");
}
