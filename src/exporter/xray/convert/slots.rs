//! The attributes that have a place in a segment document, by exactly the name they were sent under.
//!
//! The semantic conventions' own table folds old names into the present one. X-Ray cannot use that fold: which of
//! `net.peer.name` and `net.host.name` is the host of a URL depends on the span's kind, and what is not used must come
//! back in the metadata under the name it came with. A test holds this table against that one.
//!
//! Sources: the attributes that awsxrayexporter v0.156.0 of opentelemetry-collector-contrib reads, the semantic
//! conventions at 384d661, and the AWS distributions' `aws.local.*` and `aws.remote.*`.

use super::slots::Slot as S;

macro_rules! slots {
    ($($slot:ident = $name:literal;)*) => {
        /// An attribute that conversion looks at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Slot { $(#[doc = $name] $slot,)* }

        impl Slot {
            /// Every slot, in the order of the table.
            pub const ALL: &'static [Slot] = &[$(Slot::$slot,)*];
        }

        const NAMES: &[&str] = &[$($name,)*];
    };
}

impl Slot {
    pub const COUNT: usize = Slot::ALL.len();

    #[inline]
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    #[inline]
    pub const fn bit(self) -> u128 {
        1 << self as u32
    }
}

/// The bits of several slots.
pub const fn mask(slots: &[Slot]) -> u128 {
    let (mut bits, mut at) = (0, 0);
    while at < slots.len() {
        bits |= slots[at].bit();
        at += 1;
    }
    bits
}

const _: () = assert!(Slot::COUNT <= 128, "a set of slots is a u128");

slots! {
    AwsAccountId = "aws.account_id";
    AwsDynamodbTableNames = "aws.dynamodb.table_names";
    AwsExtendedRequestId = "aws.extended_request_id";
    AwsKinesisStreamName = "aws.kinesis.stream_name";
    AwsLambdaInvokedArn = "aws.lambda.invoked_arn";
    AwsLocalService = "aws.local.service";
    AwsOperation = "aws.operation";
    AwsQueueUrl = "aws.queue_url";
    AwsQueueUrlDotted = "aws.queue.url";
    AwsRegion = "aws.region";
    AwsRemoteOperation = "aws.remote.operation";
    AwsRemoteResourceAccountId = "aws.remote.resource.account.id";
    AwsRemoteResourceIdentifier = "aws.remote.resource.identifier";
    AwsRemoteResourceRegion = "aws.remote.resource.region";
    AwsRemoteResourceType = "aws.remote.resource.type";
    AwsRemoteService = "aws.remote.service";
    AwsRequestId = "aws.request_id";
    AwsRequestIdCamel = "aws.requestId";
    AwsS3Bucket = "aws.s3.bucket";
    AwsS3Key = "aws.s3.key";
    AwsSecretArn = "aws.secretsmanager.secret.arn";
    AwsService = "aws.service";
    AwsSnsTopicArn = "aws.sns.topic.arn";
    AwsSpanKind = "aws.span.kind";
    AwsSqsQueueUrl = "aws.sqs.queue.url";
    AwsActivityArn = "aws.step_functions.activity.arn";
    AwsStateMachineArn = "aws.step_functions.state_machine.arn";
    AwsTableName = "aws.table_name";
    AwsTableNameDotted = "aws.table.name";
    AwsTableNames = "aws.table_names";
    XrayAnnotations = "aws.xray.annotations";
    XrayForwardedFor = "aws.xray.x_forwarded_for";
    XrayInProgress = "aws.xray.inprogress";
    XrayRetries = "aws.xray.retries";
    XraySamplingRule = "aws.xray.sampling_rule";
    XrayTraced = "aws.xray.traced";
    ClientAddress = "client.address";
    CloudRegion = "cloud.region";
    DbConnectionString = "db.connection_string";
    DbName = "db.name";
    DbNamespace = "db.namespace";
    DbQueryText = "db.query.text";
    DbStatement = "db.statement";
    DbStoredProcedure = "db.stored_procedure.name";
    DbSystem = "db.system";
    DbSystemName = "db.system.name";
    DbUser = "db.user";
    DbVersion = "db.version";
    ErrorType = "error.type";
    FaasInvokedName = "faas.invoked_name";
    HostName = "host.name";
    HttpClientIp = "http.client_ip";
    HttpHost = "http.host";
    HttpMethod = "http.method";
    HttpRequestMethod = "http.request.method";
    HttpRequestMethodOriginal = "http.request.method_original";
    HttpResponseBodySize = "http.response.body.size";
    HttpResponseContentLength = "http.response_content_length";
    HttpResponseHeaderLength = "http.response.header.content-length";
    HttpResponseStatusCode = "http.response.status_code";
    HttpScheme = "http.scheme";
    HttpServerName = "http.server_name";
    HttpStatusCode = "http.status_code";
    HttpStatusText = "http.status_text";
    HttpTarget = "http.target";
    HttpUrl = "http.url";
    HttpUserAgent = "http.user_agent";
    KubernetesRemoteNamespace = "K8s.RemoteNamespace";
    MessagingDestination = "messaging.destination";
    MessagingDestinationName = "messaging.destination.name";
    MessagingSystem = "messaging.system";
    MessagingUrl = "messaging.url";
    NetHostName = "net.host.name";
    NetHostPort = "net.host.port";
    NetPeerIp = "net.peer.ip";
    NetPeerName = "net.peer.name";
    NetPeerPort = "net.peer.port";
    NetworkPeerAddress = "network.peer.address";
    PeerService = "peer.service";
    RemoteTarget = "remoteTarget";
    RpcConnectErrorCode = "rpc.connect_rpc.error_code";
    RpcGrpcStatusCode = "rpc.grpc.status_code";
    RpcMethod = "rpc.method";
    RpcResponseStatusCode = "rpc.response.status_code";
    RpcService = "rpc.service";
    RpcStatusCode = "rpc.status_code";
    RpcSystem = "rpc.system";
    RpcSystemName = "rpc.system.name";
    ServerAddress = "server.address";
    ServerPort = "server.port";
    ServicePeerName = "service.peer.name";
    UrlFull = "url.full";
    UrlPath = "url.path";
    UrlQuery = "url.query";
    UrlScheme = "url.scheme";
    UserAgentOriginal = "user_agent.original";
}

/// What describes the far side of a LOCAL_ROOT span: not shown on the half that stands for the service itself.
pub const REMOTE: u128 = mask(&[
    S::AwsRemoteService,
    S::AwsRemoteOperation,
    S::AwsRemoteResourceAccountId,
    S::AwsRemoteResourceIdentifier,
    S::AwsRemoteResourceRegion,
    S::AwsRemoteResourceType,
    S::RemoteTarget,
    S::KubernetesRemoteNamespace,
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::Key;

    #[test]
    fn an_old_name_never_stands_without_the_present_one() {
        // Split by X-Ray's needs: whether these mean the far or the near side depends on the kind of the span.
        const BY_KIND: [&str; 2] = ["net.peer.port", "net.peer.ip"];
        for slot in Slot::ALL {
            let Some(key) = Key::of(slot.name()).filter(|_| !BY_KIND.contains(&slot.name())) else { continue };
            assert!(NAMES.contains(&key.name()), "{} is now {}", slot.name(), key.name());
        }
    }

    #[test]
    fn every_slot_is_named_once() {
        for slot in Slot::ALL {
            assert_eq!(NAMES.iter().filter(|name| **name == slot.name()).count(), 1, "{}", slot.name());
        }
    }
}
