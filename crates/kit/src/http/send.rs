//! Asking, again and again if need be.

use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use reqwest::{StatusCode, Version};
use tokio::time::{Instant, sleep, timeout};

use super::error::Secrets;
use super::redirect::{Hop, MAX_REDIRECTS};
use super::request::Draft;
use super::retry::{Failure, Tries};
use super::{
    Asked, Authorization, Body, Client, Hints, HttpError, Outcome, Refusal, Request, Response,
    Streamed, Verdict,
};
use crate::clock::{self, Held};
use crate::decode;

/// Bytes of a refusal's body that are read.
const REFUSAL_BYTES: usize = 64 << 10;

impl Request {
    /// Sends it, and reads the whole answer. What may pass is asked again, as the client's [`Retry`](super::Retry) says.
    ///
    /// # Errors
    /// [`HttpError`] for an answer of 400 or above, for one that does not come whole, and for a request that cannot be sent.
    pub async fn send(self) -> Result<Response, HttpError> {
        let (client, draft) = (self.client, self.draft?);
        let mut asking = Asking::new(&client, &draft)?;
        loop {
            let permit = asking.turn().await?;
            let tried = timeout(client.settings.timeouts.total, asking.whole()).await;
            let tried = tried.unwrap_or_else(|_| Err(asking.late()));
            permit.report(asking.outcome(&tried));
            match tried {
                Ok((response, _)) => return Ok(response),
                Err(tried) => asking.wait(tried).await?,
            }
        }
    }

    /// Sends it, and gives the answer as soon as it begins; its body is read as it arrives, and may have any size.
    ///
    /// What fails before the body begins is asked again, as the client's [`Retry`](super::Retry) says.
    ///
    /// # Errors
    /// As [`send`](Self::send), but for the body.
    pub async fn stream(self) -> Result<Streamed, HttpError> {
        let (client, draft) = (self.client, self.draft?);
        let mut asking = Asking::new(&client, &draft)?;
        loop {
            let permit = asking.turn().await?;
            let tried = asking.begun().await;
            permit.report(asking.outcome(&tried));
            match tried {
                Ok((streamed, _)) => return Ok(streamed),
                Err(tried) => asking.wait(tried).await?,
            }
        }
    }
}

/// A request, as far as it has come.
struct Asking<'a> {
    client: &'a Client,
    draft: &'a Draft,
    /// With the client's headers, and without its credentials.
    first: Hop,
    is_home: bool,
    authorization: Option<Authorization>,
    /// Whether the server did not take what it was authorised with before this.
    is_anew: bool,
    tries: Tries,
    since: Instant,
}

/// What came of one try, and what it says of the server's limits.
type Tried<T> = Result<(T, Hints), Unanswered>;

/// A try that is no answer to go on with.
struct Unanswered {
    error: HttpError,
    failure: Failure,
    /// `None` if nothing was heard.
    hints: Option<Box<Hints>>,
}

impl<'a> Asking<'a> {
    fn new(client: &'a Client, draft: &'a Draft) -> Result<Self, HttpError> {
        client.connections.client()?; // There is no use in waiting for anything without one.
        let settings = &client.settings;
        let is_home = settings.is_home(&draft.url);
        let mut headers = match is_home {
            true => settings.headers.clone(),
            false => super::client::Settings::default().headers,
        };
        headers.extend(draft.headers.clone());
        Ok(Self {
            client,
            draft,
            first: Hop {
                method: draft.method.clone(),
                url: draft.url.clone(),
                headers,
                body: draft.body.clone(),
            },
            is_home,
            authorization: None,
            is_anew: false,
            tries: Tries::default(),
            since: Instant::now(),
        })
    }

