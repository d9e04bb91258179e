//! What is posted to a resource.

use hyper::header::HeaderName;

use super::{Rule, Signature};

/// What is posted to a resource: which documents are its, and who may post them.
///
/// ```
/// use staunch::Resource;
/// use staunch::webhook::{Endpoint, Rule, Signature};
///
/// # let secret = "hunter2";
/// let orders = Endpoint::new(Rule::path("/orders"))
///     .signature(Signature::github(secret))
///     .id_header("x-github-delivery");
/// let orders = Resource::new("orders").webhook(orders);
/// # let _ = orders;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Endpoint {
    pub(crate) rule: Rule,
    pub(crate) signature: Option<Signature>,
    pub(crate) id: Option<IdFrom>,
    pub(crate) hidden: Vec<String>,
}

/// Where a sender says which request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdFrom {
    Header(String),
    Parameter(String),
}

impl Endpoint {
    /// Takes the documents that `rule` matches, from whoever posts them: the port may be public.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            signature: None,
            id: None,
            hidden: Vec::new(),
        }
    }

    /// Takes a request only if it bears this signature. Others are answered with 401, and nothing of them is captured.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// The id of a document is the value of this header, so that a request which is sent again gives the same one. A request without
    /// it has an id of its own. Elements of an array have their number behind it: `72d3162e/1`.
    pub fn id_header(mut self, name: impl Into<String>) -> Self {
        self.id = Some(IdFrom::Header(name.into()));
        self
    }

    /// As [`id_header`](Self::id_header), from a parameter of the path.
    pub fn id_parameter(mut self, name: impl Into<String>) -> Self {
        self.id = Some(IdFrom::Parameter(name.into()));
        self
    }

    /// Leaves headers and parameters of the query that have this name out of `_meta`, for all endpoints of the capture. Those that
    /// usually hold secrets always are, and so is the header of the signature.
    pub fn hide(mut self, name: impl Into<String>) -> Self {
        self.hidden.push(name.into());
        self
    }

    /// What is wrong with it, whatever other endpoints there are. What is wrong with its rule is the router's to tell.
    pub(crate) fn problems(&self, resource: &str) -> Vec<String> {
        let signature = self.signature.iter().flat_map(Signature::problems);
        let mut problems: Vec<String> = signature
            .map(|problem| format!("the signature of `{resource}` verifies nothing: {problem}"))
            .collect();
        match &self.id {
            Some(IdFrom::Header(name)) if HeaderName::from_bytes(name.as_bytes()).is_err() => {
                problems.push(format!(
                    "the id of `{resource}` is in no header: `{name}` is no name of one"
                ));
            }
            Some(IdFrom::Parameter(name)) if !self.rule.has_parameter(name) => {
                problems.push(format!(
                    "the id of `{resource}` is in no parameter: its path has none that is named `{name}`"
                ));
            }
            _ => {}
        }
        problems
    }
}
