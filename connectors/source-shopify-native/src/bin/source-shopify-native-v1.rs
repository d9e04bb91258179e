//! The first release: captures one store of Shopify.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staunch::main(source_shopify_native::SourceShopify::first_release(
        source_shopify_native::Place::from_environment(),
    ))
}
