//! The search box: it finds all that is ours, whatever was typed, and nothing of others; and it does not read everything.

use sqlx::Connection;
use stories::{Org, World};
use url::form_urlencoded::byte_serialize;

/// More calls than the search reads one by one, with words, signs and scripts of all kinds; the rare ones are the oldest.
const FILL: &str = "
    insert into gong_calls (id, organization_id, connection_id, gong_call_id, title, started_at, search_text, transcript_state,
        looked_at, created_at)
    select gen_random_uuid(), c.organization_id, c.id, (8000000000 + n)::text, t.title, now() - n * interval '1 minute',
        lower(t.title), case when n % 50 = 0 then 'gave_up' else 'stored' end, now(), now()
    from gong_connections c, generate_series(1, 4600) n,
        lateral (select case n when 4500 then '100% of Жук_und & Ümlaut\\path' when 4501 then 'Quince 東京都 7z'
            when 4502 then repeat('long ', 30) || 'end' else 'Renewal with firm' || n % 97 end || ' ' || $2 as title) t
    where c.organization_id = $1";

const TYPED: [&str; 22] = [
    "renewal",
    "RENEWAL WITH FIRM42",
    "firm9",
    "quince",
    "mine",
    "zebrafish",
    "%",
    "_",
    "\\",
    "&",
    "100%",
    "k_u",
    "q",
    "x",
    "7z",
    "zq",
    "Ж",
    "жук",
    "ümlaut",
    "東京",
    "東京都",
    "no such thing",
];

async fn filled(world: &World, name: &str, word: &str) -> Org {
    let org = world.organization(name).await;
    world.connect(&org, None).await;
    world.settle().await;
    sqlx::query(FILL).bind(org.id.uuid()).bind(word).execute(world.db.pool()).await.unwrap();
    org
}