    /// Waits until it may be asked, with credentials at hand.
    async fn turn(&mut self) -> Result<super::Permit, HttpError> {
        let settings = &self.client.settings;
        if let Some(credentials) = &settings.credentials
            && self.is_home
            && !self
                .draft
                .headers
                .contains_key(reqwest::header::AUTHORIZATION)
        {
            let authorization = credentials.authorization().await;
            let authorization = authorization.map_err(|source| HttpError::Unauthorised {
                asked: self.draft.asked(),
                source,
            })?;
            self.authorization = Some(authorization);
        }
        let permit = settings.limiter.acquire_cost(self.draft.cost).await;
        self.tries.asked += 1;
        Ok(permit)
    }

    /// One try, the body included.
    async fn whole(&self) -> Tried<Response> {
        let answer = self.answered().await?;
        let max_bytes = self.client.settings.max_body_bytes;
        if answer.is_refusal() {
            return self.refusal(answer).await;
        }
        let announced = answer.announced();
        if announced > max_bytes {
            let asked = answer.asked;
            return Err(self.lasting(HttpError::TooLarge { asked, max_bytes }));
        }
        let has_end = answer.has_end();
        let (head, body) = self.body(answer, max_bytes);
        let body = body?.read_whole(announced).await;
        let response = head.with(body.map_err(|error| self.broken(error))?);
        if !has_end && response.is_json_cut_short() {
            let asked = response.asked;
            let source = "the body ends in the middle of its JSON".into();
            return Err(self.broken(HttpError::Broken { asked, source }));
        }
        let hints = self.hints(&response);
        match self.client.settings.judge(&response) {
            Verdict::Accept | Verdict::AsUsual => Ok((response, hints)),
            verdict => Err(self.refused(verdict, response, hints)),
        }
    }

    /// What an answer with a status of 400 or above comes to. It is a refusal however little of its body can be read, but for a judge
    /// that accepts it: then that is the answer, and has to be whole.
    async fn refusal(&self, answer: Answer) -> Tried<Response> {
        let settings = &self.client.settings;
        let max_bytes = match settings.judge {
            Some(_) => settings.max_body_bytes,
            None => REFUSAL_BYTES as u64,
        };
        let (head, body) = self.body(answer, u64::MAX);
        let mut beginning = Vec::new();
        let read = match body {
            Ok(body) => {
                let reading = body.read_beginning(max_bytes, &mut beginning);
                let read = timeout(settings.timeouts.total, reading).await;
                let late = |_| {
                    Err(HttpError::Late {
                        asked: head.asked.clone(),
                    })
                };
                read.unwrap_or_else(late)
                    .map_err(|error| self.broken(error))
            }
            Err(undecodable) => Err(undecodable),
        };
        let response = head.with(beginning);
        let hints = self.hints(&response);
        match settings.judge(&response) {
            Verdict::Accept => read.map(|()| (response, hints)),
            verdict => Err(self.refused(verdict, response, hints)),
        }
    }

    /// One try, until the body begins.
    async fn begun(&self) -> Tried<Streamed> {
        let answer = self.answered().await?;
        if answer.is_refusal() {
            let (accepted, hints) = self.refusal(answer).await?;
            return Ok((Streamed::of(accepted), hints));
        }
        let (head, body) = self.body(answer, u64::MAX);
        let body = body?;
        let response = head.with(Vec::new());
        let hints = self.hints(&response);
        match self.client.settings.judge(&response) {
            Verdict::Accept | Verdict::AsUsual => {
                let Response {
                    asked,
                    status,
                    headers,
                    ..
                } = response;
                let streamed = Streamed {
                    asked,
                    status,
                    headers,
                    body,
                };
                Ok((streamed, hints))
            }
            verdict => Err(self.refused(verdict, response, hints)),
        }
    }

    /// The head of an answer, wherever it is.
    async fn answered(&self) -> Result<Answer, Unanswered> {
        let mut hop = self.first.clone();
        hop.headers.extend(self.authorization());
        for redirects in 0.. {
            let asked = Asked::new(&hop.method, &hop.url);
            let answer = self.head(&hop, &asked).await?;
            let Some(next) = hop.follow(answer.status(), answer.headers()) else {
                return Ok(Answer { asked, answer });
            };
            let problem = match next {
                Ok(next) if redirects < MAX_REDIRECTS => {
                    hop = next;
                    continue;
                }
                Ok(_) => "there were ten redirects before it; ask the source where it is",
                Err(why) => why.problem(),
            };
            let to = answer.headers().get(reqwest::header::LOCATION);
            let error = HttpError::redirected(asked, &hop.url, to, problem);
            return Err(Unanswered {
                hints: Some(Box::new(Hints::of(answer.headers(), clock::now()))),
                ..self.lasting(error)
            });
        }
        unreachable!("the redirects have an end")
    }

