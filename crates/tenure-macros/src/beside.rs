//! What stands beside a cached function.
//!
//! | | Arguments of a call | All entries |
//! |---|---|---|
//! | looks | `peek`, `contains`, `explain` | `entries`, `info` |
//! | changes | `insert`, `replace`, `clear_entry`, `expire` | `clear`, `clear_if`, `expire_all` |
//!
//! And `warm`, with the arguments of many calls.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::carry::Leaving;
use crate::expansion::Expansion;
use crate::place::Place;
use crate::tokens::{located_at, mentions};

/// The functions beside a cached one.
pub(crate) struct Beside<'a> {
    expansion: &'a Expansion<'a>,
    /// The cached function, as their documentation names it.
    function: String,
    /// Whose entries they mean, where there may be others.
    whose: &'static str,
}

const PANICS: &str = "\n\n# Panics\n\
     Where the function has `scope = \"session\"` and this code runs in no session.";

const AWAITED: &str = "What this gives may be awaited, until all of it has been released.";

impl<'a> Beside<'a> {
    pub(crate) fn of(expansion: &'a Expansion<'a>) -> Self {
        let name = &expansion.name;
        let (path, whose) = match expansion.function.place {
            Place::Free => ("", ""),
            Place::Associated => ("Self::", " of this type"),
        };
        Self {
            expansion,
            function: format!("[`{name}()`]({path}{name}())"),
            whose,
        }
    }

    pub(crate) fn all(&self, leaving: Option<&Leaving<'_>>) -> TokenStream {
        let whole = [
            self.clear(),
            self.clear_if(),
            self.expire_all(),
            self.entries(),
            self.info(),
        ];
        let one = [
            self.clear_entry(),
            self.expire(),
            self.peek(),
            self.contains(),
            self.explain(),
            self.insert(),
            self.replace(),
        ];
        let many = leaving.map(|it| self.warm(it));
        whole.into_iter().chain(one).chain(many).collect()
    }

    fn warm(&self, leaving: &Leaving<'_>) -> TokenStream {
        let calls = match self.expansion.function.parameters.len() {
            0 => "",
            1 => " for each of these arguments",
            _ => " for each of these arguments, a tuple for each call",
        };
        let doc = format!(
            "Builds what {} gives{calls} in the background, before the first user comes; what is kept \
             already is left as it is. They wait for their turn among the refreshes, and count as no \
             calls.{PANICS}",
            self.function
        );
        leaving.warm(&self.name("warm"), &doc)
    }

    fn name(&self, name: &str) -> Ident {
        match self.expansion.function.place {
            Place::Free => format_ident!("{name}"),
            Place::Associated => format_ident!("{}_{name}", self.expansion.cache),
        }
    }

    /// What is asked of the caches of the whole function, whether or not they are there yet.
    fn whole(&self, ask: &Ident) -> TokenStream {
        let (expansion, cache) = (self.expansion, &self.expansion.cache);
        if !expansion.function.is_family() {
            return quote!(#cache::__slot().#ask());
        }
        let (family, owner) = (expansion.family(), expansion.owner());
        quote!(#family.#ask(#owner))
    }

    fn clear(&self) -> TokenStream {
        let (krate, vis) = (&self.expansion.krate, &self.expansion.function.item.vis);
        let (name, all) = (self.name("clear"), self.whole(&format_ident!("clear")));
        let doc = format!(
            "Clears every entry of {}{}. {AWAITED}{PANICS}",
            self.function, self.whose
        );
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #[track_caller]
            #vis fn #name() -> #krate::Cleared {
                #all
            }
        }
    }

