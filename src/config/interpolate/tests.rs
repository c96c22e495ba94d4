use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        "YAML" => Some("[a, b]: ${KEY} $$".to_owned()),
        _ => None,
    }
}

#[test]
fn each_form_gives_what_the_table_says() {
    for (written, becomes) in [
        ("${KEY}", "hunter2"),
        ("${env:KEY}", "hunter2"),
        ("Bearer ${KEY}!", "Bearer hunter2!"),
        ("${KEY}${KEY}", "hunter2hunter2"),
        ("${KEY:-other}", "hunter2"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${env:NONE:-http://x:1}", "http://x:1"),
        ("${NONE:-}", ""),
        ("$$", "$"),
        ("$${KEY}", "${KEY}"),
        ("$$${KEY}", "$hunter2"),
        ("$KEY costs 5$", "$KEY costs 5$"),
        ("${YAML}", "[a, b]: ${KEY} $$"),
        ("ü${KEY}ü", "ühunter2ü"),
    ] {
        let expanded = expand(written, &environment, 1_000);
        assert_eq!(expanded.text, becomes, "{written}");
        assert_eq!(expanded.wrong, [], "{written}");
    }
}

#[test]
fn what_cannot_be_replaced_is_told_by_name() {
    for (written, wrong) in [
        ("${NONE}", vec![Wrong::Unset("NONE".to_owned())]),
        ("${env:EMPTY}", vec![Wrong::Empty("EMPTY".to_owned())]),
        ("${A}${KEY}${B}", vec![Wrong::Unset("A".to_owned()), Wrong::Unset("B".to_owned())]),
        ("${KEY", vec![Wrong::Unclosed]),
        ("${}", vec![Wrong::BadName]),
        ("${1A}", vec![Wrong::BadName]),
        ("${A B}", vec![Wrong::BadName]),
        ("${file:KEY}", vec![Wrong::BadName]),
    ] {
        assert_eq!(expand(written, &environment, 1_000).wrong, wrong, "{written}");
    }
}

#[test]
fn a_text_cannot_grow_beyond_the_room_there_is() {
    let many = "${KEY}".repeat(100_000);
    let expanded = expand(&many, &environment, 1_000);
    assert_eq!(expanded.wrong, [Wrong::TooLong]);
    assert!(expanded.text.len() < 1_020);
    assert_eq!(expand("${KEY}", &environment, 6).wrong, [Wrong::TooLong]);
    assert_eq!(expand("${KEY}", &environment, 7).wrong, []);
}
