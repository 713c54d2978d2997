//! The lines of the play: for each topic what a rep opens with, what a customer says and what a rep
//! answers. `{slots}` are filled by `script`. All text is our own.

/// The lines of one topic.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) opens: &'static [&'static str],
    pub(crate) says: &'static [&'static str],
    pub(crate) answers: &'static [&'static str],
}

pub(crate) const SMALL_TALK: Topic = Topic {
    name: "Small Talk",
    opens: &[
        "hi everyone, can you hear me all right?",
        "good to see you again, how was the trip to {city}?",
        "thanks for making the time on a {day}.",
        "before we start, is it all right that this call is recorded?",
        "let's give the others one more minute.",
        "how is the new office in {city}?",
        "I heard {account} opened a site in {city}, congratulations.",
    ],
    says: &[
        "yes, loud and clear.",
        "we have had rain since {day}, so I am glad to be inside.",
        "{team} sends greetings, they could not join today.",
        "sorry, my headset died, I am on the laptop now.",
        "it has been a busy {month} here.",
        "I have a hard stop in {n} minutes.",
        "my dog may join the call at some point.",
        "recording is fine with us.",
        "we finally moved everybody out of the old building.",
        "I only had one coffee so far, be gentle.",
    ],
    answers: &[
        "no problem at all.",
        "great, I can hear you well.",
        "then let's keep it short.",
        "I was in {city} last {month}, lovely place.",
        "good, I will share my screen in a moment.",
        "I sent an agenda on {day}, tell me if something is missing.",
    ],
};

pub(crate) const PRICING: Topic = Topic {
    name: "Pricing",
    opens: &[
        "shall we talk about the commercial side?",
        "did you get a chance to read the quote that I sent on {day}?",
        "how does {account} usually buy, by seat or by volume?",
        "what did you have in mind for the budget this year?",
        "are you comparing us with {rival} on price?",
        "who has to sign something of this size on your side?",
    ],
    says: &[
        "the number on page two was higher than we expected.",
        "we pay {money} to {rival} today.",
        "finance wants one line for the whole year, not a bill each month.",
        "if we add {n} seats in {month}, does the price per seat go down?",
        "I can sign up to {money} myself, above that it goes to the board.",
        "what happens when we go over the limit in one month?",
        "we would rather pay for use than for seats that nobody opens.",
        "the onboarding fee is what I cannot explain to my boss.",
        "is support included, or is that another line?",
        "a two-year term is fine when the price is fixed.",
        "the discount helps, but only until {month}.",
        "{team} would need only read access, do those seats cost the same?",
        "procurement will ask for three references from our industry.",
    ],
    answers: &[
        "read-only seats are free up to {n}.",
        "I can split the onboarding fee over {n} months.",
        "for a two-year term we can hold the price.",
        "let me check that with my manager and come back by {day}.",
        "overage is billed at the end of the quarter, never by surprise.",
        "at {n} seats you move into the next tier.",
        "support in business hours is part of every plan.",
        "I will put both options side by side in one document.",
        "that is fair, nobody likes to pay for shelfware.",
    ],
};

pub(crate) const SCHEDULING: Topic = Topic {
    name: "Scheduling",
    opens: &[
        "let me look at the calendar for the rollout.",
        "when would {team} be ready to start?",
        "what has to be live by the end of {month}?",
        "shall we fix a date for the training?",
        "does {day} at {n} past ten work for the next session?",
    ],
    says: &[
        "{month} is bad, that is when we close the books.",
        "{team} is away until the second week of {month}.",
        "could we move our weekly to {day2}?",
        "I would start with {team} and take {team2} along a month later.",
        "we need at least {n} days between the test and the launch.",
        "the works council meets on {day}, nothing goes live before that.",
        "let me add {team} to the invitation.",
        "mornings are better, {city} is nine hours ahead.",
        "can the training be in two halves, our shifts change at noon?",
        "we promised the board that it is done by {month}.",
    ],
    answers: &[
        "then I pencil in {day2} and send an invitation today.",
        "two halves work, we did that with another customer.",
        "I will block the {n} days in our plan.",
        "let's take {month} as the date and leave a week of slack.",
        "noted, nothing before the works council.",
        "I move it and keep the same link.",
    ],
};

pub(crate) const DEMO: Topic = Topic {
    name: "Product Demo",
    opens: &[
        "what you see here is {area}, as your people would see it.",
        "let me show you {area} first and then the rest.",
        "I prepared a demo account with data that looks like yours.",
        "would you like to drive, or shall I click?",
        "this is the same screen that {team} would use each morning.",
    ],
    says: &[
        "can you make the text larger, I am on a small screen?",
        "so {area} updates without a reload?",
        "where would I see what {team} did yesterday?",
        "oh, that is much faster than what we have.",
        "what happens when two people open the same record?",
        "could {team} see only its own region here?",
        "I like that I do not have to leave the page.",
        "how many clicks is it from here to the invoice?",
        "is that number live or from last night?",
        "can we rename these columns?",
        "our people would look for that button on the left.",
        "show me that again, please, I was reading the other part.",
        "and if I make a mistake here, can I go back?",
    ],
    answers: &[
        "yes, it refreshes every {n} seconds.",
        "you can rename them in the admin settings.",
        "the second person sees a small banner and cannot overwrite.",
        "that number is live, this one is from last night.",
        "two clicks, like this.",
        "regions are a filter that an admin can lock.",
        "I send you the recording so that you can watch it again.",
        "there is a history on the right, each step can be undone.",
    ],
};

/// Words that people put in front of a sentence.
pub(crate) const STARTERS: [&str; 16] = [
    "So, ",
    "Well, ",
    "Yeah, ",
    "Right, ",
    "Honestly, ",
    "Okay, ",
    "I mean, ",
    "You know, ",
    "Um, ",
    "To be fair, ",
    "Look, ",
    "Actually, ",
    "Hm, ",
    "And, ",
    "But, ",
    "Just to be clear, ",
];
