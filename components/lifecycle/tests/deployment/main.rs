//! The way of a job, with plugins and an image-builder that do as each test tells them.

mod again;
mod bad_requests;
mod crowd;
mod failures;
mod hostile_manifests;
mod logs;
mod long_texts;
mod monitor;
mod overwriting;
mod recovery;
mod retention;
mod supplementary_hooks;
mod way_up;

mod answer;
mod fake_image_builder;
mod fake_plugins;
mod fake_target;
mod harness;
mod switches;
