//! The `aws` block of a call: which operation, on which resource, of which account.
//!
//! Source of the members: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-aws>
//! and the parameters that the X-Ray SDKs record, `resources/AWSWhitelist.json` of aws/aws-xray-sdk-go at 9e7a607.

use super::facts::Facts;
use super::shape::is_aws_sdk;
use super::slots::{Slot as S, mask};
use super::writer::Writer;
use crate::otlp::Value;

/// Texts of a call, each from the first attribute that is there.
#[rustfmt::skip]
const MEMBERS: [(&str, &[S]); 13] = [
    (r#"\"account_id\":"#,        &[S::AwsAccountId, S::AwsRemoteResourceAccountId]),
    (r#"\"region\":"#,            &[S::AwsRegion, S::AwsRemoteResourceRegion]),
    (r#"\"request_id\":"#,        &[S::AwsRequestId, S::AwsRequestIdCamel]),
    (r#"\"id_2\":"#,              &[S::AwsExtendedRequestId]),
    (r#"\"queue_url\":"#,         &[S::MessagingUrl, S::AwsQueueUrl, S::AwsQueueUrlDotted, S::AwsSqsQueueUrl]),
    (r#"\"topic_arn\":"#,         &[S::AwsSnsTopicArn]),
    (r#"\"function_name\":"#,     &[S::AwsLambdaInvokedArn]),
    (r#"\"bucket_name\":"#,       &[S::AwsS3Bucket]),
    (r#"\"key\":"#,               &[S::AwsS3Key]),
    (r#"\"stream_name\":"#,       &[S::AwsKinesisStreamName]),
    (r#"\"secret_arn\":"#,        &[S::AwsSecretArn]),
    (r#"\"state_machine_arn\":"#, &[S::AwsStateMachineArn]),
    (r#"\"activity_arn\":"#,      &[S::AwsActivityArn]),
];

const ACCOUNT: usize = 0;
const REGION: usize = 1;
const FUNCTION: usize = 6;
const TABLE: &str = r#"\"table_name\":"#;
const QUEUE: &str = r#"\"queue_name\":"#;

/// How instrumentations call SQS in `messaging.system`: the conventions now, and what boto3's and the JavaScript one's said
/// before.
const SQS: [&str; 3] = ["aws_sqs", "aws.sqs", "AmazonSQS"];

/// Names beyond these do not fit a document anyway.
const TABLES_MAX: usize = 100;

/// What `aws.remote.resource.type` names, as the member that X-Ray knows it by.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AppSignals-StandardMetrics.html>
#[rustfmt::skip]
const REMOTE_RESOURCES: &[(&str, &str)] = &[
    ("AWS::DynamoDB::Table",             r#"\"table_name\":"#),
    ("AWS::Kinesis::Stream",             r#"\"stream_name\":"#),
    ("AWS::Lambda::Function",            r#"\"function_name\":"#),
    ("AWS::S3::Bucket",                  r#"\"bucket_name\":"#),
    ("AWS::SQS::Queue",                  r#"\"queue_name\":"#),
    ("AWS::SecretsManager::Secret",      r#"\"secret_arn\":"#),
    ("AWS::StepFunctions::StateMachine", r#"\"state_machine_arn\":"#),
];

/// One of these makes an `aws` block; of an AWS SDK's span, `rpc.method` and `cloud.region` do too, and so does a queue of SQS.
const CALL: u128 = mask(&[
    S::AwsAccountId,
    S::AwsActivityArn,
    S::AwsDynamodbTableNames,
    S::AwsExtendedRequestId,
    S::AwsKinesisStreamName,
    S::AwsLambdaInvokedArn,
    S::AwsOperation,
    S::AwsQueueUrl,
    S::AwsQueueUrlDotted,
    S::AwsRegion,
    S::AwsRemoteResourceAccountId,
    S::AwsRemoteResourceIdentifier,
    S::AwsRemoteResourceRegion,
    S::AwsRequestId,
    S::AwsRequestIdCamel,
    S::AwsS3Bucket,
    S::AwsS3Key,
    S::AwsSecretArn,
    S::AwsSnsTopicArn,
    S::AwsSqsQueueUrl,
    S::AwsStateMachineArn,
    S::AwsTableName,
    S::AwsTableNameDotted,
    S::AwsTableNames,
    S::XrayRetries,
]);
const OF_SDK: u128 = mask(&[S::RpcMethod, S::CloudRegion, S::FaasInvokedName, S::MessagingDestinationName]);

/// What a document says about a call to AWS.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    operation: Option<&'a str>,
    texts: [Option<&'a str>; MEMBERS.len()],
    tables: Option<Value<'a>>,
    remote: Option<(&'static str, &'a str)>,
    queue_name: Option<&'a str>,
    retries: Option<i64>,
}

impl<'a> Call<'a> {
    /// Gathers the block; `None`, and nothing used, where the span says nothing of the kind.
    pub fn gather(facts: &mut Facts<'a>) -> Option<Self> {
        let is_sdk = facts.has_any(OF_SDK) && is_aws_sdk(facts);
        let is_sqs = facts.text(S::MessagingSystem).is_some_and(|system| SQS.contains(&system));
        if !is_sdk && !is_sqs && !facts.has_any(CALL) {
            return None;
        }
        let operation = facts.take(&[S::AwsOperation]).or_else(|| {
            let method = if is_sdk { facts.take(&[S::RpcMethod]) } else { None }?;
            Some(method.rsplit_once('/').map_or(method, |(_, operation)| operation))
        });
        let mut texts = MEMBERS.map(|(_, slots)| facts.take(slots));
        if is_sdk {
            texts[REGION] = texts[REGION].or_else(|| facts.take(&[S::CloudRegion]));
            texts[FUNCTION] = texts[FUNCTION].or_else(|| facts.take(&[S::FaasInvokedName]));
        }
        Some(Call {
            operation,
            texts,
            tables: tables(facts),
            remote: remote_resource(facts),
            queue_name: facts.first(&[S::MessagingDestinationName, S::MessagingDestination]).filter(|_| is_sqs),
            retries: facts.take_int(&[S::XrayRetries], 0..=i64::MAX),
        })
    }

    /// Whether the span says whose account it is about.
    pub fn names_account(&self) -> bool {
        self.texts[ACCOUNT].is_some()
    }

    /// Writes the members into an open `aws` object.
    pub fn write(&self, writer: &mut Writer<'_>, chars_max: usize) {
        let mut text = |member, text: Option<&str>| {
            if let Some(text) = text {
                writer.member(member);
                writer.string_cut(text, chars_max);
            }
        };
        text(r#"\"operation\":"#, self.operation);
        for ((member, _), found) in MEMBERS.iter().zip(self.texts) {
            text(member, found);
        }
        // What the call's own attributes say counts for more than what was concluded from them.
        let is_said =
            |member: &str| MEMBERS.iter().zip(self.texts).any(|(row, text)| row.0 == member && text.is_some());
        let has_tables = self.tables.is_some();
        let remote = self.remote.filter(|(member, _)| !is_said(member) && (*member != TABLE || !has_tables));
        if let Some((member, identifier)) = remote {
            text(member, Some(identifier));
        }
        if remote.is_none_or(|(member, _)| member != QUEUE) {
            text(QUEUE, self.queue_name);
        }
        match self.tables {
            Some(Value::Array(names)) => {
                let mut names = names.iter().filter_map(Value::as_str).take(TABLES_MAX);
                match (names.next(), names.next()) {
                    (Some(only), None) => text(TABLE, Some(only)),
                    (Some(first), Some(second)) => {
                        writer.member(r#"\"table_names\":"#);
                        writer.open_list();
                        for name in [first, second].into_iter().chain(names) {
                            writer.comma();
                            writer.string_cut(name, chars_max);
                        }
                        writer.close_list();
                    }
                    (None, _) => {}
                }
            }
            Some(single) => text(TABLE, single.as_str()),
            None => {}
        }
        if let Some(retries) = self.retries {
            writer.member(r#"\"retries\":"#);
            writer.int(retries);
        }
    }
}

fn tables<'a>(facts: &mut Facts<'a>) -> Option<Value<'a>> {
    for slot in [S::AwsDynamodbTableNames, S::AwsTableNames] {
        let value = facts.value(slot);
        let is_list = matches!(value, Value::Array(names) if names.iter().any(|name| name.as_str().is_some()));
        if is_list || matches!(value, Value::Str(name) if !name.is_empty()) {
            facts.mark(slot);
            return Some(value);
        }
    }
    facts.take(&[S::AwsTableName, S::AwsTableNameDotted]).map(Value::Str)
}

/// The resource that Application Signals concluded; the attributes stay in the metadata, because its console reads them.
fn remote_resource<'a>(facts: &Facts<'a>) -> Option<(&'static str, &'a str)> {
    let kind = facts.text(S::AwsRemoteResourceType)?;
    let (_, member) = REMOTE_RESOURCES.iter().find(|(name, _)| *name == kind)?;
    Some((member, facts.text(S::AwsRemoteResourceIdentifier)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_that_are_named_by_position_are_where_they_should_be() {
        for (position, member) in [(ACCOUNT, "account_id"), (REGION, "region"), (FUNCTION, "function_name")] {
            assert!(MEMBERS[position].0.contains(member));
        }
        assert!(REMOTE_RESOURCES.is_sorted());
    }
}
