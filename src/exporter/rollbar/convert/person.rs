//! `data.person`: whom it happened to. Without an id Rollbar wants none. <https://docs.rollbar.com/docs/people-tracking>

use std::borrow::Cow;

use super::bag::Bags;
use super::identity::digest;
use super::node::{Map, Node, cut_chars};
use super::plain;
use crate::exporter::rollbar::config::PersonField;
use crate::exporter::rollbar::scrub::Scrubber;
use crate::otlp::{Key, Value};

/// Rollbar's bounds on the fields.
const ID_CHARS_MAX: usize = 40;
const NAME_CHARS_MAX: usize = 255;

/// Attributes that tell who it was.
const PERSONAL: [Key; 5] = [Key::UserId, Key::UserName, Key::UserFullName, Key::UserEmail, Key::UserRoles];

/// Builds `person`; empty where nobody is known or none may be told.
pub fn person<'a>(scrubber: &Scrubber, wanted: &[PersonField], bags: Bags<'_, 'a>) -> Map<'a> {
    bags.withhold(&PERSONAL);
    for name in ["enduser.pseudo.id", "user.hash"] {
        bags.withhold_name(name);
    }
    let text = |value: Option<Value<'a>>| value.map(plain::text).filter(|text| !text.trim().is_empty());
    let id = text(bags.find(Key::UserId))
        .or_else(|| text(bags.get("enduser.pseudo.id")))
        .or_else(|| text(bags.get("user.hash")));
    let name = text(bags.find(Key::UserName)).or_else(|| text(bags.find(Key::UserFullName)));
    let email = text(bags.find(Key::UserEmail));
    let roles = bags.find(Key::UserRoles);
    let wants = |field| wanted.contains(&field);
    if !wants(PersonField::Id) {
        return Map::default();
    }
    // Somebody without an id is known by what else there is, shown only where that may be shown.
    let known_by = |value: &Option<Cow<'a, str>>, shown: bool| {
        value.clone().map(|value| if shown { value } else { Cow::Owned(digest(&[&*value])) })
    };
    let id = id
        .or_else(|| known_by(&email, wants(PersonField::Email)))
        .or_else(|| known_by(&name, wants(PersonField::Username)));
    let mut person = Map::default();
    let Some(id) = id else { return person };
    let id = if id.chars().count() > ID_CHARS_MAX { Cow::Owned(digest(&[&*id])) } else { scrubber.cow(id) };
    person.put("id", Node::Text(cut_chars(id, ID_CHARS_MAX)));
    if let Some(name) = name.filter(|_| wants(PersonField::Username)) {
        person.put("username", Node::Text(cut_chars(scrubber.cow(name), NAME_CHARS_MAX)));
    }
    if let Some(email) = email.filter(|_| wants(PersonField::Email)) {
        person.put("email", Node::Text(cut_chars(scrubber.cow(email), NAME_CHARS_MAX)));
    }
    if let Some(roles) = roles {
        person.put("roles", plain::node(scrubber, "roles", roles));
    }
    person
}
