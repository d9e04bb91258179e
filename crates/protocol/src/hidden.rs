//! `Debug` for messages that carry secrets or a customer's data.
//!
//! Configurations hold credentials, documents hold data, and states hold refresh tokens. A message
//! that ends up in a log by `{:?}` must not take them along, so these members print as `<hidden>`.

/// Implements `Debug`, showing the members before the semicolon and hiding those after it.
macro_rules! debug_hiding {
    ($name:ident $(<$life:lifetime>)? { $($shown:ident),* ; $($hidden:ident),+ }) => {
        impl $(<$life>)? std::fmt::Debug for $name $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    $(.field(stringify!($hidden), &format_args!("<hidden>")))+
                    .finish()
            }
        }
    };
}

pub(crate) use debug_hiding;
