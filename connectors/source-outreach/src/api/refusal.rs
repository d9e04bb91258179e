//! What the API's errors mean to whoever owns the account.

use serde::Deserialize;
use staunch::BoxError;
use staunch::http::HttpError;

/// The API refused: what a person can do. What it said itself is the source.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be captured: {problem}")]
pub(super) struct Refused {
    path: &'static str,
    problem: String,
    source: Option<HttpError>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    id: String,
}

impl Refused {
    /// What an error comes to. One that is not the API's own word says enough by itself.
    pub(super) fn of(path: &'static str, error: HttpError) -> BoxError {
        let Some(refusal) = error.refusal() else {
            return error.into();
        };
        let errors = refusal.json::<Errors>();
        let first = errors.ok().and_then(|all| all.errors.into_iter().next());
        let id = first.map(|error| error.id).unwrap_or_default();
        match problem(path, refusal.status(), &id) {
            Some(problem) => Self {
                path,
                problem,
                source: Some(error),
            }
            .into(),
            None => error.into(),
        }
    }

    /// A page of one record is too much.
    pub(super) fn overloaded(path: &'static str) -> Self {
        let problem = "Outreach answers with status 502 even to a page of one record; try again later, and tell its support if that \
                       goes on"
            .to_owned();
        Self {
            path,
            problem,
            source: None,
        }
    }
}

/// What is wrong and what to do, by the status and the error's id.
///
/// # Source
/// The API's documentation, its table of errors.
fn problem(path: &str, status: u16, id: &str) -> Option<String> {
    let problem = match (status, id) {
        (401, _) => "Outreach does not take the access token, which has expired or was revoked; open the capture again, which gets a \
                     new one, and if that does not help, authorise it anew in the endpoint config"
            .to_owned(),
        (403, "unauthorizedOauthScope") => format!(
            "the capture was authorised without the scope `{path}.read`; authorise it anew in the endpoint config and consent to all \
             scopes, or disable the binding"
        ),
        (403, _) => format!(
            "the user who authorised the capture may not see `{path}`; let an administrator of Outreach permit it in the governance \
             profile of that user, or authorise the capture as another user, or disable the binding"
        ),
        (404, _) => format!("the account has no `{path}`; see that its plan includes them, or disable the binding"),
        (415, _) => "Outreach does not take the media type of the request; tell whoever maintains this connector".to_owned(),
        (422, _) => "Outreach does not take the request as it is, which happens when a backfill goes on at a page that has expired; \
                     backfill the binding anew, and if that does not help, tell whoever maintains this connector"
            .to_owned(),
        (429, _) => "the account has used up its requests of this hour; let other applications of the account ask less, or have \
                     Outreach raise its limit, and open the capture again"
            .to_owned(),
        (503, "scheduledServerMaintenance") => {
            "Outreach is being maintained; open the capture again when that is over, as status.outreach.io tells".to_owned()
        }
        (500.., _) => "Outreach fails to answer; see status.outreach.io, and open the capture again later".to_owned(),
        _ => return None,
    };
    Some(problem)
}
