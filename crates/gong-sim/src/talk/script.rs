//! Performs a call: scenes of a topic, a rep opens, a customer tells, the rep answers.
//! The same script always gives the same words. Knows lines and speakers, nothing of calls.

use super::lines::{self, Topic};
use super::{lines_of_use, words};
use crate::chance::Chance;
use crate::model::{Monologue, Sentence};
use std::collections::HashMap;

/// What kind of call it is; decides which topics come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Discovery,
    Demo,
    Review,
    Support,
    Renewal,
    Onboarding,
}

impl Flavour {
    pub(crate) const ALL: [Self; 6] =
        [Self::Discovery, Self::Demo, Self::Review, Self::Support, Self::Renewal, Self::Onboarding];

    fn topics(self) -> &'static [&'static Topic] {
        use lines::{DEMO, PRICING, SCHEDULING};
        use lines_of_use::{ADOPTION, BUGS, INTEGRATIONS, PAIN, WISHES};
        match self {
            Self::Discovery => &[&PAIN, &PAIN, &WISHES, &INTEGRATIONS, &PRICING, &DEMO],
            Self::Demo => &[&DEMO, &WISHES, &DEMO, &INTEGRATIONS, &PRICING, &PAIN],
            Self::Review => &[&ADOPTION, &WISHES, &BUGS, &WISHES, &PAIN, &SCHEDULING],
            Self::Support => &[&BUGS, &BUGS, &WISHES, &INTEGRATIONS, &SCHEDULING],
            Self::Renewal => &[&ADOPTION, &PRICING, &WISHES, &PRICING, &BUGS, &SCHEDULING],
            Self::Onboarding => &[&SCHEDULING, &INTEGRATIONS, &DEMO, &WISHES, &PAIN],
        }
    }
}

/// One who may speak.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) id: Option<String>,
    pub(crate) internal: bool,
}

/// All that is needed to perform a call.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) sentences: usize,
    pub(crate) flavour: Flavour,
    pub(crate) speakers: Vec<Speaker>,
    pub(crate) account: String,
    pub(crate) product: String,
    /// One monologue in so many has a null speaker and topic; 0 = none.
    pub(crate) nameless: u64,
}

impl Script {
    /// Performs the call.
    pub(crate) fn perform(&self) -> Vec<Monologue> {
        let mut stage = Stage::new(self);
        let closing = (self.sentences / 12).clamp(1, 8);
        stage.scene(&lines::SMALL_TALK, 1);
        let topics = self.flavour.topics();
        let mut turn = 0;
        while stage.left > closing {
            let rounds = stage.chance.between(2, 4);
            if let Some(topic) = topics.get(turn % topics.len()) {
                stage.scene(topic, rounds);
            }
            turn += 1;
        }
        while stage.left > 0 {
            stage.scene(&lines_of_use::NEXT_STEPS, 1);
        }
        stage.out
    }
}

/// The state of a performance.
struct Stage<'a> {
    script: &'a Script,
    chance: Chance,
    out: Vec<Monologue>,
    left: usize,
    at_ms: i64,
    bound: Vec<(&'static str, &'static str)>,
    places: HashMap<usize, (usize, usize)>,
}

