//! The walk from a request to its items: the same for traces, metrics and logs.

use super::Key;
use super::value::Attributes;
use super::wire::{Fields, Repeated};

/// What all telemetry of one group was produced by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resource<'a> {
    pub attributes: Attributes<'a>,
    pub dropped_attributes_count: u32,
}

impl<'a> Resource<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut resource = Resource { attributes: Attributes(Repeated::new(message, 1)), dropped_attributes_count: 0 };
        for (number, wire) in Fields::new(message) {
            if number == 2 {
                resource.dropped_attributes_count = wire.number() as u32;
            }
        }
        resource
    }

    /// `service.name`, empty where the sender set none.
    pub fn service_name(&self) -> &'a str {
        self.attributes.find_str(Key::ServiceName).unwrap_or_default()
    }
}

/// The instrumentation library that made the items of one scope group.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub attributes: Attributes<'a>,
}

impl<'a> Scope<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut scope = Scope { attributes: Attributes(Repeated::new(message, 3)), ..Scope::default() };
        for (number, wire) in Fields::new(message) {
            match number {
                1 => scope.name = wire.text(),
                2 => scope.version = wire.text(),
                _ => {}
            }
        }
        scope
    }
}

/// The groups of a request: `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
pub fn groups(body: &[u8]) -> impl Iterator<Item = Group<'_>> {
    Repeated::new(body, 1).iter().map(Group::parse)
}

/// The telemetry of one resource.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    pub resource: Resource<'a>,
    pub schema_url: &'a str,
    message: &'a [u8],
}

impl<'a> Group<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut group = Group { resource: Resource::default(), schema_url: "", message };
        for (number, wire) in Fields::new(message) {
            match number {
                1 => group.resource = Resource::parse(wire.bytes()),
                3 => group.schema_url = wire.text(),
                _ => {}
            }
        }
        group
    }

    pub fn scopes(&self) -> impl Iterator<Item = ScopeGroup<'a>> + use<'a> {
        Repeated::new(self.message, 2).iter().map(ScopeGroup::parse)
    }
}

/// The telemetry of one instrumentation scope.
#[derive(Debug, Clone, Copy)]
pub struct ScopeGroup<'a> {
    pub scope: Scope<'a>,
    pub schema_url: &'a str,
    message: &'a [u8],
}

impl<'a> ScopeGroup<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut group = ScopeGroup { scope: Scope::default(), schema_url: "", message };
        for (number, wire) in Fields::new(message) {
            match number {
                1 => group.scope = Scope::parse(wire.bytes()),
                3 => group.schema_url = wire.text(),
                _ => {}
            }
        }
        group
    }

    /// The messages of the items, in the order of the wire.
    #[inline]
    pub fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        Repeated::new(self.message, 2).iter()
    }
}