    async fn head(&self, hop: &Hop, asked: &Asked) -> Result<reqwest::Response, Unanswered> {
        let connections = self.client.connections.client();
        let request = connections
            .map_err(|error| self.lasting(error))?
            .request(hop.method.clone(), hop.url.clone())
            .headers(hop.headers.clone())
            .body(hop.body.clone());
        let first_byte = self.client.settings.timeouts.first_byte;
        let _held = Held::now();
        match timeout(first_byte, request.send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.broken(HttpError::failed(asked.clone(), error))),
            Err(_) => {
                let asked = asked.clone();
                Err(self.broken(HttpError::Late { asked }))
            }
        }
    }

    fn body(&self, answer: Answer, max_bytes: u64) -> (Head, Result<Body, Unanswered>) {
        let Answer { asked, mut answer } = answer;
        let headers = std::mem::take(answer.headers_mut());
        let status = answer.status();
        let named = headers.get_all(CONTENT_ENCODING);
        let codings = decode::codings(named.iter().map(|value| value.to_str().unwrap_or("?")));
        let idle = self.client.settings.timeouts.idle;
        let body = match codings {
            Ok(codings) => Ok(Body::new(answer, &asked, &codings, idle, max_bytes)),
            Err(error) => {
                let (asked, problem) = (asked.clone(), error.to_string());
                Err(self.lasting(HttpError::Encoded { asked, problem }))
            }
        };
        let head = Head {
            asked,
            status,
            headers,
        };
        (head, body)
    }

    fn hints(&self, response: &Response) -> Hints {
        let hints = Hints::of(&response.headers, clock::now());
        match &self.client.settings.hints {
            Some(of_answer) => hints.or(of_answer(response)),
            None => hints,
        }
    }

    /// An answer that is none to go on with.
    fn refused(&self, verdict: Verdict, response: Response, hints: Hints) -> Unanswered {
        let Response {
            asked,
            status,
            headers,
            mut body,
        } = response;
        body.truncate(REFUSAL_BYTES);
        let failure = match &verdict {
            Verdict::Throttled => Failure::Throttled,
            Verdict::Retry => Failure::Passing,
            Verdict::Refuse(_) => Failure::Lasting,
            Verdict::AsUsual | Verdict::Accept => self.failure_of(status),
        };
        let error = match verdict {
            Verdict::Refuse(problem) => HttpError::Judged { asked, problem },
            _ => {
                let secrets = self.secrets();
                let content_type = super::response::header(&headers, CONTENT_TYPE.as_str());
                let excerpt = secrets.excerpt(content_type.unwrap_or_default(), &body);
                HttpError::Refused(Box::new(Refusal {
                    asked,
                    status,
                    headers,
                    body,
                    excerpt,
                }))
            }
        };
        Unanswered {
            error,
            failure,
            hints: Some(Box::new(hints)),
        }
    }

    /// The header that authorises it.
    fn authorization(&self) -> HeaderMap {
        let header = self.authorization.iter().map(|given| given.header.clone());
        header.collect()
    }

    /// What is not to be shown, should the server repeat it.
    fn secrets(&self) -> Secrets {
        let mut headers = self.first.headers.clone();
        headers.extend(self.authorization());
        let mut known = self.draft.secrets.clone();
        known.extend(self.authorization.iter().flat_map(Authorization::secrets));
        Secrets::of(&self.first.url, &headers, known)
    }

    /// Whether a status may pass. A request that may have been carried out is not sent twice unless that does no harm.
    fn failure_of(&self, status: u16) -> Failure {
        match status {
            429 => Failure::Throttled,
            408 | 425 | 500 | 502 | 503 | 504 | 507 | 520..=530 if self.draft.is_repeatable => {
                Failure::Passing
            }
            _ => Failure::Lasting,
        }
    }

    fn lasting(&self, error: HttpError) -> Unanswered {
        Unanswered {
            error,
            failure: Failure::Lasting,
            hints: None,
        }
    }

    fn broken(&self, error: HttpError) -> Unanswered {
        let failure = match error {
            HttpError::Unreached { .. } => Failure::Passing,
            HttpError::Broken { .. } | HttpError::Late { .. } if self.draft.is_repeatable => {
                Failure::Passing
            }
            _ => Failure::Lasting,
        };
        Unanswered {
            error,
            failure,
            hints: None,
        }
    }

    fn late(&self) -> Unanswered {
        let asked = self.draft.asked();
        self.broken(HttpError::Late { asked })
    }

    fn outcome<T>(&self, tried: &Tried<T>) -> Outcome {
        match tried {
            Ok((_, hints)) => Outcome::Served(hints.clone()),
            Err(Unanswered { hints: None, .. }) => Outcome::Failed,
            Err(Unanswered {
                hints: Some(hints),
                failure,
                ..
            }) => match failure {
                Failure::Throttled => Outcome::Throttled(Hints::clone(hints)),
                _ => Outcome::Served(Hints::clone(hints)),
            },
        }
    }

    /// Waits until it may be asked again, or gives up.
    async fn wait(&mut self, tried: Unanswered) -> Result<(), HttpError> {
        let credentials = self.client.settings.credentials.as_ref();
        if let Some((credentials, authorization)) = credentials.zip(self.authorization.as_ref())
            && tried.error.status() == Some(401)
            && !self.is_anew
            && credentials.refused(authorization)
        {
            self.is_anew = true;
            return Ok(());
        }
        // Whatever else it was, it was no complaint about them: what is taken now may expire before the next try.
        self.is_anew = false;
        let elapsed = self.since.elapsed();
        let retry_after = tried.hints.as_ref().and_then(|hints| hints.retry_after);
        let retry = &self.client.settings.retry;
        let jitter = fastrand::f64();
        let pause = self
            .tries
            .pause(retry, tried.failure, retry_after, elapsed, jitter);
        match pause {
            Some(pause) => {
                tracing::debug!(
                    tries = self.tries.asked,
                    pause_ms = pause.as_millis() as u64,
                    "asking again: {}",
                    crate::capture::error_chain(&tried.error)
                );
                sleep(pause).await;
                Ok(())
            }
            None => Err(self.given_up(tried.error, elapsed)),
        }
    }

    fn given_up(&self, error: HttpError, elapsed: Duration) -> HttpError {
        match self.tries.asked {
            0 | 1 => error,
            tries => HttpError::GivenUp {
                tries,
                elapsed,
                source: Box::new(error),
            },
        }
    }
}

/// An answer whose body has not begun.
struct Answer {
    asked: Asked,
    answer: reqwest::Response,
}

impl Answer {
    fn is_refusal(&self) -> bool {
        self.answer.status().as_u16() >= 400
    }

    /// Whether it is said where the body ends, in whatever way. Otherwise it ends with its connection, wherever that is.
    fn has_end(&self) -> bool {
        self.answer.content_length().is_some()
            || self.answer.version() > Version::HTTP_11
            || self.answer.headers().contains_key(TRANSFER_ENCODING)
    }

    /// Bytes that the body will have, as it is sent, if that is said: not what a `HEAD` says that it would have.
    fn announced(&self) -> u64 {
        self.answer.content_length().unwrap_or(0)
    }
}

struct Head {
    asked: Asked,
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    fn with(self, body: Vec<u8>) -> Response {
        Response {
            asked: self.asked,
            status: self.status.as_u16(),
            headers: self.headers,
            body,
        }
    }
}
