//! What the shroud recognises, and what it leaves alone.

use std::sync::Arc;

use super::*;

fn shroud(addresses: &[(AddressKind, &str)], name: &str) -> Shroud {
    let key = ShroudKey::new(&"secret".to_owned().into()).unwrap();
    let mark = |(kind, text): &(AddressKind, &str)| key.mark(kind.as_str(), &kind.canonical(text).unwrap());
    Shroud {
        addresses: addresses.iter().map(mark).collect(),
        names: names::marks(&key, name).into_iter().collect(),
        key: Some(key),
        ..Shroud::default()
    }
}

fn anna() -> Shroud {
    shroud(
        &[(AddressKind::Email, "anna.meier@Customer.example"), (AddressKind::Phone, "+49 (170) 123-4567")],
        "Anna von Meier",
    )
}

fn party(name: &str, email: Option<&str>, speaker: &str) -> Party {
    Party {
        speaker_id: Some(speaker.into()),
        user_id: None,
        name: Some(name.into()),
        email: email.map(str::to_owned),
        phone: None,
        title: Some("CTO".into()),
        affiliation: Arc::from("external"),
    }
}

#[test]
fn an_address_is_recognised_however_it_is_written() {
    let anna = anna();
    for text in ["ANNA.MEIER@customer.example", " anna.meier@customer.example "] {
        assert!(anna.hides(Some(text), None), "{text}");
    }
    for text in ["+491701234567", "0049 170 1234567", "49-170-123-4567"] {
        assert!(anna.hides(None, Some(text)), "{text}");
    }
    assert!(!anna.hides(Some("anna.meier@customer.example.org"), Some("0170 1234567")));
    assert!(!Shroud::default().hides(Some("anna.meier@customer.example"), None));
}

#[test]
fn what_is_no_address_is_refused() {
    for (kind, text) in [
        (AddressKind::Email, "anna"),
        (AddressKind::Email, "@x"),
        (AddressKind::Email, "a b@x"),
        (AddressKind::Email, "a@b@c"),
        (AddressKind::Phone, "12345"),
        (AddressKind::Phone, "call me 1234567"),
        (AddressKind::Phone, "1234567890123456"),
    ] {
        assert_eq!(kind.canonical(text).unwrap_err().code(), "setting_out_of_range", "{text}");
    }
}

#[test]
fn addresses_and_names_are_masked_and_the_rest_stays() {
    let anna = anna();
    for (text, present, masked) in [
        ("Write to <anna.meier@customer.example>.", false, "Write to <[erased]>."),
        ("Mail anna.meier@customer.example, please", false, "Mail [erased], please"),
        ("Call +49 170 123 4567 now", false, "Call [erased] now"),
        ("I met Anna von Meier and Anna Meier there", false, "I met [erased] and [erased] there"),
        ("Thanks, Anna! Meier's team, von Bock", true, "Thanks, [erased]! [erased]'s team, von Bock"),
    ] {
        assert_eq!(anna.text(text, present).unwrap().0, masked, "{text}");
    }
    for text in
        ["Thanks, Anna", "bob@customer.example said 12 of 3,456,789", "", "anna", "ÄÖÜ@@ 日本語 @", "+(", "@"]
    {
        assert_eq!(anna.text(text, false), None, "{text}");
    }
    assert_eq!(anna.text("Annabel and manna", true), None);
}

#[test]
fn what_an_erased_person_said_is_gone_and_what_others_said_stays() {
    let anna = anna();
    let mut parties = [
        party("Anna von Meier", Some("anna.meier@customer.example"), "1"),
        party("Bob", Some("bob@us.example"), "2"),
    ];
    let (names, _, taken) = anna.parties(&mut parties);
    assert_eq!((taken, names.len()), (1, 5));
    assert!(is_erased(&parties[0]) && !is_erased(&parties[1]));
    assert_eq!((&parties[0].title, &parties[1].title), (&None, &Some("CTO".to_owned())));
    let body = r#"[{"speakerId":"1","topic":null,"sentences":[{"start":1,"end":2,"text":"My secret."}]},
        {"speakerId":2,"sentences":[{"start":3,"end":4,"text":"Thanks Anna."},{"start":5,"end":6,"text":"Bye."}]}]"#;
    let (after, taken) = anna.transcript(body, &parties).unwrap();
    assert_eq!(taken, Taken { parties: 0, sentences: 1, mentions: 1 });
    assert!(!after.contains("secret") && !after.contains("Anna") && after.contains("Bye."));
    assert_eq!(words(&after), 4);
    assert_eq!(anna.transcript(&after, &parties), None, "twice is once");
    assert_eq!(anna.transcript("not json", &parties), None);
}
