//! What the allocator of the C library keeps for itself.

/// How many parts the heap may have. Each thread fills the part that it is given, and what is freed in one is of no use to the
/// others.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAX_ARENAS: i32 = 4;

/// From how many bytes on an allocation is asked of the system, and given back to it when it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SYSTEM_ALLOCATION: i32 = 256 << 10;

/// Keeps memory that is freed from staying with this process: by default the GNU C library has eight parts of the heap for each
/// processor, and keeps allocations of up to 32 MiB in them once one of that size was freed.
///
/// To be called before there are other threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is set up by a function of the C library")]
pub(crate) fn prepare() {
    for (parameter, value) in [(libc::M_ARENA_MAX, MAX_ARENAS), (libc::M_MMAP_THRESHOLD, SYSTEM_ALLOCATION)] {
        // SAFETY: the function takes any parameter and any value, and there is a single thread.
        let is_taken = unsafe { libc::mallopt(parameter, value) };
        debug_assert_eq!(is_taken, 1, "parameter {parameter} of the allocator");
    }
}

/// Other allocators keep less.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn prepare() {}
