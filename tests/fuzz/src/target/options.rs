//! The option dictionaries of the methods, as they come over the wire.

use std::collections::HashMap;

use tokenvault_proto::{
    AddSlotOptions, AdoptUserOptions, AnnotateOptions, AuditOptions, CleanupOptions, DeleteOptions, DescribeOptions,
    Dictionary, ExpiringOptions, FetchesOptions, GenerateOptions, GetOptions, IssueOptions, IssuedOptions, ListOptions,
    NoOptions, OfferOptions, PutOptions, RedeemOptions, RemoveSlotOptions, RestoreOptions, RevokeAllOptions,
    RotateOptions, SetUserOptions, ShareOptions, UnsealOptions, ValidateOptions, VerifyAuditOptions,
};
use zbus::OwnedVariant;
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

type Wire = HashMap<String, OwnedVariant>;

fn take<T: Dictionary>(dict: Wire) {
    if let Err(error) = T::from_dict(dict) {
        assert_eq!(error.to_string().lines().count(), 1, "{error:?}");
    }
}

/// Each of them.
const METHODS: [fn(Wire); 27] = [
    take::<AddSlotOptions>,
    take::<AdoptUserOptions>,
    take::<AnnotateOptions>,
    take::<AuditOptions>,
    take::<CleanupOptions>,
    take::<DeleteOptions>,
    take::<DescribeOptions>,
    take::<ExpiringOptions>,
    take::<FetchesOptions>,
    take::<GenerateOptions>,
    take::<GetOptions>,
    take::<IssueOptions>,
    take::<IssuedOptions>,
    take::<ListOptions>,
    take::<NoOptions>,
    take::<OfferOptions>,
    take::<PutOptions>,
    take::<RedeemOptions>,
    take::<RemoveSlotOptions>,
    take::<RestoreOptions>,
    take::<RevokeAllOptions>,
    take::<RotateOptions>,
    take::<SetUserOptions>,
    take::<ShareOptions>,
    take::<UnsealOptions>,
    take::<ValidateOptions>,
    take::<VerifyAuditOptions>,
];

/// The first byte says of which method, the second in which order of bytes.
pub fn run(data: &[u8]) {
    let [method, order, body @ ..] = data else { return };
    let order = if order.is_multiple_of(2) { Endian::Little } else { Endian::Big };
    let body = Data::new(body, Context::new(order, 0));
    if let Ok((dict, _)) = body.deserialize::<Wire>() {
        METHODS[usize::from(*method) % METHODS.len()](dict);
    }
}
