//! The events of a YAML text, one at a time, from the parser that also reads the text into values.
//!
//! The crate that makes values of YAML gathers all events of a document before it shows anything of them. What a text
//! would cost has to be known before that, and from the same parser: another one may understand a text in another way.
#![expect(unsafe_code, reason = "the parser has the interface of the C library that it was translated from")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

use libyaml_rs as sys;

/// Where something starts in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The byte, counted from 0.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
}

/// A step through a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    DocumentStart {
        has_tag_directives: bool,
    },
    Alias(Name),
    Scalar {
        anchor: Option<Name>,
        value: Box<[u8]>,
        is_plain: bool,
    },
    SequenceStart {
        anchor: Option<Name>,
    },
    MappingStart {
        anchor: Option<Name>,
    },
    /// A sequence or a mapping ends.
    CollectionEnd,
}

/// The name of an anchor.
pub(super) type Name = Box<[u8]>;

/// The events of a text, with where they start. They end with the text, or where the text is no YAML.
pub(super) struct Events<'text> {
    /// Allocated by a `Box`: the parser keeps a pointer to itself.
    parser: NonNull<sys::yaml_parser_t>,
    has_ended: bool,
    text: PhantomData<&'text str>,
}

impl<'text> Events<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        let parser = NonNull::from(Box::leak(Box::new(MaybeUninit::<sys::yaml_parser_t>::uninit()))).cast();
        // SAFETY: `parser` is valid for writes and never moves. The text outlives the parser, by the lifetime.
        let is_initialized = unsafe {
            let is_initialized = sys::yaml_parser_initialize(parser.as_ptr()).ok;
            sys::yaml_parser_set_encoding(parser.as_ptr(), sys::YAML_UTF8_ENCODING);
            sys::yaml_parser_set_input_string(parser.as_ptr(), text.as_ptr(), text.len() as u64);
            is_initialized
        };
        assert!(is_initialized, "the parser aborts when there is no memory");
        Self { parser, has_ended: false, text: PhantomData }
    }
}

impl Iterator for Events<'_> {
    type Item = (Event, Place);

    fn next(&mut self) -> Option<(Event, Place)> {
        while !self.has_ended {
            let mut event = MaybeUninit::<sys::yaml_event_t>::uninit();
            // SAFETY: the parser was initialized and lives until `self` is dropped. A call that does not fail fills in
            // the event, which is deleted once, after its last use.
            unsafe {
                if sys::yaml_parser_parse(self.parser.as_ptr(), event.as_mut_ptr()).fail {
                    self.has_ended = true;
                    return None;
                }
                let event = event.assume_init_mut();
                self.has_ended = matches!(event.type_, sys::YAML_STREAM_END_EVENT | sys::YAML_NO_EVENT);
                let read = read(event).map(|read| (read, place(event.start_mark)));
                sys::yaml_event_delete(event);
                if read.is_some() {
                    return read;
                }
            }
        }
        None
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        // SAFETY: the parser was initialized, and its memory came from a `Box` of the same layout.
        unsafe {
            sys::yaml_parser_delete(self.parser.as_ptr());
            drop(Box::from_raw(self.parser.cast::<MaybeUninit<sys::yaml_parser_t>>().as_ptr()));
        }
    }
}

/// Nothing for an event that carries no node and begins none.
///
/// # Safety
/// The parser has filled in the event, and it is not deleted yet.
unsafe fn read(event: &sys::yaml_event_t) -> Option<Event> {
    // SAFETY: the type says which part of the union is there, and names and values end as the parser says.
    unsafe {
        Some(match event.type_ {
            sys::YAML_DOCUMENT_START_EVENT => {
                let directives = event.data.document_start.tag_directives;
                Event::DocumentStart { has_tag_directives: directives.start != directives.end }
            }
            sys::YAML_ALIAS_EVENT => Event::Alias(name(event.data.alias.anchor).unwrap_or_default()),
            sys::YAML_SCALAR_EVENT => {
                let scalar = event.data.scalar;
                let length = usize::try_from(scalar.length).expect("it is in memory");
                Event::Scalar {
                    anchor: name(scalar.anchor),
                    value: slice::from_raw_parts(scalar.value, length).into(),
                    is_plain: scalar.style == sys::YAML_PLAIN_SCALAR_STYLE,
                }
            }
            sys::YAML_SEQUENCE_START_EVENT => {
                Event::SequenceStart { anchor: name(event.data.sequence_start.anchor) }
            }
            sys::YAML_MAPPING_START_EVENT => {
                Event::MappingStart { anchor: name(event.data.mapping_start.anchor) }
            }
            sys::YAML_SEQUENCE_END_EVENT | sys::YAML_MAPPING_END_EVENT => Event::CollectionEnd,
            _ => return None,
        })
    }
}

/// # Safety
/// It is null, or text that ends with a zero.
unsafe fn name(text: *const u8) -> Option<Name> {
    let text = NonNull::new(text.cast_mut())?;
    // SAFETY: by this function's own condition.
    Some(unsafe { std::ffi::CStr::from_ptr(text.as_ptr().cast()) }.to_bytes().into())
}

fn place(mark: sys::yaml_mark_t) -> Place {
    let number = |number| usize::try_from(number).expect("texts are in memory");
    Place { offset: number(mark.index), line: number(mark.line) + 1, column: number(mark.column) + 1 }
}