impl<'a> Stage<'a> {
    fn new(script: &'a Script) -> Self {
        let mut chance = Chance::of(script.seed, &["talk"]);
        let at_ms = i64::try_from(chance.between(400, 4_000)).unwrap_or(400);
        Self {
            script,
            chance,
            out: Vec::new(),
            left: script.sentences,
            at_ms,
            bound: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn scene(&mut self, topic: &'static Topic, rounds: u64) {
        self.bind();
        let customer = self.speaker(false);
        self.monologue(topic, topic.opens, self.speaker_of_rep(), (1, 2));
        for _ in 0..rounds {
            let who = if self.chance.hit(0.8) { customer } else { self.speaker(false) };
            self.monologue(topic, topic.says, who, (1, 4));
            if self.chance.hit(0.85) {
                let rep = self.speaker(true);
                self.monologue(topic, topic.answers, rep, (1, 2));
            }
        }
    }

    /// Each scene is about one feature, one bug, one tool: so it holds together.
    fn bind(&mut self) {
        self.bound.clear();
        for slot in ["feature", "bug", "pain", "tool", "area", "team", "rival", "feature2", "tool2", "team2"]
        {
            let word = self.chance.pick(words::slot(slot));
            self.bound.push((slot, word));
        }
    }

    fn speaker_of_rep(&self) -> Option<usize> {
        self.script.speakers.iter().position(|speaker| speaker.internal)
    }

    fn speaker(&mut self, internal: bool) -> Option<usize> {
        let fits = |speaker: &&Speaker| speaker.internal == internal;
        let count = self.script.speakers.iter().filter(fits).count();
        let wanted = self.chance.index(count);
        let mut found =
            self.script.speakers.iter().enumerate().filter(|(_, speaker)| speaker.internal == internal);
        found.nth(wanted).map(|(index, _)| index).or(if self.script.speakers.is_empty() {
            None
        } else {
            Some(0)
        })
    }

    fn monologue(
        &mut self,
        topic: &'static Topic,
        pool: &'static [&'static str],
        who: Option<usize>,
        (low, high): (u64, u64),
    ) {
        let count = usize::try_from(self.chance.between(low, high)).unwrap_or(1).min(self.left);
        if count == 0 {
            return;
        }
        let sentences = (0..count).map(|_| self.sentence(pool)).collect();
        self.left -= count;
        let nameless = self.script.nameless > 0 && self.chance.below(self.script.nameless) == 0;
        let speaker = who.filter(|_| !nameless).and_then(|index| self.script.speakers.get(index));
        let speaker_id = speaker.and_then(|speaker| speaker.id.clone());
        let topic = (!nameless).then(|| topic.name.to_owned());
        if let Some(last) = self.out.last_mut()
            && last.speaker_id == speaker_id
            && last.topic == topic
        {
            last.sentences.extend::<Vec<Sentence>>(sentences);
            return;
        }
        self.out.push(Monologue { speaker_id, topic, sentences });
    }

    fn sentence(&mut self, pool: &'static [&'static str]) -> Sentence {
        let pattern = self.next_line(pool);
        let mut text = String::with_capacity(96);
        if self.chance.hit(0.16) {
            text.push_str(self.chance.pick(&lines::STARTERS));
        }
        self.fill(pattern, &mut text);
        capitalize(&mut text);
        let words = i64::try_from(text.bytes().filter(|byte| *byte == b' ').count()).unwrap_or(8) + 1;
        let pace = i64::try_from(self.chance.between(260, 390)).unwrap_or(300);
        let start_ms = self.at_ms;
        let end_ms = start_ms + words * pace;
        self.at_ms = end_ms + i64::try_from(self.chance.between(60, 900)).unwrap_or(60);
        Sentence { start_ms, end_ms, text }
    }

    /// Walks through a pool in its own order, so that a line comes again only after all others.
    fn next_line(&mut self, pool: &'static [&'static str]) -> &'static str {
        let key = pool.as_ptr() as usize;
        let length = pool.len().max(1);
        let chance = &mut self.chance;
        let (place, step) = self.places.entry(key).or_insert_with(|| {
            let mut step = 1 + chance.index(length);
            while gcd(step, length) != 1 {
                step += 1;
            }
            (chance.index(length), step)
        });
        *place = (*place + *step) % length;
        pool.get(*place).copied().unwrap_or("")
    }

    fn fill(&mut self, pattern: &'static str, text: &mut String) {
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((slot, tail)) = after.split_once('}') else { break };
            match slot {
                "account" => text.push_str(&self.script.account),
                "product" => text.push_str(&self.script.product),
                _ => match self.bound.iter().find(|(name, _)| *name == slot) {
                    Some((_, word)) => text.push_str(word),
                    None => text.push_str(self.chance.pick(words::slot(slot))),
                },
            }
            rest = tail;
        }
        text.push_str(rest);
    }
}

fn capitalize(text: &mut str) {
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Flavour, Script, Speaker};
    use std::collections::HashSet;

    fn script(seed: u64, flavour: Flavour) -> Script {
        let speakers = vec![
            Speaker { id: Some("1".to_owned()), internal: true },
            Speaker { id: Some("2".to_owned()), internal: false },
        ];
        Script {
            seed,
            sentences: 120,
            flavour,
            speakers,
            account: "Halden Foods".to_owned(),
            product: "Orbit".to_owned(),
            nameless: 20,
        }
    }

    fn texts(script: &Script) -> Vec<String> {
        script.perform().into_iter().flat_map(|m| m.sentences).map(|s| s.text).collect()
    }

    #[test]
    fn a_script_gives_the_same_words_again_and_another_seed_gives_others() {
        for flavour in Flavour::ALL {
            let one = texts(&script(5, flavour));
            assert_eq!(one.len(), 120);
            assert_eq!(one, texts(&script(5, flavour)));
            let other: HashSet<String> = texts(&script(6, flavour)).into_iter().collect();
            let shared = one.iter().filter(|text| other.contains(*text)).count();
            assert!(shared < 45, "{shared} of 120 sentences are the same in two calls");
            assert!(one.iter().all(|text| !text.contains(['{', '}'])));
            let distinct: HashSet<&String> = one.iter().collect();
            assert!(distinct.len() > 95, "{} distinct", distinct.len());
        }
    }

    #[test]
    fn times_only_go_forward() {
        let mut last = 0;
        for sentence in script(9, Flavour::Support).perform().iter().flat_map(|m| &m.sentences) {
            assert!(sentence.start_ms >= last && sentence.end_ms > sentence.start_ms);
            last = sentence.end_ms;
        }
    }
}
