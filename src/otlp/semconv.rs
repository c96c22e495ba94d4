//! The semantic conventions' attribute names, present and old: one name to everything behind the views.
//!
//! A reader asks for the present name first and for the old ones after it, in the order of the row; nothing is renamed on
//! the way through, because users query by the names that their SDK sends. Both generations at once are normal while a
//! service migrates. Rows that a name alone cannot decide (two old attributes joined into one, lists per header) are left
//! to the converters that need them.
//! Source: <https://github.com/open-telemetry/semantic-conventions> at 384d661 (schemas/1.44.0 and the migration guides).

use std::sync::OnceLock;

use super::value::Value;

/// How the present value is read from an old attribute.
#[derive(Debug, Clone, Copy)]
pub enum Reading {
    /// As it is.
    Same,
    /// What stands before `?` in a request target.
    Path,
    /// What stands behind `?` in a request target.
    Query,
    /// What stands before the port in `host:port`; IPv6 literals may be bracketed.
    Host,
    /// The port in `host:port`.
    Port,
    /// By the vocabulary that replaced the old one; words that stayed are not in the table.
    Value(Vocabulary),
}

/// Old words, each with the one that replaced it.
pub type Vocabulary = &'static [(&'static str, &'static str)];

impl Reading {
    /// Whether the old attribute holds the very same value.
    pub fn is_same(self) -> bool {
        matches!(self, Reading::Same)
    }

    /// The present value; `None` where the old one holds no such part.
    pub fn read(self, value: Value<'_>) -> Option<Value<'_>> {
        let text = || value.as_str();
        match self {
            Reading::Same => Some(value),
            Reading::Path => text().map(|target| Value::Str(target.split_once('?').map_or(target, |(path, _)| path))),
            Reading::Query => text().and_then(|target| target.split_once('?')).map(|(_, query)| Value::Str(query)),
            Reading::Host => text().map(|host| Value::Str(split_port(host).0)),
            Reading::Port => text().and_then(|host| split_port(host).1).map(Value::Str),
            Reading::Value(table) => text()
                .and_then(|old| table.iter().find(|(name, _)| *name == old))
                .map_or(Some(value), |(_, present)| Some(Value::Str(present))),
        }
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port)),
            _ => (host, None),
        },
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/non-normative/db-migration/>
const DB_SYSTEMS: &[(&str, &str)] = &[
    ("adabas", "softwareag.adabas"),
    ("intersystems_cache", "intersystems.cache"),
    ("cosmosdb", "azure.cosmosdb"),
    ("db2", "ibm.db2"),
    ("dynamodb", "aws.dynamodb"),
    ("firebird", "firebirdsql"),
    ("h2", "h2database"),
    ("hanadb", "sap.hana"),
    ("informix", "ibm.informix"),
    ("ingres", "actian.ingres"),
    ("maxdb", "sap.maxdb"),
    ("mssql", "microsoft.sql_server"),
    ("netezza", "ibm.netezza"),
    ("oracle", "oracle.db"),
    ("redshift", "aws.redshift"),
    ("spanner", "gcp.spanner"),
];
const RPC_SYSTEMS: &[(&str, &str)] = &[("apache_dubbo", "dubbo"), ("connect_rpc", "connectrpc")];
const MESSAGING_OPERATIONS: &[(&str, &str)] = &[("publish", "send"), ("deliver", "process")];
const HTTP_VERSIONS: &[(&str, &str)] = &[("2.0", "2"), ("3.0", "3")];
const TRANSPORTS: &[(&str, &str)] = &[("ip_tcp", "tcp"), ("ip_udp", "udp")];

use Reading::{Host, Path, Port, Query, Same, Value as Words};

macro_rules! keys {
    ($($key:ident = $name:literal, [$(($old:literal, $reading:expr)),*];)*) => {
        /// An attribute of the semantic conventions by its present name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Key { $(#[doc = $name] $key,)* }

        impl Key {
            /// Every key, in the order of the names.
            pub const ALL: &'static [Key] = &[$(Key::$key,)*];
        }

        /// The present name and the old ones, by key.
        const ROWS: &[Row] = &[$(Row { name: $name, old: &[$(($old, $reading)),*] },)*];
    };
}

