//! Where answers lead to that are elsewhere.

use staunch::http::{HttpError, Method};
use staunch_net_tests::faults::{Answer, Asked, FaultServer};

use crate::asking::{once, patient, read, serve, shown};
use crate::tokens::Tokens;

const SECRET: &str = "hunter2-hunter2";

fn to(status: u16, location: impl ToString) -> Answer {
    Answer::new(status, "over there").header("location", location)
}

/// Leads from `/0` to `/1`, and so on up to `/{last}`, which answers.
fn chain(status: u16, last: u64) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| {
        let at: u64 = asked.path()[1..].parse().unwrap();
        match at < last {
            true => to(status, at + 1),
            false => Answer::new(200, asked.target.clone()),
        }
    }
}

#[tokio::test]
async fn ten_redirects_are_followed_and_not_one_more() {
    for status in [301, 302, 303, 307, 308] {
        let server = FaultServer::start(chain(status, 10)).await;
        let answer = once(&server).get("/0").send().await.unwrap();
        assert_eq!(answer.text(), "/10", "{status}");
        let (body, _) = read(once(&server).get("/0").stream().await.unwrap()).await;
        assert_eq!(body, b"/10");

        let server = FaultServer::start(chain(status, 11)).await;
        let error = patient(&server).get("/0").send().await.unwrap_err();
        assert!(matches!(error, HttpError::Redirected { .. }), "{error:?}");
        assert_eq!(server.log().len(), 11, "it leads there the next time too");
    }
}

#[tokio::test]
async fn a_loop_comes_to_an_end_that_says_so() {
    let server = serve([to(302, "/b?token=hunter2-hunter2"), to(302, "/a")]).await;
    let error = patient(&server).get("/a").send().await.unwrap_err();
    let shown = shown(&error);
    assert!(
        shown.contains("ten redirects") && shown.contains("/a"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn an_address_is_read_from_where_it_was_given() {
    for (location, target) in [
        ("y", "/a/b/y"),
        ("../y?q=1", "/a/y?q=1"),
        ("?q=1", "/a/b/c?q=1"),
        ("/y z", "/y%20z"),
        ("#part", "/a/b/c"),
    ] {
        let server = serve([to(302, location), Answer::new(200, "")]).await;
        once(&server).get("/a/b/c").send().await.unwrap();
        assert_eq!(server.log()[1].asked.target, target, "{location}");
    }
}

#[tokio::test]
async fn a_redirect_keeps_the_method_and_the_body_or_becomes_a_get_without_one() {
    for (status, method, expected) in [
        (301, Method::POST, "GET"),
        (302, Method::POST, "GET"),
        (303, Method::POST, "GET"),
        (303, Method::PUT, "GET"),
        (307, Method::POST, "POST"),
        (308, Method::POST, "POST"),
        (301, Method::PUT, "PUT"),
        (302, Method::DELETE, "DELETE"),
        (303, Method::HEAD, "HEAD"),
    ] {
        let server = serve([to(status, "/there"), Answer::new(200, "")]).await;
        let request = once(&server)
            .request(method.clone(), "/here")
            .header("x-key", SECRET);
        request.json(&[1]).send().await.unwrap();
        let asked = &server.log()[1].asked;
        assert_eq!(asked.method, expected, "{status} {method}");
        let has_body = expected != "GET";
        assert_eq!(asked.body, if has_body { &b"[1]"[..] } else { b"" });
        assert_eq!(asked.header("content-type").is_some(), has_body);
        assert_eq!(asked.header("x-key"), Some(SECRET), "it is the same server");
    }
}

#[tokio::test]
async fn another_origin_is_told_nothing_and_neither_is_what_comes_after_it() {
    let home = serve([Answer::new(200, "home")]).await;
    let back = format!("{}/back", home.url());
    let other = serve([to(302, &back)]).await;
    let away = to(302, format!("{}/away", other.url()));
    let start = serve([away]).await;
    let client = once(&start)
        .scoped()
        .credentials(Tokens::default())
        .header("x-client", SECRET);
    let request = client
        .build()
        .get("/start")
        .query("k", SECRET)
        .header("x-key", SECRET);
    let request = request
        .header("accept", "text/plain")
        .header("cookie", SECRET);
    assert_eq!(request.send().await.unwrap().text(), "home");
    assert!(start.log()[0].asked.header("authorization").is_some());
    for server in [&other, &home] {
        let asked = &server.log()[0].asked;
        assert_eq!(asked.header("accept"), Some("text/plain"));
        let told = format!("{asked:?}");
        assert!(
            !told.contains("hunter2") && !told.contains("token-"),
            "{told}"
        );
        assert_eq!(asked.header("referer"), None);
    }
}

#[tokio::test]
async fn nothing_but_a_get_is_sent_on_to_another_origin() {
    let other = serve([Answer::new(200, "")]).await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let server = serve([to(307, format!("{}/x?k={SECRET}", other.url()))]).await;
        let error = patient(&server)
            .request(method, "/")
            .body("text")
            .send()
            .await
            .unwrap_err();
        match &error {
            HttpError::Redirected { to, .. } => assert_eq!(*to, format!("{}/x", other.url())),
            other => panic!("{other:?}"),
        }
        assert!(!shown(&error).contains("hunter2"), "{error:?}");
    }
    assert_eq!(other.log().len(), 0);
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_an_error() {
    let nowhere = Answer::new(302, "");
    for (answer, shown_to) in [
        (nowhere, "no address"),
        (to(302, "http://["), "no address"),
        (
            to(302, "ftp://u:hunter2-hunter2@host/x?hunter2#hunter2"),
            "ftp://host/x",
        ),
        (to(302, "data:text/plain,x"), "neither `http`"),
    ] {
        let server = serve([answer]).await;
        let error = patient(&server).get("/").send().await.unwrap_err();
        assert!(matches!(error, HttpError::Redirected { .. }), "{error:?}");
        let shown = shown(&error);
        assert!(
            shown.contains(shown_to) && !shown.contains("hunter2"),
            "{shown}"
        );
        assert_eq!(server.log().len(), 1);
    }
    // What leads nowhere by its meaning is an answer.
    for status in [300, 304] {
        let server = serve([to(status, "/y")]).await;
        assert_eq!(
            once(&server).get("/").send().await.unwrap().status(),
            status
        );
    }
}

#[tokio::test]
async fn what_fails_at_the_end_of_a_redirect_is_asked_again_from_its_beginning() {
    let end = serve([Answer::new(503, "not yet"), Answer::new(404, "gone")]).await;
    let there = format!("{}/end?k={SECRET}", end.url());
    let server = serve([to(302, there)]).await;
    let error = patient(&server).get("/start").send().await.unwrap_err();
    assert_eq!((error.status(), server.log().len()), (Some(404), 2));
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.asked().url, format!("{}/end", end.url()));
    assert!(!shown(&error).contains("hunter2"), "{error:?}");
}
