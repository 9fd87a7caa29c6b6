//! Random operations of two users, compared with a model that is simple enough to be believed.

mod run;
mod shelf;
