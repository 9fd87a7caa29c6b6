//! Objects that C holds by pointer. Each begins with a mark, so that a pointer to something else (another object of this
//! library, memory that was never filled) is refused instead of believed.

/// A type that C has pointers to.
pub(crate) trait Object: Sized {
    /// What tells its objects from all others.
    const MARK: [u8; 8];
}

/// An object with its mark. A pointer of C to the object is a pointer to this.
#[repr(C)]
pub(crate) struct Handle<T> {
    mark: [u8; 8],
    /// Whether it is C's to free.
    is_handed_over: bool,
    object: T,
}

impl<T: Object> Handle<T> {
    /// For an object that stays with us: a part of another one.
    pub(crate) const fn kept(object: T) -> Self {
        Self { mark: T::MARK, is_handed_over: false, object }
    }

    /// The pointer for C to an object that stays with us.
    pub(crate) const fn pointer(&self) -> *const T {
        std::ptr::from_ref(self).cast()
    }

    pub(crate) const fn object(&self) -> &T {
        &self.object
    }
}

/// The pointer for C to an object that is C's from now on.
pub(crate) fn hand_over<T: Object>(object: T) -> *mut T {
    Box::into_raw(Box::new(Handle { is_handed_over: true, ..Handle::kept(object) })).cast()
}

/// What a pointer of C points to; `None` when it is no object of this kind.
///
/// # Safety
/// `pointer` is NULL, or points to memory that can be read and that, when it is an object of this library, is not freed
/// during `'a`.
pub(crate) unsafe fn look<'a, T: Object>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { find(pointer) }.map(Handle::object)
}

/// Takes an object back and ends it; what is none of this kind, or was never handed over, is left alone.
///
/// # Safety
/// As for [`look`], and nobody uses the object from now on.
pub(crate) unsafe fn take_back<T: Object>(pointer: *mut T) {
    // SAFETY: the caller's promise.
    if unsafe { find(pointer) }.is_some_and(|handle| handle.is_handed_over) {
        // SAFETY: `hand_over` has boxed it, and C gives it back.
        let mut handle = unsafe { Box::from_raw(pointer.cast::<Handle<T>>()) };
        handle.mark = [0; 8];
        // So that the mark is gone from the memory, and not only from the eyes of the compiler.
        std::hint::black_box(&mut handle);
    }
}

/// The handle at a pointer, when it has the mark.
///
/// # Safety
/// As for [`look`].
unsafe fn find<'a, T: Object>(pointer: *const T) -> Option<&'a Handle<T>> {
    let handle = pointer.cast::<Handle<T>>();
    if handle.is_null() || !handle.is_aligned() {
        return None;
    }
    // SAFETY: can be read, by the caller's promise; any bytes are a mark, if not the right one.
    let mark = unsafe { handle.cast::<[u8; 8]>().read() };
    if mark != T::MARK {
        return None;
    }
    // SAFETY: the mark shows that it was made here, and it is not freed by the caller's promise.
    unsafe { handle.as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(u8);
    struct Two;

    impl Object for One {
        const MARK: [u8; 8] = *b"tests  1";
    }

    impl Object for Two {
        const MARK: [u8; 8] = *b"tests  2";
    }

    #[test]
    fn only_an_object_of_the_kind_is_looked_at() {
        let pointer = hand_over(One(7));
        // SAFETY: an object that was just made.
        assert_eq!(unsafe { look(pointer) }.map(|one| one.0), Some(7));
        // SAFETY: readable memory all the same.
        assert!(unsafe { look(pointer.cast::<Two>()) }.is_none());
        // SAFETY: no memory at all.
        assert!(unsafe { look(std::ptr::null::<One>()) }.is_none());
        let garbage = [0xaa_u64; 4];
        // SAFETY: readable memory.
        assert!(unsafe { look(garbage.as_ptr().cast::<One>()) }.is_none());
        // SAFETY: readable memory, of which nothing is taken.
        unsafe { take_back(garbage.as_ptr().cast_mut().cast::<One>()) };
        let kept = Handle::kept(One(9));
        // SAFETY: an object that is not C's, so that it stays.
        unsafe { take_back(kept.pointer().cast_mut()) };
        assert_eq!(kept.object().0, 9);
        // SAFETY: an object that nobody uses any more.
        unsafe { take_back(pointer) };
    }
}
