//! What is posted to a resource.

use super::{Rule, Signature};

/// What is posted to a resource: which documents are its, and who may post them.
///
/// ```
/// use staunch::Resource;
/// use staunch::webhook::{Endpoint, Rule};
///
/// let orders = Resource::new("orders").webhook(Endpoint::new(Rule::path("/orders")));
/// # let _ = orders;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Endpoint {
    pub(crate) rule: Rule,
    pub(crate) signature: Option<Signature>,
}

impl Endpoint {
    /// Takes the documents that `rule` matches, from whoever posts them: the port may be public.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            signature: None,
        }
    }

    /// Takes a request only if it bears this signature. Others are answered with 401, and nothing of them is captured.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}
