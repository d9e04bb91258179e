//! The endpoint config that a capture opens with: as it was given, or as the connector wants it from now on.
//!
//! ```text
//! config ─► update_config ─► rotate_tokens ─► encrypted ─► announced ─► what all else sees
//!           └─ decides ─┘    └─ may ask ──┘   └── once, whatever was changed ──┘
//! ```
//!
//! An update is announced before anything uses it: what cannot be announced must not be relied upon, as the next process would
//! still have the old config. Both kinds go out as one event, because of several events of a session a control plane may take but
//! the first. Migrations and resources see the new config.
//!
//! With feature `http` only: the config is encrypted by a service, since the control plane stores none that is not.

use staunch_protocol::RawValue;

use crate::capture::BoxError;
use crate::config;
use crate::connector::Connector;
use crate::migrate::Purpose;

#[cfg(feature = "http")]
mod encryption;
#[cfg(feature = "http")]
mod rotating;

#[cfg(feature = "http")]
pub use rotating::Rotating;

/// An endpoint config that is to take the place of the present one.
///
/// It is what the control plane will store, and start the connector with from then on. See
/// [`Connector::update_config`](crate::Connector::update_config).
///
/// ```
/// let config = serde_json::json!({ "advanced": { "region": "eu" } });
/// let update = staunch::ConfigUpdate::new("The region is an advanced option now.", config);
/// assert!(!format!("{update:?}").contains("eu"), "a config may hold secrets");
/// ```
#[cfg(feature = "http")]
#[derive(Clone, PartialEq)]
pub struct ConfigUpdate {
    message: String,
    config: serde_json::Value,
}

#[cfg(feature = "http")]
impl ConfigUpdate {
    /// An update to `config`, which is the whole config in plain text. The message tells people why; it is logged, and must hold
    /// nothing of the config.
    pub fn new(message: impl Into<String>, config: serde_json::Value) -> Self {
        Self {
            message: message.into(),
            config,
        }
    }
}

/// Without the config, which has secrets.
#[cfg(feature = "http")]
impl std::fmt::Debug for ConfigUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigUpdate")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// The config that a capture goes on with.
pub(crate) struct Current<C> {
    pub(crate) config: C,
    /// When the next rotation of its tokens is due, if there is one: the capture must have been opened anew by the time they expire.
    pub(crate) rotation: Option<jiff::Timestamp>,
}

/// The config that the capture is to go on with: updated, and announced, if the connector wants it to be.
///
/// # Errors
/// When the config, or the updated one, does not fit; when a token cannot be rotated; and when the update cannot be announced.
#[cfg(not(feature = "http"))]
pub(crate) async fn current<C: Connector>(
    connector: &C,
    json: &RawValue,
    _: Purpose,
    _: jiff::Timestamp,
) -> Result<Current<C::Config>, BoxError> {
    Ok(Current {
        config: config::read(connector, json.get())?,
        rotation: None,
    })
}

/// The config that the capture is to go on with: updated, and announced, if the connector wants it to be.
///
/// # Errors
/// When the config, or the updated one, does not fit; when a token cannot be rotated; and when the update cannot be announced.
#[cfg(feature = "http")]
pub(crate) async fn current<C: Connector>(
    connector: &C,
    json: &RawValue,
    purpose: Purpose,
    now: jiff::Timestamp,
) -> Result<Current<C::Config>, BoxError> {
    let mut config = config::read(connector, json.get())?;
    let mut json: serde_json::Value = serde_json::from_str(json.get())?;
    let mut messages = Vec::new();
    // An update to what is there already is none: announced at each opening, it would restart the capture for ever.
    if let Some(update) = connector.update_config(&config, &json)?
        && update.config != json
    {
        config = config::read(connector, &update.config.to_string()).map_err(|error| {
            format!("the connector updates its config to one that it cannot read: {error}")
        })?;
        json = update.config;
        messages.push(update.message);
    }
    if let Purpose::Look { .. } = purpose {
        for message in messages {
            tracing::info!("opening the capture would update its endpoint config: {message}");
        }
        let rotation = None;
        return Ok(Current { config, rotation }); // A look posts nothing, and spends no token.
    }
    let client = crate::http::Client::of_opening();
    let rotating = Rotating {
        config: &config,
        json: &json,
        now,
        http: &client,
        due: std::sync::Mutex::default(),
    };
    let rotated = connector.rotate_tokens(&rotating).await?;
    let rotation = rotating.due();
    let is_rotated = rotated.is_some();
    if let Some(update) = rotated {
        json = update.config;
        messages.push(update.message);
    }
    if messages.is_empty() {
        return Ok(Current { config, rotation });
    }
    let schema = connector.config_schema();
    let announced = encryption::encrypt(&client, &json, &schema).await;
    let encrypted = announced.map_err(|error| -> BoxError {
        if is_rotated {
            let lost = "the tokens that were just obtained are lost with it, so the capture may have to be authorised anew";
            return format!("{error}; {lost}").into();
        }
        error.into()
    })?;
    encryption::announce(&messages.join(" "), encrypted);
    if is_rotated {
        // Only now: whatever else is wrong with it, the tokens are safe.
        config = config::read(connector, &json.to_string()).map_err(|error| {
            format!("the connector rotates its tokens to a config that it cannot read: {error}")
        })?;
    }
    Ok(Current { config, rotation })
}
