//! A hook, typed: what the checks look at and the expansion writes down.

use syn::{Attribute, FnArg, Ident, ReturnType, Type, Visibility};

use crate::args::Args;
use crate::kind::Kind;
use crate::signature::{Function, unit};

/// One hook, as its attribute and its function declare it.
pub struct Hook {
    pub kind: Kind,
    pub args: Args,
    /// The function's `cfg`s: what we add lives and dies with it.
    pub conditions: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub is_async: bool,
    pub arguments: Vec<Type>,
    pub output: Type,
}

impl Hook {
    pub fn new(kind: Kind, args: Args, function: &Function) -> Self {
        let signature = &function.signature;
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some((*argument.ty).clone()),
            FnArg::Receiver(_) => None,
        });
        let conditions = function.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        Self {
            kind,
            args,
            conditions: conditions.cloned().collect(),
            visibility: function.visibility.clone(),
            name: signature.ident.clone(),
            is_async: signature.asyncness.is_some(),
            arguments: typed.collect(),
            output: match &signature.output {
                ReturnType::Default => unit(),
                ReturnType::Type(_, output) => (**output).clone(),
            },
        }
    }
}
