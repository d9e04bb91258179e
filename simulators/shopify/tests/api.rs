//! The API over HTTP, as a client meets it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::time::Duration;

use serde_json::{Value, json};
use shopify_simulator::{
    Action, JobPlan, Kind, Mutation, Operation, Outcome, PlanFacts, RowFault, Rule, Scenario,
    Simulator, StoreChange, StoreFacts,
};

const ORDERS: &str =
    "{ orders { edges { node { id name lineItems { edges { node { id sku } } } } } } }";

struct Client {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Client {
    async fn new(scenario: Scenario) -> Self {
        Self {
            simulator: Simulator::start(scenario).await.unwrap(),
            http: reqwest::Client::new(),
        }
    }

    async fn post(&self, store: &str, token: &str, query: &str) -> (u16, Value) {
        let url = format!(
            "{}/{store}/admin/api/2026-01/graphql.json",
            self.simulator.url()
        );
        let request = self.http.post(url).header("X-Shopify-Access-Token", token);
        let body = json!({ "query": query }).to_string();
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
        )
    }

    async fn ask(&self, query: &str) -> Value {
        let (status, answer) = self.post("alpha", "private-alpha", query).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn submit(&self, query: &str, groups: bool) -> Value {
        let query = Value::from(query);
        let answer = self
            .ask(&format!(
                "mutation {{ bulkOperationRunQuery(query: {query}, groupObjects: {groups}) {{ bulkOperation {{ id status url }} userErrors {{ field message code }} }} }}"
            ))
            .await;
        answer["data"]["bulkOperationRunQuery"].clone()
    }

    async fn poll(&self, id: &Value) -> Value {
        let query = format!(
            "{{ node(id: {id}) {{ ... on BulkOperation {{ id type status url errorCode objectCount partialDataUrl completedAt }} }} }}"
        );
        self.ask(&query).await["data"]["node"].clone()
    }

    /// Polls until the job is over.
    async fn ended(&self, id: &Value) -> Value {
        for _ in 0..20 {
            let job = self.poll(id).await;
            if !["CREATED", "RUNNING", "CANCELING"].contains(&job["status"].as_str().unwrap()) {
                return job;
            }
        }
        panic!("the job does not end");
    }

    async fn rows(&self, url: &Value) -> (u16, String) {
        let answer = self.http.get(url.as_str().unwrap()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let query = "{ orders(first: 5) { edges { node { id name updatedAt totalPriceSet { shopMoney { amount currencyCode } } } cursor } } }";
    let of_seed = async |seed| {
        let client = Client::new(Scenario {
            seed,
            ..Scenario::default()
        })
        .await;
        client.ask(query).await
    };
    let first = of_seed(1).await;
    assert_eq!(first, of_seed(1).await);
    assert_ne!(first["data"], of_seed(2).await["data"]);
    assert_eq!(
        first["data"]["orders"]["edges"].as_array().unwrap().len(),
        5
    );
}

#[tokio::test]
async fn every_record_is_on_one_page_in_the_order_that_is_asked_for() {
    let client = Client::new(Scenario {
        count: 60,
        ..Scenario::default()
    })
    .await;
    let (mut after, mut times, mut ids) = (String::new(), Vec::new(), Vec::new());
    loop {
        let page = client
            .ask(&format!("{{ customers(first: 7, sortKey: UPDATED_AT{after}) {{ nodes {{ id updatedAt }} pageInfo {{ hasNextPage endCursor }} }} }}"))
            .await;
        let page = &page["data"]["customers"];
        for node in page["nodes"].as_array().unwrap() {
            times.push(node["updatedAt"].as_str().unwrap().to_owned());
            ids.push(node["id"].as_str().unwrap().to_owned());
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    assert!(times.is_sorted());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60);
}

#[tokio::test]
async fn what_is_changed_between_pages_comes_again_at_its_new_place() {
    let client = Client::new(Scenario {
        count: 10,
        ..Scenario::default()
    })
    .await;
    let page = async |after: &str| {
        let query = format!(
            "{{ customers(first: 5, sortKey: UPDATED_AT{after}) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}"
        );
        client.ask(&query).await["data"]["customers"].clone()
    };
    let first = page("").await;
    let moved = first["nodes"][0]["id"].clone();
    let number = moved
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let touch = Mutation::new("alpha", Operation::Update, "Customer", Some(number));
    client.simulator.mutate(&[touch]).unwrap();
    let mut rest = Vec::new();
    let mut at = first["pageInfo"]["endCursor"].clone();
    while !at.is_null() {
        let next = page(&format!(", after: {at}")).await;
        rest.extend(next["nodes"].as_array().unwrap().clone());
        at = next["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(rest.len(), 6);
    assert_eq!(rest.last().unwrap()["id"], moved);
}

#[tokio::test]
async fn errors_are_told_as_the_api_tells_them() {
    let client = Client::new(Scenario::default()).await;
    let syntax = client.ask("{ shop { ").await;
    assert!(syntax["errors"][0].get("extensions").is_none());
    assert!(syntax.get("data").is_none());
    assert_eq!(
        code(&client.ask("{ shop { owner } }").await),
        "undefinedField"
    );
    assert_eq!(
        code(&client.ask("{ node { id } }").await),
        "missingRequiredArguments"
    );
    assert_eq!(
        code(&client.ask("{ orders(first: 251) { nodes { id } } }").await),
        "BAD_REQUEST"
    );
    assert_eq!(
        code(&client.ask("{ orders { nodes { id } } }").await),
        "BAD_REQUEST"
    );
    let warned = client.ask("{ locations(first: 1, query: \"updated_at:>='2026-01-01T00:00:00Z'\") { nodes { id } } }").await;
    assert_eq!(
        warned["extensions"]["search"][0]["warnings"][0]["code"],
        "invalid_field"
    );

    let (status, answer) = client.post("alpha", "wrong", "{ shop { id } }").await;
    assert_eq!(status, 401);
    assert!(answer["errors"].is_string());
    assert_eq!(
        client
            .post("nobody", "private-nobody", "{ shop { id } }")
            .await
            .0,
        404
    );
    let frozen = StoreChange {
        store: "alpha".to_owned(),
        refused_with: Some(402),
        ..StoreChange::default()
    };
    client.simulator.change(frozen).unwrap();
    assert_eq!(
        client
            .post("alpha", "private-alpha", "{ shop { id } }")
            .await
            .0,
        402
    );
}

#[tokio::test]
async fn what_a_store_does_not_grant_is_denied_in_a_page_and_fails_a_job() {
    let mut store = StoreFacts::new("alpha");
    store.scopes = Some(["read_orders".to_owned()].into());
    let scenario = Scenario {
        stores: vec![store],
        ..Scenario::default()
    };
    let client = Client::new(scenario).await;
    let denied = client
        .ask("{ orders(first: 2) { nodes { id retailLocation { id } } } }")
        .await;
    assert_eq!(code(&denied), "ACCESS_DENIED");
    assert_eq!(
        denied["data"]["orders"]["nodes"][0]["retailLocation"],
        Value::Null
    );
    let root = client
        .ask("{ products(first: 1) { nodes { id } } shop { id } }")
        .await;
    assert_eq!(code(&root), "ACCESS_DENIED");
    assert!(root["data"]["shop"]["id"].is_string() || root["data"].is_null());
    let job = client
        .submit(
            "{ orders { edges { node { id retailLocation { id } } } } }",
            true,
        )
        .await;
    let job = client.ended(&job["bulkOperation"]["id"]).await;
    assert_eq!(
        (&job["status"], &job["errorCode"]),
        (&json!("FAILED"), &json!("ACCESS_DENIED"))
    );

    let basic = PlanFacts {
        display_name: "Basic".to_owned(),
        partner_development: false,
        shopify_plus: false,
    };
    let change = StoreChange {
        store: "alpha".to_owned(),
        plan: Some(basic),
        ..StoreChange::default()
    };
    client.simulator.change(change).unwrap();
    assert_eq!(
        code(
            &client
                .ask("{ orders(first: 1) { nodes { id email } } }")
                .await
        ),
        "ACCESS_DENIED"
    );
}

#[tokio::test]
async fn tokens_are_given_for_client_credentials_and_expire() {
    let client = Client::new(Scenario {
        token_seconds: 60,
        ..Scenario::default()
    })
    .await;
    let url = format!("{}/alpha/admin/oauth/access_token", client.simulator.url());
    let exchange = async |body: &'static str| {
        let request = client.http.post(&url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body)
    };
    assert_eq!(exchange("client_id=client").await.0, 400);
    assert_eq!(
        exchange("grant_type=client_credentials&client_id=client&client_secret=x")
            .await
            .0,
        400
    );
    let (status, given) =
        exchange("grant_type=client_credentials&client_id=client&client_secret=client-secret")
            .await;
    assert_eq!((status, &given["expires_in"]), (200, &json!(60)));
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(client.post("alpha", token, "{ shop { id } }").await.0, 200);
    client.simulator.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(client.post("alpha", token, "{ shop { id } }").await.0, 401);
}

#[tokio::test]
async fn what_a_query_costs_is_taken_from_a_budget_that_refills() {
    let mut store = StoreFacts::new("alpha");
    store.plan = PlanFacts {
        display_name: "Basic".to_owned(),
        partner_development: false,
        shopify_plus: false,
    };
    let client = Client::new(Scenario {
        stores: vec![store],
        count: 300,
        ..Scenario::default()
    })
    .await;
    let query = "{ orders(first: 250) { nodes { id } } }";
    let cost = client.ask(query).await["extensions"]["cost"].clone();
    assert_eq!(cost["throttleStatus"]["maximumAvailable"], 2000.0);
    assert!(cost["requestedQueryCost"].as_f64().unwrap() > 10.0);
    let mut answers = 1;
    let throttled = loop {
        let answer = client.ask(query).await;
        if answer.get("errors").is_some() {
            break answer;
        }
        answers += 1;
        assert!(answers < 200, "the budget does not end");
    };
    assert_eq!(code(&throttled), "THROTTLED");
    assert_eq!(
        throttled["extensions"]["cost"]["actualQueryCost"],
        Value::Null
    );
    client.simulator.advance(Duration::from_secs(20)).unwrap();
    assert!(client.ask(query).await.get("errors").is_none());
}

#[tokio::test]
async fn a_bulk_job_is_created_runs_and_has_rows_grouped_by_their_roots() {
    let client = Client::new(Scenario::default()).await;
    let submitted = client.submit(ORDERS, true).await;
    assert_eq!(submitted["bulkOperation"]["status"], "CREATED");
    let job = client.ended(&submitted["bulkOperation"]["id"]).await;
    assert_eq!(job["status"], "COMPLETED");
    let (status, text) = client.rows(&job["url"]).await;
    assert_eq!(status, 200);
    assert!(text.contains(r"gid:\/\/shopify\/Order\/1"));
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(job["objectCount"], rows.len().to_string());
    let mut root = Value::Null;
    let mut lines = 0;
    for row in &rows {
        match row.get("__parentId") {
            None => root = row["id"].clone(),
            Some(parent) => {
                assert_eq!(parent, &root);
                lines += 1;
            }
        }
    }
    let whole = client.simulator.whole("alpha", ORDERS).unwrap();
    let expected: usize = whole
        .iter()
        .map(|order| order["lineItems"].as_array().unwrap().len())
        .sum();
    assert_eq!(lines, expected);
    assert!(lines > 0);
    assert_eq!(client.simulator.leaked_tokens(), 0);

    let ungrouped = client.submit(ORDERS, false).await;
    let job = client.ended(&ungrouped["bulkOperation"]["id"]).await;
    let (_, text) = client.rows(&job["url"]).await;
    let roots_end = text
        .lines()
        .position(|line| line.contains("__parentId"))
        .unwrap();
    assert!(
        text.lines()
            .skip(roots_end)
            .all(|line| line.contains("__parentId"))
    );
}

#[tokio::test]
async fn five_jobs_are_at_work_at_most_and_a_canceled_one_makes_room() {
    let mut scenario = Scenario::default();
    scenario.job.outcome = Outcome::Stuck;
    let client = Client::new(scenario).await;
    client.simulator.foreign_jobs("alpha", 2);
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(client.submit(ORDERS, true).await["bulkOperation"]["id"].clone());
    }
    let refused = client.submit(ORDERS, true).await;
    let error = &refused["userErrors"][0];
    assert_eq!(
        (&refused["bulkOperation"], &error["code"]),
        (&Value::Null, &json!("OPERATION_IN_PROGRESS"))
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/"));
    let listed = client.ask("{ bulkOperations(first: 10, query: \"status:running AND operation_type:query\") { nodes { id } } }").await;
    let listed = listed["data"]["bulkOperations"]["nodes"]
        .as_array()
        .unwrap()
        .len();
    assert!(
        listed >= 2,
        "those of another task run, others may not yet: {listed}"
    );
    let cancel = format!(
        "mutation {{ bulkOperationCancel(id: {}) {{ bulkOperation {{ status }} userErrors {{ message }} }} }}",
        mine[0]
    );
    let canceled = client.ask(&cancel).await;
    assert_eq!(
        canceled["data"]["bulkOperationCancel"]["bulkOperation"]["status"],
        "CANCELING"
    );
    assert_eq!(client.ended(&mine[0]).await["status"], "CANCELED");
    let again = client.ask(&cancel).await;
    assert!(
        again["data"]["bulkOperationCancel"]["userErrors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("cannot be canceled")
    );
    assert!(client.submit(ORDERS, true).await["bulkOperation"].is_object());
}

#[tokio::test]
async fn rules_decide_what_becomes_of_a_job_and_of_its_rows() {
    let client = Client::new(Scenario::default()).await;
    let plan = JobPlan {
        outcome: Outcome::Timeout,
        ..JobPlan::default()
    };
    client
        .simulator
        .spoil(vec![
            Rule::on(Kind::Submit, Action::Job(plan)).times(1),
            Rule::on(Kind::Download, Action::Rows(RowFault::EndAfter(3))).times(1),
        ])
        .unwrap();
    let failed = client.submit(ORDERS, true).await;
    let failed = client.ended(&failed["bulkOperation"]["id"]).await;
    assert_eq!(
        (&failed["status"], &failed["errorCode"]),
        (&json!("FAILED"), &json!("TIMEOUT"))
    );
    assert_eq!(failed["url"], Value::Null);
    assert!(failed["partialDataUrl"].is_string());
    let job = client.submit(ORDERS, true).await;
    let job = client.ended(&job["bulkOperation"]["id"]).await;
    assert_eq!(client.rows(&job["url"]).await.1.lines().count(), 3);
    assert!(client.rows(&job["url"]).await.1.lines().count() > 3);
    client
        .simulator
        .advance(Duration::from_secs(8 * 86_400))
        .unwrap();
    assert_eq!(client.rows(&job["url"]).await.0, 403);
}

#[tokio::test]
async fn an_index_may_be_late_and_an_object_that_is_asked_for_by_its_id_is_not() {
    let client = Client::new(Scenario::default()).await;
    let mut late = Mutation::new("alpha", Operation::Create, "Order", Some(500));
    late.searchable_after = Some(5000);
    client.simulator.mutate(&[late]).unwrap();
    let found = async || {
        let page = client
            .ask("{ orders(first: 1, sortKey: UPDATED_AT, reverse: true) { nodes { id } } }")
            .await;
        page["data"]["orders"]["nodes"][0]["id"] == "gid://shopify/Order/500"
    };
    assert!(!found().await);
    let node = client
        .ask("{ node(id: \"gid://shopify/Order/500\") { id } }")
        .await;
    assert!(node["data"]["node"].is_object());
    client.simulator.advance(Duration::from_secs(5)).unwrap();
    assert!(found().await);
    assert_eq!(client.simulator.whole("alpha", ORDERS).unwrap().len(), 21);
}

#[tokio::test]
async fn the_control_plane_is_there_over_http_and_a_store_may_come_and_go() {
    let client = Client::new(Scenario::default()).await;
    let control = async |method: reqwest::Method, path: &str, body: Value| {
        let url = format!("{}/__sim/{path}", client.simulator.url());
        let answer = client
            .http
            .request(method, url)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body)
    };
    let post = reqwest::Method::POST;
    assert_eq!(
        control(post.clone(), "store", json!({ "store": "beta", "add": {} }))
            .await
            .0,
        200
    );
    assert_eq!(
        client
            .post("beta", "private-beta", "{ shop { id } }")
            .await
            .0,
        200
    );
    let (_, truth) = control(
        reqwest::Method::GET,
        "truth?store=beta&type=Order",
        Value::Null,
    )
    .await;
    assert_eq!(truth["Order"].as_object().unwrap().len(), 20);
    let script = json!([{ "afterRequest": 1, "store": "alpha", "root": "shop", "stores": [{ "store": "beta", "remove": true }] }]);
    assert_eq!(control(post.clone(), "script", script).await.0, 200);
    client.ask("{ shop { id } }").await;
    assert_eq!(
        client
            .post("beta", "private-beta", "{ shop { id } }")
            .await
            .0,
        404
    );
    let (_, requests) = control(reqwest::Method::GET, "requests", Value::Null).await;
    assert_eq!(requests.as_array().unwrap().len(), 2);
    for (path, body) in [
        ("clock", json!({})),
        ("clock", json!({ "set": "2020-01-01T00:00:00Z" })),
        (
            "mutate",
            json!([{ "store": "alpha", "op": "update", "type": "Order", "id": 9999 }]),
        ),
        (
            "mutate",
            json!([{ "store": "alpha", "op": "update", "type": "LineItem", "id": 1 }]),
        ),
        (
            "script",
            json!([{ "afterRequest": 1, "at": "2026-01-15T12:00:00Z" }]),
        ),
        ("store", json!({ "store": "gamma" })),
    ] {
        let (status, answer) = control(post.clone(), path, body.clone()).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
    }
}
