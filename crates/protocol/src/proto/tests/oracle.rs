//! The messages as `prost` knows them, from the tables of the reference: a judge that shares no code with what it judges.

use std::collections::BTreeMap;

/// Declares messages in the form that `prost` wants, without repeating its attributes for every field.
macro_rules! messages {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $of:ty),* $(,)? })*) => {$(
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct $name { $($(#[$attribute])* $field: $of),* }
    )*};
}

messages! {
    Request {
        #[prost(message, optional, tag = "1")] spec: Option<SpecRequest>,
        #[prost(message, optional, tag = "2")] discover: Option<Discover>,
        #[prost(message, optional, tag = "3")] validate: Option<Validate>,
        #[prost(message, optional, tag = "4")] apply: Option<Apply>,
        #[prost(message, optional, tag = "5")] open: Option<Open>,
        #[prost(message, optional, tag = "6")] acknowledge: Option<Number>,
    }
    SpecRequest {
        #[prost(uint32, tag = "1")] connector_type: u32,
        #[prost(string, tag = "2")] config: String,
    }
    Discover {
        #[prost(uint32, tag = "1")] connector_type: u32,
        #[prost(string, tag = "2")] config: String,
        #[prost(string, tag = "3")] name: String,
    }
    Validate {
        #[prost(string, tag = "1")] name: String,
        #[prost(uint32, tag = "2")] connector_type: u32,
        #[prost(string, tag = "3")] config: String,
        #[prost(message, repeated, tag = "4")] bindings: Vec<ValidateBinding>,
        #[prost(message, optional, tag = "5")] last_capture: Option<CaptureSpec>,
        #[prost(string, tag = "6")] last_version: String,
    }
    ValidateBinding {
        #[prost(string, tag = "1")] resource_config: String,
        #[prost(message, optional, tag = "2")] collection: Option<CollectionSpec>,
        #[prost(uint32, tag = "3")] backfill: u32,
    }
    Apply {
        #[prost(message, optional, tag = "1")] capture: Option<CaptureSpec>,
        #[prost(string, tag = "2")] version: String,
        #[prost(message, optional, tag = "4")] last_capture: Option<CaptureSpec>,
        #[prost(string, tag = "5")] last_version: String,
    }
    Open {
        #[prost(message, optional, tag = "1")] capture: Option<CaptureSpec>,
        #[prost(string, tag = "2")] version: String,
        #[prost(message, optional, tag = "3")] range: Option<RangeSpec>,
        #[prost(string, tag = "4")] state: String,
    }
    RangeSpec {
        #[prost(fixed32, tag = "2")] key_begin: u32,
        #[prost(fixed32, tag = "3")] key_end: u32,
        #[prost(fixed32, tag = "4")] r_clock_begin: u32,
        #[prost(fixed32, tag = "5")] r_clock_end: u32,
    }
    CaptureSpec {
        #[prost(string, tag = "1")] name: String,
        #[prost(uint32, tag = "2")] connector_type: u32,
        #[prost(string, tag = "3")] config: String,
        #[prost(message, repeated, tag = "4")] bindings: Vec<CaptureBinding>,
        #[prost(uint32, tag = "5")] interval_seconds: u32,
        #[prost(message, optional, tag = "6")] shard_template: Option<ShardSpec>,
        #[prost(message, optional, tag = "7")] recovery_log_template: Option<JournalSpec>,
        #[prost(message, repeated, tag = "8")] network_ports: Vec<NetworkPort>,
        #[prost(message, repeated, tag = "9")] inactive_bindings: Vec<CaptureBinding>,
        #[prost(bytes = "vec", tag = "10")] redact_salt: Vec<u8>,
    }
    CaptureBinding {
        #[prost(string, tag = "1")] resource_config: String,
        #[prost(string, repeated, tag = "2")] resource_path: Vec<String>,
        #[prost(message, optional, tag = "3")] collection: Option<CollectionSpec>,
        #[prost(uint32, tag = "4")] backfill: u32,
        #[prost(string, tag = "5")] state_key: String,
    }
    NetworkPort {
        #[prost(uint32, tag = "1")] number: u32,
        #[prost(string, tag = "2")] protocol: String,
        #[prost(bool, tag = "3")] public: bool,
    }
    CollectionSpec {
        #[prost(string, tag = "1")] name: String,
        #[prost(string, repeated, tag = "3")] key: Vec<String>,
        #[prost(string, tag = "4")] uuid_ptr: String,
        #[prost(string, repeated, tag = "5")] partition_fields: Vec<String>,
        #[prost(message, repeated, tag = "6")] projections: Vec<Projection>,
        #[prost(string, tag = "7")] ack_template: String,
        #[prost(string, tag = "8")] write_schema: String,
        #[prost(message, optional, tag = "9")] partition_template: Option<JournalSpec>,
        #[prost(string, tag = "11")] read_schema: String,
    }
    Projection {
        #[prost(string, tag = "1")] ptr: String,
        #[prost(string, tag = "2")] field: String,
        #[prost(bool, tag = "3")] explicit: bool,
        #[prost(bool, tag = "4")] is_partition_key: bool,
        #[prost(bool, tag = "5")] is_primary_key: bool,
        #[prost(message, optional, tag = "6")] inference: Option<Inference>,
    }
    Inference {
        #[prost(string, repeated, tag = "1")] types: Vec<String>,
        #[prost(message, optional, tag = "3")] string: Option<StringInference>,
        #[prost(string, tag = "4")] title: String,
        #[prost(string, tag = "5")] description: String,
        #[prost(string, tag = "6")] default: String,
        #[prost(bool, tag = "7")] secret: bool,
        #[prost(int32, tag = "8")] exists: i32,
        #[prost(message, optional, tag = "9")] numeric: Option<NumericInference>,
        #[prost(message, optional, tag = "10")] array: Option<ArrayInference>,
        #[prost(string, repeated, tag = "11")] enumeration: Vec<String>,
        #[prost(int32, tag = "12")] reduce: i32,
        #[prost(int32, tag = "13")] redact: i32,
        #[prost(string, tag = "14")] content_media_type: String,
    }
    StringInference {
        #[prost(string, tag = "3")] content_type: String,
        #[prost(string, tag = "4")] format: String,
        #[prost(uint32, tag = "6")] max_length: u32,
        #[prost(string, tag = "7")] content_encoding: String,
    }
    NumericInference {
        #[prost(bool, tag = "1")] has_minimum: bool,
        #[prost(double, tag = "2")] minimum: f64,
        #[prost(bool, tag = "3")] has_maximum: bool,
        #[prost(double, tag = "4")] maximum: f64,
    }
    ArrayInference {
        #[prost(uint32, tag = "1")] min_items: u32,
        #[prost(bool, tag = "2")] has_max_items: bool,
        #[prost(uint32, tag = "3")] max_items: u32,
        #[prost(string, repeated, tag = "4")] item_types: Vec<String>,
    }
    JournalSpec {
        #[prost(string, tag = "1")] name: String,
        #[prost(uint32, tag = "2")] replication: u32,
        #[prost(message, optional, tag = "3")] labels: Option<LabelSet>,
        #[prost(message, optional, tag = "4")] fragment: Option<Fragment>,
        #[prost(uint32, tag = "6")] flags: u32,
        #[prost(int64, tag = "7")] max_append_rate: i64,
    }
    Fragment {
        #[prost(int64, tag = "1")] length: i64,
        #[prost(int32, tag = "2")] compression_codec: i32,
        #[prost(string, repeated, tag = "3")] stores: Vec<String>,
        #[prost(message, optional, tag = "4")] refresh_interval: Option<Duration>,
        #[prost(message, optional, tag = "6")] flush_interval: Option<Duration>,
        #[prost(string, tag = "7")] path_postfix_template: String,
    }
    ShardSpec {
        #[prost(string, tag = "1")] id: String,
        #[prost(string, tag = "3")] recovery_log_prefix: String,
        #[prost(string, tag = "4")] hint_prefix: String,
        #[prost(uint32, tag = "5")] hint_backups: u32,
        #[prost(message, optional, tag = "6")] max_txn_duration: Option<Duration>,
        #[prost(uint32, tag = "9")] hot_standbys: u32,
        #[prost(message, optional, tag = "10")] labels: Option<LabelSet>,
        #[prost(uint32, tag = "12")] ring_buffer_size: u32,
        #[prost(uint32, tag = "13")] read_channel_size: u32,
    }
    LabelSet {
        #[prost(message, repeated, tag = "1")] labels: Vec<Label>,
    }
    Label {
        #[prost(string, tag = "1")] name: String,
        #[prost(string, tag = "2")] value: String,
    }
    Duration {
        #[prost(int64, tag = "1")] seconds: i64,
        #[prost(int32, tag = "2")] nanos: i32,
    }

    Response {
        #[prost(message, optional, tag = "1")] spec: Option<SpecResponse>,
        #[prost(message, optional, tag = "2")] discovered: Option<Discovered>,
        #[prost(message, optional, tag = "3")] validated: Option<Validated>,
        #[prost(message, optional, tag = "4")] applied: Option<Applied>,
        #[prost(message, optional, tag = "5")] opened: Option<Opened>,
        #[prost(message, optional, tag = "6")] captured: Option<JsonOf>,
        #[prost(message, optional, tag = "7")] checkpoint: Option<Checkpoint>,
        #[prost(message, optional, tag = "8")] sourced_schema: Option<JsonOf>,
        #[prost(message, optional, tag = "9")] backfill_begin: Option<Number>,
        #[prost(message, optional, tag = "10")] backfill_complete: Option<Number>,
    }
    SpecResponse {
        #[prost(uint32, tag = "1")] protocol: u32,
        #[prost(string, tag = "2")] config_schema: String,
        #[prost(string, tag = "3")] resource_config_schema: String,
        #[prost(string, tag = "4")] documentation_url: String,
        #[prost(message, optional, tag = "5")] oauth2: Option<OAuth2>,
        #[prost(string, repeated, tag = "6")] resource_path_pointers: Vec<String>,
    }
    OAuth2 {
        #[prost(string, tag = "1")] provider: String,
        #[prost(string, tag = "2")] auth_url_template: String,
        #[prost(string, tag = "3")] access_token_url_template: String,
        #[prost(string, tag = "4")] access_token_body: String,
        #[prost(btree_map = "string, string", tag = "5")] access_token_headers: BTreeMap<String, String>,
        #[prost(btree_map = "string, string", tag = "6")] access_token_response_map: BTreeMap<String, String>,
        #[prost(string, tag = "7")] refresh_token_url_template: String,
        #[prost(string, tag = "8")] refresh_token_body: String,
        #[prost(btree_map = "string, string", tag = "9")] refresh_token_headers: BTreeMap<String, String>,
        #[prost(btree_map = "string, string", tag = "10")] refresh_token_response_map: BTreeMap<String, String>,
        #[prost(string, tag = "11")] access_token_method: String,
        #[prost(string, tag = "12")] refresh_token_method: String,
    }
    Discovered {
        #[prost(message, repeated, tag = "1")] bindings: Vec<DiscoveredBinding>,
    }
    DiscoveredBinding {
        #[prost(string, tag = "1")] recommended_name: String,
        #[prost(string, tag = "2")] resource_config: String,
        #[prost(string, tag = "3")] document_schema: String,
        #[prost(string, repeated, tag = "4")] key: Vec<String>,
        #[prost(bool, tag = "5")] disable: bool,
        #[prost(string, repeated, tag = "6")] resource_path: Vec<String>,
        #[prost(bool, tag = "7")] is_fallback_key: bool,
    }
    Validated {
        #[prost(message, repeated, tag = "1")] bindings: Vec<ValidatedBinding>,
    }
    ValidatedBinding {
        #[prost(string, repeated, tag = "1")] resource_path: Vec<String>,
    }
    Applied {
        #[prost(string, tag = "1")] action_description: String,
        #[prost(message, optional, tag = "2")] state: Option<ConnectorState>,
    }
    Opened {
        #[prost(bool, tag = "1")] explicit_acknowledgements: bool,
    }
    Checkpoint {
        #[prost(message, optional, tag = "1")] state: Option<ConnectorState>,
    }
    ConnectorState {
        #[prost(string, tag = "1")] updated: String,
        #[prost(bool, tag = "2")] merge_patch: bool,
    }
    JsonOf {
        #[prost(uint32, tag = "1")] binding: u32,
        #[prost(bytes = "vec", tag = "2")] text: Vec<u8>,
    }
    Number {
        #[prost(uint32, tag = "1")] value: u32,
    }
}
