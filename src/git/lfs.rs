//! Recognises the placeholders that Git LFS commits instead of a file's content.
//!
//! Deploying a placeholder in place of a file would be a silent mistake, so readers refuse it.

/// The format limits a pointer to this many bytes.
const POINTER_SIZE_MAX: usize = 1024;
const FIRST_LINE: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Whether `content` is a pointer file of Git LFS.
pub(super) fn is_pointer(content: &[u8]) -> bool {
    content.len() < POINTER_SIZE_MAX && content.starts_with(FIRST_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_a_small_file_makes_a_pointer() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
        assert!(is_pointer(pointer.as_bytes()));
        assert!(!is_pointer(format!("# {pointer}").as_bytes()));
        assert!(!is_pointer(format!("{pointer}{}", "x".repeat(2000)).as_bytes()));
        assert!(!is_pointer(b""));
    }
}
