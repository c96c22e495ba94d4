//! The `sql` block: a query to a store that speaks SQL. Other stores stay in the metadata.

use std::borrow::Cow;

use super::facts::Facts;
use super::slots::{Slot as S, mask};
use super::url::{Url, host_of};
use super::writer::{Writer, cut_bytes, key};
use crate::exporter::xray::config::SqlUrl;
use crate::otlp::Span;

/// Systems that speak SQL, old and present names.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/#db-system-name>
#[rustfmt::skip]
const SYSTEMS: &[&str] = &[
    "actian.ingres", "aws.redshift", "clickhouse", "cloudscape", "cockroachdb", "db2", "derby", "firebird", "firebirdsql",
    "gcp.spanner", "h2", "h2database", "hanadb", "hive", "hsqldb", "ibm.db2", "ibm.informix", "ibm.netezza", "informix",
    "ingres", "mariadb", "maxdb", "microsoft.sql_server", "mssql", "mysql", "netezza", "oracle", "oracle.db", "other_sql",
    "postgresql", "redshift", "sap.hana", "sap.maxdb", "snowflake", "softwareag.adabas", "spanner", "sqlite", "teradata",
    "trino", "vertica",
];

const SLOTS: u128 = mask(&[S::DbSystem, S::DbSystemName]);

/// X-Ray's limit for a user.
const USER_CHARS_MAX: usize = 250;

/// What a document says about a query.
#[derive(Debug, Clone)]
pub struct Sql<'a> {
    system: &'a str,
    host: Option<&'a str>,
    port: Option<u16>,
    namespace: Option<&'a str>,
    span_name: Option<&'a str>,
    connection: Option<Cow<'a, str>>,
    query: Option<&'a str>,
    user: Option<&'a str>,
    version: Option<&'a str>,
    is_call: bool,
}

impl<'a> Sql<'a> {
    /// Gathers the block; `None`, and nothing used, where the span queries no SQL store.
    pub fn gather(facts: &mut Facts<'a>, span: &Span<'a>, url: SqlUrl) -> Option<Self> {
        if !facts.has_any(SLOTS) {
            return None;
        }
        let system = facts.first(&[S::DbSystemName, S::DbSystem])?;
        SYSTEMS.binary_search(&system).ok()?;
        facts.take(&[S::DbSystemName, S::DbSystem]);
        let mut sql = Sql {
            system,
            host: None,
            port: None,
            namespace: facts.first(&[S::DbNamespace, S::DbName]),
            span_name: (url == SqlUrl::SpanName).then_some(span.name),
            connection: facts.take(&[S::DbConnectionString]).map(without_secrets),
            query: facts.take(&[S::DbQueryText, S::DbStatement]),
            user: facts.take(&[S::DbUser]),
            version: facts.take(&[S::DbVersion]),
            is_call: facts.text(S::DbStoredProcedure).is_some(),
        };
        if url == SqlUrl::Url {
            let address = facts.take(&[S::ServerAddress]).or_else(|| facts.take(&[S::NetPeerName]));
            sql.host = address.or_else(|| facts.text(S::DbConnectionString).and_then(connection_host));
            if address.is_some() {
                let port = facts.take_int(&[S::ServerPort, S::NetPeerPort], 1..=65535);
                sql.port = port.and_then(|port| u16::try_from(port).ok());
            }
            if sql.host.is_some() {
                facts.take(&[S::DbNamespace, S::DbName]);
            }
        }
        Some(sql)
    }

    /// Writes the member; long texts are cut.
    pub fn write(&self, writer: &mut Writer<'_>, chars_max: usize, query_bytes_max: usize) {
        key!(writer, "sql");
        writer.open();
        if let Some(host) = self.host {
            key!(writer, "url");
            let path = self.namespace.unwrap_or_default();
            Url { scheme: self.system, host, port: self.port, path, query: "" }.write(writer, chars_max, false);
        } else if let Some(name) = self.span_name {
            key!(writer, "url");
            writer.string_cut(name, chars_max);
        }
        if let Some(connection) = &self.connection {
            key!(writer, "connection_string");
            writer.string_cut(connection, chars_max);
        }
        key!(writer, "database_type");
        writer.string(self.system);
        if let Some(version) = self.version {
            key!(writer, "database_version");
            writer.string_cut(version, chars_max);
        }
        if let Some(user) = self.user {
            key!(writer, "user");
            writer.string_cut(user, USER_CHARS_MAX);
        }
        if self.is_call {
            key!(writer, "preparation");
            writer.string("call");
        }
        if let Some(query) = self.query {
            key!(writer, "sanitized_query");
            if query.len() > query_bytes_max {
                writer.shortened(query, query_bytes_max);
            } else {
                writer.string(cut_bytes(query, query_bytes_max));
            }
        }
        writer.close();
    }
}

/// The host in a connection string that is a URL, `jdbc:` or not.
pub fn connection_host(text: &str) -> Option<&str> {
    host_of(text.strip_prefix("jdbc:").unwrap_or(text))
}

/// A connection string without user information and without passwords.
fn without_secrets(text: &str) -> Cow<'_, str> {
    let is_password = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().trim();
        pair.contains('=') && ["password", "pwd", "pass", "passwd"].iter().any(|word| name.eq_ignore_ascii_case(word))
    };
    let user_information = text.split_once("://").and_then(|(_, rest)| {
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        authority.rfind('@').map(|at| (text.len() - rest.len(), text.len() - rest.len() + at + 1))
    });
    let cut = match user_information {
        Some((start, end)) => Cow::Owned([&text[..start], &text[end..]].concat()),
        None => Cow::Borrowed(text),
    };
    if !cut.split([';', '&', '?', ' ']).any(is_password) {
        return cut;
    }
    let mut kept = String::with_capacity(cut.len());
    for piece in cut.split_inclusive([';', '&', '?', ' ']) {
        let (pair, joint) = match piece.char_indices().next_back() {
            Some((at, ';' | '&' | '?' | ' ')) => piece.split_at(at),
            _ => (piece, ""),
        };
        if is_password(pair) {
            kept.push_str(pair.split('=').next().unwrap_or_default());
            kept.push_str("=***");
        } else {
            kept.push_str(pair);
        }
        kept.push_str(joint);
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched() {
        assert!(SYSTEMS.is_sorted());
    }

    #[test]
    fn a_connection_string_keeps_no_secret() {
        let cases = [
            ("postgresql://u:p@db:5432/shop?sslmode=on", "postgresql://db:5432/shop?sslmode=on"),
            ("jdbc:mysql://db/shop?user=a&password=b", "jdbc:mysql://db/shop?user=a&password=***"),
            ("Server=db;User Id=a;Password=b;Encrypt=yes", "Server=db;User Id=a;Password=***;Encrypt=yes"),
            ("host=db pwd=secret dbname=shop", "host=db pwd=*** dbname=shop"),
            ("jdbc:h2:mem:test", "jdbc:h2:mem:test"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_secrets(text), expected);
        }
        assert_eq!(connection_host("jdbc:postgresql://db.example:5432/shop"), Some("db.example"));
        assert_eq!(connection_host("jdbc:h2:mem:test"), None);
    }
}
