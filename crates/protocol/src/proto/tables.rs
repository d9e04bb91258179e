//! The messages that are kept as JSON text here, and are messages of their own on the protobuf wire.
//!
//! Nobody in this house looks inside these: shard and journal templates, inferences, OAuth2 settings and ports pass through. In
//! JSON they are text and stay so; in protobuf they must be taken apart and put together. So each is a table of its fields, in
//! the order of their tags. Fields whose tag is not certain are missing: they are dropped when written, and not read.

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) fields: &'static [Field],
}

/// A field: its tag, its JSON name, and what it holds.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) tag: u32,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a field holds. In JSON a default is left out, whatever the kind; an empty message is none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Texts,
    Boolean,
    Uint32,
    /// A string of digits in JSON.
    Int64,
    Double,
    /// A name in JSON; its number is accepted, too.
    Enum(&'static [(u32, &'static str)]),
    /// JSON text on the wire.
    Json,
    Jsons,
    /// An object of values that are JSON text on the wire.
    JsonMap,
    /// Seconds with an `s` in JSON: `62.250s`.
    Duration,
    Message(&'static Message),
    Messages(&'static Message),
}

use Kind::{
    Boolean, Double, Duration, Enum, Int64, Json, JsonMap, Jsons, Messages, Text, Texts, Uint32,
};

const fn field(tag: u32, name: &'static str, kind: Kind) -> Field {
    Field { tag, name, kind }
}

pub(crate) static OAUTH2: Message = Message {
    fields: &[
        field(1, "provider", Text),
        field(2, "authUrlTemplate", Text),
        field(3, "accessTokenUrlTemplate", Text),
        field(4, "accessTokenBody", Text),
        field(5, "accessTokenHeaders", JsonMap),
        field(6, "accessTokenResponseMap", JsonMap),
        field(7, "refreshTokenUrlTemplate", Text),
        field(8, "refreshTokenBody", Text),
        field(9, "refreshTokenHeaders", JsonMap),
        field(10, "refreshTokenResponseMap", JsonMap),
        field(11, "accessTokenMethod", Text),
        field(12, "refreshTokenMethod", Text),
    ],
};

pub(crate) static NETWORK_PORT: Message = Message {
    fields: &[
        field(1, "number", Uint32),
        field(2, "protocol", Text),
        field(3, "public", Boolean),
    ],
};

pub(crate) static INFERENCE: Message = Message {
    fields: &[
        field(1, "types", Texts),
        field(3, "string", Kind::Message(&STRING_INFERENCE)),
        field(4, "title", Text),
        field(5, "description", Text),
        field(6, "default", Json),
        field(7, "secret", Boolean),
        field(8, "exists", Enum(EXISTS)),
        field(9, "numeric", Kind::Message(&NUMERIC_INFERENCE)),
        field(10, "array", Kind::Message(&ARRAY_INFERENCE)),
        field(11, "enum", Jsons),
        field(12, "reduce", Enum(REDUCE)),
        field(13, "redact", Enum(REDACT)),
        field(14, "contentMediaType", Text),
    ],
};

static STRING_INFERENCE: Message = Message {
    fields: &[
        field(3, "contentType", Text),
        field(4, "format", Text),
        field(6, "maxLength", Uint32),
        field(7, "contentEncoding", Text),
    ],
};

static NUMERIC_INFERENCE: Message = Message {
    fields: &[
        field(1, "hasMinimum", Boolean),
        field(2, "minimum", Double),
        field(3, "hasMaximum", Boolean),
        field(4, "maximum", Double),
    ],
};

static ARRAY_INFERENCE: Message = Message {
    fields: &[
        field(1, "minItems", Uint32),
        field(2, "hasMaxItems", Boolean),
        field(3, "maxItems", Uint32),
        field(4, "itemTypes", Texts),
    ],
};

const EXISTS: &[(u32, &str)] = &[
    (0, "INVALID"),
    (1, "MUST"),
    (2, "MAY"),
    (3, "IMPLICIT"),
    (4, "CANNOT"),
];

const REDUCE: &[(u32, &str)] = &[
    (0, "REDUCE_UNSET"),
    (1, "REDUCE_MULTIPLE"),
    (2, "REDUCE_APPEND"),
    (3, "REDUCE_FIRST_WRITE_WINS"),
    (4, "REDUCE_LAST_WRITE_WINS"),
    (5, "REDUCE_MAXIMIZE"),
    (6, "REDUCE_MERGE"),
    (7, "REDUCE_MINIMIZE"),
    (8, "REDUCE_SET"),
    (9, "REDUCE_SUM"),
    (10, "REDUCE_JSON_SCHEMA_MERGE"),
];

const REDACT: &[(u32, &str)] = &[
    (0, "REDACT_UNSET"),
    (1, "REDACT_MULTIPLE"),
    (2, "REDACT_BLOCK"),
    (3, "REDACT_SHA256"),
];

pub(crate) static JOURNAL_SPEC: Message = Message {
    fields: &[
        field(1, "name", Text),
        field(2, "replication", Uint32),
        field(3, "labels", Kind::Message(&LABEL_SET)),
        field(4, "fragment", Kind::Message(&FRAGMENT)),
        field(6, "flags", Uint32),
        field(7, "maxAppendRate", Int64),
    ],
};

static FRAGMENT: Message = Message {
    fields: &[
        field(1, "length", Int64),
        field(2, "compressionCodec", Enum(COMPRESSION)),
        field(3, "stores", Texts),
        field(4, "refreshInterval", Duration),
        field(6, "flushInterval", Duration),
        field(7, "pathPostfixTemplate", Text),
    ],
};

const COMPRESSION: &[(u32, &str)] = &[
    (0, "INVALID"),
    (1, "NONE"),
    (2, "GZIP"),
    (3, "ZSTANDARD"),
    (4, "SNAPPY"),
    (5, "GZIP_OFFLOAD_DECOMPRESSION"),
];

pub(crate) static SHARD_SPEC: Message = Message {
    fields: &[
        field(1, "id", Text),
        field(3, "recoveryLogPrefix", Text),
        field(4, "hintPrefix", Text),
        field(5, "hintBackups", Uint32),
        field(6, "maxTxnDuration", Duration),
        field(9, "hotStandbys", Uint32),
        field(10, "labels", Kind::Message(&LABEL_SET)),
        field(12, "ringBufferSize", Uint32),
        field(13, "readChannelSize", Uint32),
    ],
};

static LABEL_SET: Message = Message {
    fields: &[field(1, "labels", Messages(&LABEL))],
};

static LABEL: Message = Message {
    fields: &[field(1, "name", Text), field(2, "value", Text)],
};