/// What the API finds, over all pages: this field of each.
async fn pages(org: &Org, path: &str, typed: &str, field: &str) -> Vec<String> {
    let typed: String = byte_serialize(typed.as_bytes()).collect();
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = org.api.get(&format!("{path}{typed}{cursor}")).await;
        assert_eq!(page.status, 200, "{typed}: {}", page.text);
        let page = page.json();
        all.extend(
            page["items"].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn found(org: &Org, typed: &str, state: &str) -> Vec<String> {
    pages(org, &format!("/api/v1/calls?limit=200{state}&search="), typed, "gong_call_id").await
}

/// What there is to be found, by a way of its own.
async fn there(world: &World, org: &Org, typed: &str, state: Option<&str>) -> Vec<String> {
    sqlx::query_scalar(
        "select gong_call_id from gong_calls where organization_id = $1 and strpos(search_text, $2) > 0
            and ($3::text is null or transcript_state = $3) order by started_at desc, id desc",
    )
    .bind(org.id.uuid())
    .bind(typed.to_lowercase())
    .bind(state)
    .fetch_all(world.db.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn ten_01_the_search_finds_all_that_is_ours_and_nothing_of_others() {
    let mut world = World::start().await;
    let (ours, theirs) =
        (filled(&world, "acme", "mine").await, filled(&world, "others", "Zebrafish x").await);
    let long = "long ".repeat(30) + "end";
    for typed in TYPED.into_iter().chain([long.as_str(), &"a".repeat(200)]) {
        assert_eq!(found(&ours, typed, "").await, there(&world, &ours, typed, None).await, "{typed}");
    }
    for typed in ["firm42", "%", "7z"] {
        let state = there(&world, &ours, typed, Some("gave_up")).await;
        assert_eq!(found(&ours, typed, "&state=gave_up").await, state, "{typed}, given up");
    }
    assert!(found(&ours, "zebrafish", "").await.is_empty(), "theirs");
    assert_eq!(found(&theirs, "zebrafish", "").await.len(), 4600);
    assert_eq!(found(&ours, "quince", "").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn ten_02_the_search_of_the_database_knows_only_the_organization_that_was_entered() {
    let mut world = World::start().await;
    let (ours, theirs) = (filled(&world, "acme", "mine").await, filled(&world, "others", "zebrafish").await);
    let mut connection = world.db.pool().acquire().await.unwrap();
    let search = "select count(*) from soundpost_search_calls($1, null, 'infinity', gen_random_uuid(), 100)";
    for (organization, pattern, finds) in
        [(None, "%e%", 0), (Some(&ours), "%zebrafish%", 0), (Some(&theirs), "%zebrafish%", 100)]
    {
        let mut tx = connection.begin().await.unwrap();
        let id = organization.map(|org| org.id.uuid().to_string()).unwrap_or_default();
        sqlx::query("select set_config('role', 'soundpost_app', true), set_config('soundpost.organization', $1, true)")
            .bind(id)
            .execute(&mut *tx)
            .await
            .unwrap();
        let count: i64 = sqlx::query_scalar(search).bind(pattern).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(count, finds, "{pattern}");
    }
    // Whoever is not the application may not even ask; its owner can do nothing else.
    let rights = "select count(*) from (values ('soundpost_fleet'), ('public')) r(name)
        where has_function_privilege(r.name, 'soundpost_search_calls(text, text, timestamptz, uuid, integer)', 'execute')";
    assert_eq!(world.number(rights).await, 0);
    let free = "select count(*) from pg_roles r where rolname = 'soundpost_search'
        and not rolsuper and not rolbypassrls and not rolcanlogin and not rolcreaterole and not rolcreatedb
        and not has_schema_privilege(r.oid, 'public', 'create')
        and not exists (select 1 from pg_class c where c.relowner = r.oid)
        and not exists (select 1 from pg_auth_members m where m.member = r.oid)
        and not has_table_privilege(r.oid, 'gong_transcripts', 'select')";
    assert_eq!(world.number(free).await, 1);
    drop(connection);
    world.stop().await;
}

#[tokio::test]
async fn ten_02_a_rare_word_is_found_through_the_index() {
    let mut world = World::start().await;
    let ours = filled(&world, "acme", "mine").await;
    sqlx::query("analyze gong_calls").execute(world.db.pool()).await.unwrap();
    let mut connection = world.db.pool().acquire().await.unwrap();
    let mut used = Vec::new();
    for round in 0..2 {
        if round == 1 {
            let mut tx = connection.begin().await.unwrap();
            let enter = "select set_config('role', 'soundpost_app', true), set_config('soundpost.organization', $1, true)";
            sqlx::query(enter).bind(ours.id.uuid().to_string()).execute(&mut *tx).await.unwrap();
            let search = "select count(*) from soundpost_search_calls('%quince%', null, 'infinity', gen_random_uuid(), 9)";
            let count: i64 = sqlx::query_scalar(search).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(count, 1);
        }
        sqlx::query("select pg_stat_force_next_flush()").execute(&mut *connection).await.unwrap();
        let scans = "select idx_scan from pg_stat_user_indexes where indexrelname = 'gong_calls_search'";
        used.push(sqlx::query_scalar::<_, i64>(scans).fetch_one(&mut *connection).await.unwrap());
    }
    assert_eq!(used[1] - used[0], 1, "scans of the index of trigrams: {used:?}");
    drop(connection);
    world.stop().await;
}

/// More posts than the search reads one by one; the rare ones are asked for least.
const POSTS: &str = "
    with board as (insert into boards (id, organization_id, name, created_at) values (gen_random_uuid(), $1, 'Wishes', now()) returning id)
    insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, tags, state, analyzer,
        account_count, created_at, updated_at)
    select gen_random_uuid(), $1, board.id, t.title, 'They ask for it in ' || $2, '', 'bug', 'neutral', case when n % 50 = 0 then 'high' else 'low' end,
        'search', case when n % 300 = 90 then array['rare', 'more'] else '{}' end, case when n % 40 = 3 then 'review' else 'published' end, 'basic/5', 3000 - n, now() - n * interval '1 minute', now()
    from board, generate_series(1, 2400) n,
        lateral (select case n when 2390 then '100% of Жук_und & Ümlaut\\path' when 2391 then 'Quince 東京都 7z' else 'Export of site' || n % 97 end as title) t";

async fn posts_found(org: &Org, typed: &str, more: &str) -> Vec<String> {
    pages(org, &format!("/api/v1/posts?limit=100{more}&q="), typed, "title").await
}

#[tokio::test]
async fn ten_01_the_search_among_posts_finds_all_that_is_ours_and_nothing_of_others() {
    let mut world = World::start().await;
    let (ours, theirs) = (world.organization("acme").await, world.organization("others").await);
    for (org, word) in [(&ours, "Mine"), (&theirs, "Zebrafish")] {
        sqlx::query(POSTS).bind(org.id.uuid()).bind(word).execute(world.db.pool()).await.unwrap();
    }
    for typed in [
        "site42",
        "EXPORT",
        "quince",
        "mine",
        "zebrafish",
        "%",
        "_",
        "\\",
        "100%",
        "k_u",
        "7z",
        "zq",
        "жук",
        "東京",
        "no such thing",
    ] {
        let ways = [
            ("", "true"),
            ("&label=rare", "'rare' = any (tags)"),
            ("&label=search&priority=high", "priority = 'high'"),
            ("&label=nothing", "false"),
            ("&sort=newest", "true"),
            ("&priority=high", "priority = 'high'"),
        ];
        // What every post has fills many pages: once is enough.
        let frequent = ["EXPORT", "mine", "_"].contains(&typed);
        for (more, wanted) in ways.into_iter().take(if frequent { 2 } else { 6 }) {
            let there: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "select title from posts where organization_id = $1 and state = 'published' and {wanted}
                    and strpos(lower(title || ' ' || summary), $2) > 0 order by account_count desc"
            )))
            .bind(ours.id.uuid())
            .bind(typed.to_lowercase())
            .fetch_all(world.db.pool())
            .await
            .unwrap();
            assert_eq!(posts_found(&ours, typed, more).await, there, "{typed}{more}");
        }
    }
    assert_eq!(posts_found(&theirs, "quince", "").await.len(), 1);
    let mut connection = world.db.pool().acquire().await.unwrap();
    for (organization, finds) in [(None, 0), (Some(&ours), 0), (Some(&theirs), 2340)] {
        let mut tx = connection.begin().await.unwrap();
        let id = organization.map(|org| org.id.uuid().to_string()).unwrap_or_default();
        let enter = "select set_config('role', 'soundpost_app', true), set_config('soundpost.organization', $1, true)";
        sqlx::query(enter).bind(id).execute(&mut *tx).await.unwrap();
        let search = "select count(*) from soundpost_search_posts('%zebrafish%', 'published')";
        assert_eq!(sqlx::query_scalar::<_, i64>(search).fetch_one(&mut *tx).await.unwrap(), finds);
    }
    drop(connection);
    world.stop().await;
}