    fn expire_all(&self) -> TokenStream {
        let vis = &self.expansion.function.item.vis;
        let (name, all) = (
            self.name("expire_all"),
            self.whole(&format_ident!("expire_all")),
        );
        let doc = format!(
            "Has every entry of {}{} expire: it is handed out for no longer than `max_stale` allows, and \
             is refreshed; where that is not at all, it is released.{PANICS}",
            self.function, self.whose
        );
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #[track_caller]
            #vis fn #name() {
                #all
            }
        }
    }

    fn expire(&self) -> TokenStream {
        let key = &self.expansion.key;
        let entry = self.expansion.entry();
        let doc = "Has the entry of {} for these arguments expire, if there is one: it is handed out for \
                   no longer than `max_stale` allows, and is refreshed; where that is not at all, it is \
                   released.";
        let expire = quote!(#entry.expire(&#key));
        self.of_one("expire", doc, None, &quote!(()), &expire)
    }

    fn info(&self) -> TokenStream {
        let (krate, vis) = (&self.expansion.krate, &self.expansion.function.item.vis);
        let (name, all) = (self.name("info"), self.whole(&format_ident!("info")));
        let doc = format!("The figures of {}{}.", self.function, self.whose);
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #[must_use]
            #vis fn #name() -> #krate::Info {
                #all
            }
        }
    }

    fn entries(&self) -> TokenStream {
        let (krate, vis) = (&self.expansion.krate, &self.expansion.function.item.vis);
        let (name, all) = (self.name("entries"), self.whole(&format_ident!("entries")));
        let doc = format!(
            "The figures of each live entry of {}{}, oldest first.{PANICS}",
            self.function, self.whose
        );
        quote! {
            #[doc = #doc]
            #[allow(dead_code)]
            #[must_use]
            #[track_caller]
            #vis fn #name() -> ::std::vec::Vec<#krate::EntryInfo> {
                #all
            }
        }
    }

    fn clear_if(&self) -> TokenStream {
        let expansion = self.expansion;
        let (krate, function) = (&expansion.krate, expansion.function);
        let (vis, returns) = (&function.item.vis, &function.returns);
        let (value, shared) = (&returns.value, &returns.shared);
        let name = self.name("clear_if");
        let is_meant = Ident::new("is_meant", Span::mixed_site());
        // Without its arguments, only the resource can say which of its types are meant.
        let named = function.named_parameters();
        let is_told = mentions(&quote!(#value #shared), &|word| named.contains(&word));
        let generics = is_told.then(|| function.generics());
        let condition = generics.map(|generics| &generics.where_clause);
        let cached = if function.is_family() {
            let (family, owner) = (expansion.family(), expansion.owner());
            expansion.kept(&quote!(#family.all::<#value, #shared>(#owner).get(())))
        } else {
            expansion.cached()
        };
        let clear = located_at(expansion.place(), quote!(#cached.clear_if(#is_meant)));
        let doc = format!(
            "Clears the entries of {}{} that `is_meant` says yes to, and gives how many there were. \
             It is asked under no lock.{PANICS}",
            self.function, self.whose
        );
        quote! {
            #[doc = #doc]
            #[allow(
                dead_code,
                clippy::extra_unused_lifetimes,
                clippy::extra_unused_type_parameters,
                clippy::type_complexity
            )]
            #[track_caller]
            #vis fn #name #generics (
                #is_meant: impl ::core::ops::FnMut(&#value, &#krate::EntryInfo) -> bool
            ) -> usize #condition {
                #clear
            }
        }
    }

    fn clear_entry(&self) -> TokenStream {
        let key = &self.expansion.key;
        let entry = self.expansion.entry();
        let krate = &self.expansion.krate;
        let doc =
            format!("Clears the entry of {{}} for these arguments, if there is one. {AWAITED}");
        let clear = quote!(#entry.clear_entry(&#key));
        self.of_one("clear_entry", &doc, None, &quote!(#krate::Cleared), &clear)
    }

    fn peek(&self) -> TokenStream {
        let doc = "The entry of {} for these arguments, if there is one: nothing is built, awaited \
                   or checked, and no hit is counted. What has expired is none.";
        let found = self.leased_if_any();
        self.of_one("peek", doc, None, &found, &self.ask("peek", None))
    }

    fn contains(&self) -> TokenStream {
        let doc = "Whether there is an entry of {} for these arguments, looked at as by `peek`.";
        let ask = self.ask("contains", None);
        self.of_one("contains", doc, None, &quote!(bool), &ask)
    }

    fn explain(&self) -> TokenStream {
        let doc = "Tells whether a call of {} with these arguments would be a hit, and why not: nothing is \
                   built, awaited, checked or counted.";
        let krate = &self.expansion.krate;
        let (cached, key) = (self.expansion.cached(), &self.expansion.key);
        let parts = Ident::new("parts", Span::mixed_site());
        let encode = self.expansion.encode_parts(&parts);
        let ask = located_at(
            self.expansion.place(),
            quote!(#cached.explain(&#key, &#parts)),
        );
        self.of_one_encoded(
            "explain",
            doc,
            None,
            &quote!(#krate::Explanation),
            &encode,
            &ask,
        )
    }

    fn insert(&self) -> TokenStream {
        let doc = "Keeps a resource that was made elsewhere, as if {} had built it for these \
                   arguments. What stood there is released, with cause `Replaced`.";
        let given = Some(Ident::new("value", Span::mixed_site()));
        let ask = self.ask("insert", given.as_ref());
        self.of_one("insert", doc, given, &self.leased(), &ask)
    }

    fn replace(&self) -> TokenStream {
        let doc = "Keeps a resource that was made elsewhere, as if {} had built it for these \
                   arguments, and gives what stood there: it is released once the lease is gone.";
        let given = Some(Ident::new("value", Span::mixed_site()));
        let ask = self.ask("replace", given.as_ref());
        self.of_one("replace", doc, given, &self.leased_if_any(), &ask)
    }

    fn leased(&self) -> TokenStream {
        let (krate, function) = (&self.expansion.krate, self.expansion.function);
        let value = &function.returns.value;
        quote!(#krate::Lease<#value>)
    }

    fn leased_if_any(&self) -> TokenStream {
        let leased = self.leased();
        quote!(::core::option::Option<#leased>)
    }

    /// What is asked of the cache of a call.
    fn ask(&self, what: &str, given: Option<&Ident>) -> TokenStream {
        let (expansion, krate) = (self.expansion, &self.expansion.krate);
        let (cached, key) = (expansion.cached(), &expansion.key);
        let what = format_ident!("{what}");
        let shown = given.zip(expansion.arguments()).map(|(given, arguments)| {
            // An error in the arguments stands at them.
            quote!(let #given = #krate::front::Built::of(#arguments, || #given);)
        });
        // What is kept by it carries what a call's would.
        let tags = given.and_then(|_| expansion.tags());
        let given = given.into_iter();
        let tagged = tags.as_ref().map(|_| {
            let carried = expansion.tagged();
            quote!(.tagged(&#carried))
        });
        let ask = quote!(#cached #tagged.#what(&#key #(, #given)*));
        let ask = located_at(expansion.place(), ask);
        quote!(#tags #shown #ask)
    }

    /// A function with the arguments of a call, and with a resource where one is given.
    fn of_one(
        &self,
        name: &str,
        doc: &str,
        given: Option<Ident>,
        output: &TokenStream,
        act: &TokenStream,
    ) -> TokenStream {
        let encode = self.expansion.encode();
        self.of_one_encoded(name, doc, given, output, &encode, act)
    }

    /// The same, with what makes the key of the call.
    fn of_one_encoded(
        &self,
        name: &str,
        doc: &str,
        given: Option<Ident>,
        output: &TokenStream,
        encode: &TokenStream,
        act: &TokenStream,
    ) -> TokenStream {
        let expansion = self.expansion;
        let function = expansion.function;
        let (vis, value) = (&function.item.vis, &function.returns.value);
        let generics = function.generics();
        let condition = &generics.where_clause;
        let inputs = expansion.inputs();
        let given = given.map(|given| quote!(#given: #value));
        let must_use = matches!(name, "peek" | "contains" | "explain").then(|| quote!(#[must_use]));
        let name = self.name(name);
        let doc = doc.replace("{}", &self.function) + PANICS;
        quote! {
            #[doc = #doc]
            #[allow(
                dead_code,
                unused_variables,
                clippy::needless_pass_by_value,
                clippy::too_many_arguments,
                clippy::type_complexity
            )]
            #must_use
            #[track_caller]
            #vis fn #name #generics (#(#inputs,)* #given) -> #output #condition {
                #encode
                #act
            }
        }
    }
}
