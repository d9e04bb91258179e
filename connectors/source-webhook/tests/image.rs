//! What the image says of itself.
#![forbid(unsafe_code)]

const DOCKERFILE: &str = include_str!("../Dockerfile");

#[test]
fn the_image_says_its_protocol_its_codec_and_that_its_port_is_public() {
    let has = |line: &str| DOCKERFILE.lines().any(|there| there == line);
    assert!(has("LABEL FLOW_RUNTIME_PROTOCOL=capture"));
    assert!(has("LABEL FLOW_RUNTIME_CODEC=json") && has("ENV FLOW_RUNTIME_CODEC=json"));
    assert!(has("EXPOSE 8080") && has("LABEL dev.estuary.port-public.8080=true"));
    // Labels of ports that are not exposed are passed over: one that is wrong would go unnoticed.
    let labels = DOCKERFILE
        .lines()
        .filter(|line| line.starts_with("LABEL dev.estuary.port-"));
    assert!(labels.into_iter().all(|line| line.contains(".8080=")));
}
