//! Where an answer leads to that is elsewhere.

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE,
    USER_AGENT,
};
use reqwest::{Method, StatusCode, Url};

/// How many redirects are followed, one after the other.
pub(super) const MAX_REDIRECTS: usize = 10;

/// A request as it goes out.
#[derive(Clone)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFollowed {
    Unreadable,
    NotHttp,
    Downgrade,
    /// Something other than a `GET` that would go to another host.
    Elsewhere,
}

impl NotFollowed {
    pub(super) fn problem(self) -> &'static str {
        match self {
            NotFollowed::Unreadable => "that is no address; tell the source's support",
            NotFollowed::NotHttp => "that is neither `http` nor `https`; tell the source's support",
            NotFollowed::Downgrade => {
                "that would go on without encryption; ask for an `https` address that does not lead there"
            }
            NotFollowed::Elsewhere => {
                "only a `GET` is sent on to another host; ask that address itself if it is to be trusted"
            }
        }
    }
}

impl Hop {
    /// The request that an answer leads to, if it leads to one. To another host it takes no header along that could be a secret.
    pub(super) fn follow(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Result<Hop, NotFollowed>> {
        let becomes_get = match status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::HEAD,
            307 | 308 => false,
            _ => return None,
        };
        let location = headers.get(LOCATION).ok_or(NotFollowed::Unreadable);
        Some(location.and_then(|location| self.towards(location, becomes_get)))
    }

    fn towards(&self, location: &HeaderValue, becomes_get: bool) -> Result<Hop, NotFollowed> {
        let location = std::str::from_utf8(location.as_bytes()).ok();
        let url = location.and_then(|location| self.url.join(location).ok());
        let mut url = url.ok_or(NotFollowed::Unreadable)?;
        match (self.url.scheme(), url.scheme()) {
            ("https", "http") => return Err(NotFollowed::Downgrade),
            (_, "http" | "https") => {}
            _ => return Err(NotFollowed::NotHttp),
        }
        if url.fragment().is_none() {
            url.set_fragment(self.url.fragment());
        }
        let mut next = Hop {
            url,
            ..self.clone()
        };
        if becomes_get {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_LENGTH);
        }
        if !is_same_host(&self.url, &next.url) {
            if !matches!(next.method, Method::GET | Method::HEAD) {
                return Err(NotFollowed::Elsewhere);
            }
            let harmless = [ACCEPT, ACCEPT_ENCODING, RANGE, USER_AGENT].into_iter();
            let kept =
                harmless.filter_map(|name| Some((name.clone(), self.headers.get(name)?.clone())));
            next.headers = kept.collect();
        }
        Ok(next)
    }
}

/// The same scheme, host and port, or from `http` to `https` there.
fn is_same_host(from: &Url, to: &Url) -> bool {
    let is_upgrade = from.scheme() == "http"
        && to.scheme() == "https"
        && from.host() == to.host()
        && from.port().is_none()
        && to.port().is_none();
    is_upgrade || from.origin() == to.origin()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

    use super::*;

    fn hop(method: Method, url: &str) -> Hop {
        let headers = [("authorization", "s"), ("x-key", "s"), ("accept", "a")];
        let headers =
            headers.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        Hop {
            method,
            url: url.parse().unwrap(),
            headers: headers.into_iter().collect(),
            body: Bytes::from_static(b"body"),
        }
    }

    fn follow(from: &Hop, status: u16, to: &str) -> Option<Result<Hop, NotFollowed>> {
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(to).unwrap())]);
        from.follow(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn a_redirect_on_the_same_host_takes_everything_along() {
        let from = hop(Method::GET, "https://a.example/v1/x?q=1");
        let to = follow(&from, 302, "../y?z=2").unwrap().ok().unwrap();
        assert_eq!(to.url.as_str(), "https://a.example/y?z=2");
        assert_eq!(to.headers.len(), 3);
        let from = hop(Method::GET, "http://a.example/x");
        let to = follow(&from, 308, "https://a.example/x")
            .unwrap()
            .ok()
            .unwrap();
        assert_eq!(to.headers.len(), 3, "an upgrade");
    }

    #[test]
    fn a_redirect_to_another_host_takes_nothing_secret_along() {
        for to in [
            "https://b.example/x",
            "https://a.example:8443/x",
            "//b.example/",
        ] {
            let from = hop(Method::GET, "https://a.example/x");
            let to = follow(&from, 302, to).unwrap().ok().unwrap();
            assert_eq!(to.headers.keys().collect::<Vec<_>>(), [&ACCEPT]);
        }
    }

    #[test]
    fn a_post_becomes_a_get_where_the_status_says_so_and_goes_nowhere_else_as_a_post() {
        let from = hop(Method::POST, "https://a.example/x");
        for (status, method) in [
            (301, Method::GET),
            (302, Method::GET),
            (303, Method::GET),
            (307, Method::POST),
            (308, Method::POST),
        ] {
            let to = follow(&from, status, "/y").unwrap().ok().unwrap();
            assert_eq!(to.method, method, "{status}");
            assert_eq!(to.body.is_empty(), method == Method::GET, "{status}");
        }
        let refused = follow(&from, 307, "https://b.example/").unwrap();
        assert_eq!(refused.err(), Some(NotFollowed::Elsewhere));
    }

    #[test]
    fn nothing_is_sent_to_where_it_could_be_read_or_is_no_address() {
        let from = hop(Method::GET, "https://a.example/x");
        for (to, why) in [
            ("http://a.example/x", NotFollowed::Downgrade),
            ("ftp://a.example/x", NotFollowed::NotHttp),
            ("http://[", NotFollowed::Unreadable),
        ] {
            assert_eq!(follow(&from, 302, to).unwrap().err(), Some(why), "{to}");
        }
        assert!(follow(&from, 304, "/y").is_none());
        let nowhere = from.follow(StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(nowhere.unwrap().err(), Some(NotFollowed::Unreadable));
    }
}