struct Row {
    name: &'static str,
    old: &'static [(&'static str, Reading)],
}

impl Key {
    /// The present name.
    #[inline]
    pub fn name(self) -> &'static str {
        ROWS[self as usize].name
    }

    /// The old names in the order in which to look, each with how it is read.
    #[inline]
    pub fn old_names(self) -> &'static [(&'static str, Reading)] {
        ROWS[self as usize].old
    }

    /// The key that a name, present or old, stands for; an old name that was split stands for the first of its parts.
    #[inline]
    pub fn of(name: &str) -> Option<Key> {
        Index::get().find(name)
    }

    /// Every key that an old name went into, with how it is read: a split one has several. Slow, for compiling rules.
    pub fn successors(old: &str) -> impl Iterator<Item = (Key, Reading)> {
        Key::ALL.iter().filter_map(move |key| {
            let reading = key.old_names().iter().find(|(name, _)| *name == old);
            reading.map(|(_, reading)| (*key, *reading))
        })
    }
}

/// The other name of a metric that was renamed, whichever of the two is given.
pub fn other_metric_name(name: &str) -> Option<&'static str> {
    METRICS.iter().find_map(|(old, present)| match name {
        _ if name == *old => Some(*present),
        _ if name == *present => Some(*old),
        _ => None,
    })
}

/// Old and present names of metrics; for some the unit changed as well.
/// <https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/> and its like for databases.
const METRICS: &[(&str, &str)] = &[
    ("http.client.duration", "http.client.request.duration"),
    ("http.server.duration", "http.server.request.duration"),
    ("http.server.request.size", "http.server.request.body.size"),
    ("http.server.response.size", "http.server.response.body.size"),
    ("http.client.request.size", "http.client.request.body.size"),
    ("http.client.response.size", "http.client.response.body.size"),
    ("db.client.connections.usage", "db.client.connection.count"),
    ("db.client.connections.max", "db.client.connection.max"),
    ("db.client.connections.pending_requests", "db.client.connection.pending_requests"),
    ("db.client.connections.use_time", "db.client.connection.use_time"),
    ("db.client.connections.wait_time", "db.client.connection.wait_time"),
    ("db.client.connections.create_time", "db.client.connection.create_time"),
];

