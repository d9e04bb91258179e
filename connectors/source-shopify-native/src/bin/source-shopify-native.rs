//! Captures one store of Shopify, or many.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_shopify_native::SourceShopify::new(
        source_shopify_native::Place::from_environment(),
    ))
}