/// All names in a hash table, because converters ask for every attribute of every span.
struct Index {
    slots: Box<[Option<(&'static str, Key)>]>,
}

impl Index {
    const SLOTS: usize = 1024; // three times the names: most probes hit at once

    fn get() -> &'static Index {
        static INDEX: OnceLock<Index> = OnceLock::new();
        INDEX.get_or_init(|| {
            let mut index = Index { slots: vec![None; Self::SLOTS].into_boxed_slice() };
            // Present names first: where a name is both present and somebody's old name, the present meaning counts.
            for key in Key::ALL {
                index.insert(key.name(), *key);
            }
            for key in Key::ALL {
                for (old, _) in key.old_names() {
                    index.insert(old, *key);
                }
            }
            index
        })
    }

    fn insert(&mut self, name: &'static str, key: Key) {
        let mut at = Self::hash(name);
        while let Some((taken, _)) = self.slots[at] {
            if taken == name {
                return;
            }
            at = (at + 1) % Self::SLOTS;
        }
        self.slots[at] = Some((name, key));
    }

    #[inline]
    fn find(&self, name: &str) -> Option<Key> {
        let mut at = Self::hash(name);
        loop {
            match self.slots[at] {
                Some((taken, key)) if taken == name => return Some(key),
                Some(_) => at = (at + 1) % Self::SLOTS,
                None => return None,
            }
        }
    }

    /// The length, and the last eight bytes: where names differ.
    #[inline]
    fn hash(name: &str) -> usize {
        let bytes = name.as_bytes();
        let tail = bytes.last_chunk::<8>().map_or_else(
            || bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            |tail| u64::from_le_bytes(*tail),
        );
        let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
        let mixed = (tail ^ (bytes.len() as u64) << 56 ^ u64::from(middle) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 54) as usize
    }
}

keys! {
    AwsAccountId = "aws.account.id", [];
    AwsEcsClusterArn = "aws.ecs.cluster.arn", [];
    AwsEcsContainerArn = "aws.ecs.container.arn", [];
    AwsEcsLaunchtype = "aws.ecs.launchtype", [];
    AwsEcsTaskArn = "aws.ecs.task.arn", [];
    AwsEcsTaskFamily = "aws.ecs.task.family", [];
    AwsEcsTaskId = "aws.ecs.task.id", [];
    AwsEksClusterArn = "aws.eks.cluster.arn", [];
    AwsLogGroupArns = "aws.log.group.arns", [];
    AwsLogGroupNames = "aws.log.group.names", [];
    AwsOperation = "aws.operation", [];
    AwsQueueUrl = "aws.queue_url", [];
    AwsRegion = "aws.region", [];
    AwsRequestId = "aws.request_id", [];
    AwsTableNames = "aws.table_names", [];
    AzureClientId = "azure.client.id", [("db.cosmosdb.client_id", Same)];
    AzureCosmosdbConnectionMode = "azure.cosmosdb.connection.mode", [("db.cosmosdb.connection_mode", Same)];
    AzureCosmosdbConsistencyLevel = "azure.cosmosdb.consistency.level", [("db.cosmosdb.consistency_level", Same)];
    AzureCosmosdbOperationContactedRegions = "azure.cosmosdb.operation.contacted_regions", [("db.cosmosdb.regions_contacted", Same)];
    AzureCosmosdbOperationRequestCharge = "azure.cosmosdb.operation.request_charge", [("db.cosmosdb.request_charge", Same)];
    AzureCosmosdbRequestBodySize = "azure.cosmosdb.request.body.size", [("db.cosmosdb.request_content_length", Same)];
    AzureCosmosdbResponseSubStatusCode = "azure.cosmosdb.response.sub_status_code", [("db.cosmosdb.sub_status_code", Same)];
    AzureResourceProviderNamespace = "azure.resource_provider.namespace", [("az.namespace", Same)];
    AzureServiceRequestId = "azure.service.request.id", [("az.service_request_id", Same)];
    CassandraConsistencyLevel = "cassandra.consistency.level", [("db.cassandra.consistency_level", Same)];
    CassandraCoordinatorDc = "cassandra.coordinator.dc", [("db.cassandra.coordinator.dc", Same)];
    CassandraCoordinatorId = "cassandra.coordinator.id", [("db.cassandra.coordinator.id", Same)];
    CassandraPageSize = "cassandra.page.size", [("db.cassandra.page_size", Same)];
    CassandraQueryIdempotent = "cassandra.query.idempotent", [("db.cassandra.idempotence", Same)];
    CassandraSpeculativeExecutionCount = "cassandra.speculative_execution.count", [("db.cassandra.speculative_execution_count", Same)];
    ClientAddress = "client.address", [("http.client_ip", Same)];
    ClientPort = "client.port", [("net.peer.port", Same)];
    CloudAccountId = "cloud.account.id", [];
    CloudAvailabilityZone = "cloud.availability_zone", [];
    CloudPlatform = "cloud.platform", [];
    CloudProvider = "cloud.provider", [];
    CloudRegion = "cloud.region", [];
    CloudResourceId = "cloud.resource_id", [("faas.id", Same)];
    CodeColumnNumber = "code.column.number", [("code.column", Same)];
    CodeFilePath = "code.file.path", [("code.filepath", Same)];
    CodeFunctionName = "code.function.name", [("code.function", Same)];
    CodeLineNumber = "code.line.number", [("code.lineno", Same)];
    ContainerId = "container.id", [];
    ContainerImageName = "container.image.name", [];
    ContainerImageTags = "container.image.tags", [];
    ContainerName = "container.name", [];
    DbClientConnectionPoolName = "db.client.connection.pool.name", [("db.client.connections.pool.name", Same)];
    DbClientConnectionState = "db.client.connection.state", [("db.client.connections.state", Same)];
    DbCollectionName = "db.collection.name", [("db.sql.table", Same), ("db.cassandra.table", Same), ("db.mongodb.collection", Same), ("db.cosmosdb.container", Same)];
    DbNamespace = "db.namespace", [("db.name", Same), ("db.redis.database_index", Same), ("db.elasticsearch.cluster.name", Same)];
    DbOperationName = "db.operation.name", [("db.operation", Same)];
    DbQueryText = "db.query.text", [("db.statement", Same)];
    DbResponseStatusCode = "db.response.status_code", [("db.cosmosdb.status_code", Same)];
    DbSystemName = "db.system.name", [("db.system", Words(DB_SYSTEMS))];
    DeploymentEnvironmentName = "deployment.environment.name", [("deployment.environment", Same)];
    ElasticsearchNodeName = "elasticsearch.node.name", [("db.elasticsearch.node.name", Same)];
    ErrorType = "error.type", [];
    ExceptionMessage = "exception.message", [];
    ExceptionStacktrace = "exception.stacktrace", [];
    ExceptionType = "exception.type", [];
    FaasInstance = "faas.instance", [];
    FaasInvocationId = "faas.invocation_id", [("faas.execution", Same)];
    FaasName = "faas.name", [];
    FaasTrigger = "faas.trigger", [];
    FaasVersion = "faas.version", [];
    FeatureFlagErrorMessage = "feature_flag.error.message", [("feature_flag.evaluation.error.message", Same)];
    FeatureFlagProviderName = "feature_flag.provider.name", [("feature_flag.provider_name", Same)];
    FeatureFlagResultReason = "feature_flag.result.reason", [("feature_flag.evaluation.reason", Same)];
    FeatureFlagResultVariant = "feature_flag.result.variant", [("feature_flag.variant", Same)];
    GenAiOperationName = "gen_ai.operation.name", [];
    GenAiProviderName = "gen_ai.provider.name", [];
    GenAiRequestModel = "gen_ai.request.model", [];
    GraphqlOperationName = "graphql.operation.name", [];
    GraphqlOperationType = "graphql.operation.type", [];
    HostArch = "host.arch", [];
    HostId = "host.id", [];
    HostImageId = "host.image.id", [];
    HostName = "host.name", [];
    HostType = "host.type", [];
    HttpRequestBodySize = "http.request.body.size", [("http.request_content_length_uncompressed", Same)];
    HttpRequestHeaderContentLength = "http.request.header.content-length", [("http.request_content_length", Same)];
    HttpRequestMethod = "http.request.method", [("http.method", Same)];
    HttpRequestMethodOriginal = "http.request.method_original", [];
    HttpRequestResendCount = "http.request.resend_count", [("http.retry_count", Same), ("http.resend_count", Same)];
    HttpResponseBodySize = "http.response.body.size", [("http.response_content_length_uncompressed", Same)];
    HttpResponseHeaderContentLength = "http.response.header.content-length", [("http.response_content_length", Same)];
    HttpResponseStatusCode = "http.response.status_code", [("http.status_code", Same)];
    HttpRoute = "http.route", [];
    JsonrpcProtocolVersion = "jsonrpc.protocol.version", [("rpc.jsonrpc.version", Same)];
    JsonrpcRequestId = "jsonrpc.request.id", [("rpc.jsonrpc.request_id", Same)];
    K8sClusterName = "k8s.cluster.name", [];
    K8sDeploymentName = "k8s.deployment.name", [];
    K8sNamespaceName = "k8s.namespace.name", [];
    K8sNodeName = "k8s.node.name", [];
    K8sPodName = "k8s.pod.name", [];
    K8sPodUid = "k8s.pod.uid", [];
    MessagingBatchMessageCount = "messaging.batch.message_count", [];
    MessagingClientId = "messaging.client.id", [("messaging.consumer_id", Same), ("messaging.consumer.id", Same), ("messaging.client_id", Same), ("messaging.kafka.client_id", Same), ("messaging.rocketmq.client_id", Same)];
    MessagingConsumerGroupName = "messaging.consumer.group.name", [("messaging.kafka.consumer_group", Same), ("messaging.kafka.consumer.group", Same), ("messaging.eventhubs.consumer.group", Same), ("messaging.rocketmq.client_group", Same)];
    MessagingDestinationName = "messaging.destination.name", [("messaging.destination", Same)];
    MessagingDestinationPartitionId = "messaging.destination.partition.id", [("messaging.kafka.partition", Same), ("messaging.kafka.destination.partition", Same)];
    MessagingDestinationSubscriptionName = "messaging.destination.subscription.name", [("messaging.servicebus.destination.subscription_name", Same)];
    MessagingDestinationTemporary = "messaging.destination.temporary", [("messaging.temp_destination", Same)];
    MessagingKafkaMessageKey = "messaging.kafka.message.key", [("messaging.kafka.message_key", Same)];
    MessagingKafkaMessageTombstone = "messaging.kafka.message.tombstone", [("messaging.kafka.tombstone", Same)];
    MessagingKafkaOffset = "messaging.kafka.offset", [("messaging.kafka.message.offset", Same)];
    MessagingMessageBodySize = "messaging.message.body.size", [("messaging.message_payload_size_bytes", Same), ("messaging.message.payload_size_bytes", Same)];
    MessagingMessageConversationId = "messaging.message.conversation_id", [("messaging.conversation_id", Same)];
    MessagingMessageId = "messaging.message.id", [("messaging.message_id", Same)];
    MessagingOperationName = "messaging.operation.name", [];
    MessagingOperationType = "messaging.operation.type", [("messaging.operation", Words(MESSAGING_OPERATIONS))];
    MessagingRabbitmqDestinationRoutingKey = "messaging.rabbitmq.destination.routing_key", [("messaging.rabbitmq.routing_key", Same)];
    MessagingRocketmqMessageKeys = "messaging.rocketmq.message.keys", [("messaging.rocketmq.message_keys", Same)];
    MessagingRocketmqMessageTag = "messaging.rocketmq.message.tag", [("messaging.rocketmq.message_tag", Same)];
    MessagingRocketmqMessageType = "messaging.rocketmq.message.type", [("messaging.rocketmq.message_type", Same)];
    MessagingSystem = "messaging.system", [];
    NetworkCarrierIcc = "network.carrier.icc", [("net.host.carrier.icc", Same)];
    NetworkCarrierMcc = "network.carrier.mcc", [("net.host.carrier.mcc", Same)];
    NetworkCarrierMnc = "network.carrier.mnc", [("net.host.carrier.mnc", Same)];
    NetworkCarrierName = "network.carrier.name", [("net.host.carrier.name", Same)];
    NetworkConnectionSubtype = "network.connection.subtype", [("net.host.connection.subtype", Same)];
    NetworkConnectionType = "network.connection.type", [("net.host.connection.type", Same)];
    NetworkLocalAddress = "network.local.address", [("net.host.ip", Same), ("net.sock.host.addr", Same)];
    NetworkLocalPort = "network.local.port", [("net.sock.host.port", Same)];
    NetworkPeerAddress = "network.peer.address", [("net.peer.ip", Same), ("net.sock.peer.addr", Same), ("server.socket.address", Same), ("client.socket.address", Same)];
    NetworkPeerPort = "network.peer.port", [("net.sock.peer.port", Same), ("server.socket.port", Same), ("client.socket.port", Same)];
    NetworkProtocolName = "network.protocol.name", [("net.protocol.name", Same), ("net.app.protocol.name", Same), ("messaging.protocol", Same)];
    NetworkProtocolVersion = "network.protocol.version", [("http.flavor", Words(HTTP_VERSIONS)), ("net.protocol.version", Same), ("net.app.protocol.version", Same), ("messaging.protocol_version", Same)];
    NetworkTransport = "network.transport", [("net.transport", Words(TRANSPORTS))];
    OsDescription = "os.description", [];
    OsType = "os.type", [];
    OtelScopeName = "otel.scope.name", [("otel.library.name", Same)];
    OtelScopeVersion = "otel.scope.version", [("otel.library.version", Same)];
    OtelStatusCode = "otel.status_code", [];
    OtelStatusDescription = "otel.status_description", [];
    ProcessCommandLine = "process.command_line", [];
    ProcessPid = "process.pid", [];
    ProcessRuntimeName = "process.runtime.name", [];
    ProcessRuntimeVersion = "process.runtime.version", [];
    RpcStatusCode = "rpc.status_code", [("rpc.grpc.status_code", Same), ("rpc.jsonrpc.error_code", Same), ("rpc.connect_rpc.error_code", Same), ("rpc.response.status_code", Same)];
    RpcSystemName = "rpc.system.name", [("rpc.system", Words(RPC_SYSTEMS))];
    ServerAddress = "server.address", [("http.host", Host), ("http.server_name", Same), ("net.host.name", Same), ("net.peer.name", Same), ("tls.client.server_name", Same)];
    ServerPort = "server.port", [("http.host", Port), ("net.peer.port", Same), ("net.host.port", Same)];
    ServiceInstanceId = "service.instance.id", [];
    ServiceName = "service.name", [];
    ServiceNamespace = "service.namespace", [];
    ServicePeerName = "service.peer.name", [("peer.service", Same)];
    ServiceVersion = "service.version", [];
    SessionId = "session.id", [];
    TelemetryDistroVersion = "telemetry.distro.version", [("telemetry.auto.version", Same)];
    TelemetrySdkLanguage = "telemetry.sdk.language", [];
    TelemetrySdkName = "telemetry.sdk.name", [];
    TelemetrySdkVersion = "telemetry.sdk.version", [];
    ThreadId = "thread.id", [];
    ThreadName = "thread.name", [];
    UrlDomain = "url.domain", [];
    UrlFull = "url.full", [("http.url", Same)];
    UrlPath = "url.path", [("http.target", Path)];
    UrlQuery = "url.query", [("http.target", Query)];
    UrlScheme = "url.scheme", [("http.scheme", Same)];
    UserEmail = "user.email", [];
    UserFullName = "user.full_name", [];
    UserId = "user.id", [("enduser.id", Same)];
    UserName = "user.name", [];
    UserRoles = "user.roles", [("enduser.role", Same)];
    UserAgentOriginal = "user_agent.original", [("http.user_agent", Same), ("browser.user_agent", Same)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_found_under_its_key() {
        for key in Key::ALL {
            assert_eq!(Key::of(key.name()), Some(*key));
            for (old, _) in key.old_names() {
                assert!(Key::of(old).is_some(), "{old}");
            }
        }
        assert_eq!(Key::of("http.status_code"), Some(Key::HttpResponseStatusCode));
        assert_eq!(Key::of("my.own.attribute"), None);
        assert_eq!(Key::of(""), None);
    }

    #[test]
    fn an_old_value_reads_as_the_present_one() {
        let read = |reading: Reading, old| reading.read(Value::Str(old)).and_then(Value::as_str);
        assert_eq!(read(Path, "/cart?id=7"), Some("/cart"));
        assert_eq!(read(Path, "/cart"), Some("/cart"));
        assert_eq!(read(Query, "/cart?id=7"), Some("id=7"));
        assert_eq!(read(Query, "/cart"), None);
        assert_eq!(read(Host, "shop.example:8080"), Some("shop.example"));
        assert_eq!(read(Port, "shop.example:8080"), Some("8080"));
        assert_eq!(read(Host, "[::1]:8080"), Some("::1"));
        assert_eq!(read(Port, "[::1]"), None);
        assert_eq!(read(Host, "::1"), Some("::1"));
        assert_eq!(read(Words(DB_SYSTEMS), "mssql"), Some("microsoft.sql_server"));
        assert_eq!(read(Words(DB_SYSTEMS), "postgresql"), Some("postgresql"));
    }
}
